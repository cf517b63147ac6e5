"""Cycles of an artefact's hot inner loops by llvm-mca, beside the bound that the multiply-add pipes set."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

PIPES = {"cortex-a76": 2, "cortex-a78": 2, "cortex-x1": 4}
"""Multiply-adds of 128 bits that a core starts in a cycle (Arm's software optimisation guides)."""
MODELLED = {"cortex-a76": "neoverse-n1", "cortex-a78": "neoverse-n1", "cortex-x1": "neoverse-v1"}
"""The server core of the same design, which LLVM has a model of; for the phone cores themselves it takes an old one's."""
VERSIONS = (*(f"-{n}" for n in range(24, 17, -1)), "")
FUSED = "fmla"
FEWEST = 6
"""Multiply-adds that make a loop worth a look."""
MOSTLY = 0.4
INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\s+(.*)$")
FUNCTION = re.compile(r"^[0-9a-f]+ <(.+)>:$")
BRANCH = re.compile(r"^(b\.\w+|cbnz|cbz|tbnz|tbz|b)\s+(.*?)0x([0-9a-f]+)\b.*$")


@dataclass(frozen=True)
class Loop:
    """An innermost loop without calls: its instructions, the last of which branches back."""

    kernel: str
    body: tuple[str, ...]

    @property
    def multiply_adds(self) -> int:
        return sum(line.startswith(FUSED) for line in self.body)

    @property
    def is_hot(self) -> bool:
        """A loop over columns, not an epilogue or a transform, which multiply and add now and then."""
        return self.multiply_adds >= FEWEST and self.multiply_adds > MOSTLY * len(self.body)


def find_tool(name: str) -> str | None:
    """Path of an LLVM tool, whatever version Debian calls it by."""
    return next((path for version in VERSIONS if (path := shutil.which(name + version))), None)


def hot_loops(library: Path) -> list[Loop]:
    """The innermost loop with the most multiply-adds of each kernel."""
    objdump = find_tool("llvm-objdump")
    assert objdump is not None
    text = subprocess.run(
        [objdump, "-d", "--no-show-raw-insn", str(library)], capture_output=True, text=True, check=True
    ).stdout
    loops: dict[str, Loop] = {}
    for kernel, instructions in _functions(text).items():
        hot = [loop for loop in _innermost(kernel, instructions) if loop.is_hot]
        if hot:
            loops[kernel] = max(hot, key=lambda loop: loop.multiply_adds)
    return list(loops.values())


def cycles(loop: Loop, cpu: str) -> float:
    """Cycles of an iteration in the steady state, as llvm-mca models the design of `cpu`."""
    mca = find_tool("llvm-mca")
    assert mca is not None
    lines = [re.sub(BRANCH, r"\1 \g<2>.Lloop", line) if BRANCH.match(line) else line for line in loop.body]
    text = ".Lloop:\n" + "\n".join(lines) + "\n"
    iterations = 200
    command = [mca, "-mtriple=aarch64", f"-mcpu={MODELLED[cpu]}", "-mattr=+fullfp16", f"-iterations={iterations}"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    found = re.search(r"Total Cycles:\s+(\d+)", done.stdout)
    assert found is not None
    return int(found.group(1)) / iterations


def _functions(text: str) -> dict[str, list[tuple[int, str]]]:
    functions: dict[str, list[tuple[int, str]]] = {}
    current: list[tuple[int, str]] = []
    for line in text.splitlines():
        if started := FUNCTION.match(line):
            current = functions.setdefault(started.group(1), [])
        elif instruction := INSTRUCTION.match(line):
            current.append(
                (int(instruction.group(1), 16), instruction.group(2).split("<")[0].strip().replace("\t", " "))
            )
    return functions


def _innermost(kernel: str, instructions: list[tuple[int, str]]) -> list[Loop]:
    """Straight runs of code that end in a branch to their start."""
    places = {address: number for number, (address, _) in enumerate(instructions)}
    loops: list[Loop] = []
    for number, (_, text) in enumerate(instructions):
        branch = BRANCH.match(text)
        start = places.get(int(branch.group(3), 16)) if branch else None
        if start is None or start > number:
            continue
        body = tuple(line for _, line in instructions[start : number + 1])
        if not any(BRANCH.match(line) or line.startswith(("bl", "ret")) for line in body[:-1]):
            loops.append(Loop(kernel, body))
    return loops
