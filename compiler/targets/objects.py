"""LLVM IR to object files, in this process and beside it.

Run as a program (`python -m cocomp.targets.objects IR OBJECT TRIPLE CPU FEATURES`) it compiles one file: that is how a
second core is used without importing the compiler twice.
"""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from cocomp.support.diagnostics import InternalError
from cocomp.support.machine import CpuTarget

TOKEN = re.compile(
    r"\b(?P<type>half|float|double)\b"
    r"|(?<![\w.%@$\"-])(?P<number>f0x[0-9A-F]+|[+-]?(?:inf|q?nan)\b|[+-]?\d+\.\d+(?:e[+-]?\d+)?)"
)
PACKING = {"half": (">e", 4), "float": (">f", 8), "double": (">d", 16)}


def readable(text: str) -> str:
    """LLVM IR as the code generator's LLVM reads it: the importer's is newer and writes floating-point constants in forms
    (`f0x3F800000`, `-inf`, shortest decimals) that older parsers refuse. Constants become hexadecimal; the type of one is
    the last type named before it."""
    kind = "float"

    def rewrite(found: re.Match[str]) -> str:
        nonlocal kind
        if found.group("type"):
            kind = found.group("type")
            return found.group()
        return _constant(found.group("number"), kind)

    return TOKEN.sub(rewrite, text)


def _constant(number: str, kind: str) -> str:
    """A constant as LLVM has always read it: doubles and floats by the bits of a double, halves by their own."""
    code, _ = PACKING[kind]
    if number.startswith("f0x"):
        bits = int(number[3:], 16)
    else:
        bits = int.from_bytes(struct.pack(code, float(number.replace("qnan", "nan"))), "big")
    if kind == "half":
        return f"0xH{bits:04X}"
    if kind == "float":
        exponent, fraction = bits >> 23 & 0xFF, bits & 0x7FFFFF
        if exponent == 0xFF:  # infinities and NaNs, payload and all
            return f"0x{(bits >> 31) << 63 | 0x7FF << 52 | fraction << 29:016X}"
        (value,) = struct.unpack(">f", bits.to_bytes(4, "big"))
        bits = int.from_bytes(struct.pack(">d", value), "big")
    return f"0x{bits:016X}"


def emit_object(text: str, triple: str, cpu: str, features: str) -> bytes:
    """Optimise LLVM IR and generate code for it."""
    import llvmlite.binding as llvm

    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    module = llvm.parse_assembly(readable(text))
    module.triple = triple
    target = llvm.Target.from_triple(triple)
    machine = target.create_target_machine(cpu=cpu, features=features, opt=3, reloc="pic", codemodel="small")
    module.data_layout = str(machine.target_data)
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    options.loop_vectorization = False
    options.slp_vectorization = False
    options.loop_unrolling = False
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return machine.emit_object(module)


def emit_objects(texts: Sequence[str], target: CpuTarget, directory: Path) -> list[Path]:
    """One object file for each text; all but the first in processes of their own."""
    paths = [directory / f"kernels{i}.o" for i in range(len(texts))]
    arguments = [target.triple, target.cpu, target.features]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    others: list[subprocess.Popen[bytes]] = []
    for number, text in list(enumerate(texts))[1:]:
        source = directory / f"kernels{number}.ll"
        source.write_text(text)
        command = [sys.executable, "-m", "cocomp.targets.objects", str(source), str(paths[number]), *arguments]
        others.append(subprocess.Popen(command, stderr=subprocess.PIPE, env=environment))
    try:
        if texts:
            paths[0].write_bytes(emit_object(texts[0], *arguments))
        for process in others:
            _, message = process.communicate()
            if process.returncode:
                raise InternalError(f"code generation failed: {message.decode(errors='replace')}")
    finally:  # nobody waits for the others after a failure or Ctrl-C
        for process in others:
            process.kill()
            process.wait()
    return paths


def main() -> None:
    source, destination, triple, cpu, features = sys.argv[1:]
    Path(destination).write_bytes(emit_object(Path(source).read_text(), triple, cpu, features))


if __name__ == "__main__":
    main()
