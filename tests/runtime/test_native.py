"""The native runtime under sanitizers: memory, undefined behaviour, data races."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import cocomp
from cocomp.targets import cpu

HERE = Path(__file__).parent
NATIVE = HERE.parents[1] / "runtime" / "native"
SANITIZERS = {"memory": "address,undefined", "threads": "thread"}
SOURCES = cpu.SOURCES


class Mixed(nn.Module):
    """Every kind of kernel on odd sizes: contractions, in pieces too, Winograd, depth-wise, loops, reductions, a scan, gathers, a
    pad."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 32, 3, padding=1)
        self.blocks = nn.Conv2d(32, 32, 3, padding=1)
        with torch.no_grad():  # blocks of 16 x 48 keep 9 rows and 12 columns, each block others
            kept = torch.rand(2, 16, 6, 1).argsort(1) < 9
            self.blocks.weight.view(2, 16, 6, 48).mul_(kept & (torch.rand(2, 1, 6, 48).argsort(3) < 12))
        self.second = nn.Conv2d(32, 33, 3, padding=1)
        self.depthwise = nn.Conv2d(33, 33, 3, stride=2, groups=33)
        self.table = nn.Embedding(7, 33)
        self.head = nn.Linear(33, 5)

    def forward(self, image: torch.Tensor, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = F.relu(self.second(self.blocks(F.silu(self.first(image)))))
        x = F.max_pool2d(F.pad(self.depthwise(x), (1, 0, 2, 1)), 2)
        x = F.interpolate(x, size=(5, 7), mode="bilinear")
        features = x.mean((2, 3)) + self.table(tokens).sum(1)
        return self.head(features).softmax(-1), features.cumsum(1)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, cocomp.Artifact, list[np.ndarray]]:
    """Everything that an artefact is linked from, the artefact, and inputs."""
    directory = tmp_path_factory.mktemp("native")
    link = cpu.link

    def keep(place: Path, *rest: Any) -> bytes:
        shutil.copytree(place, directory, dirs_exist_ok=True)
        return link(place, *rest)

    torch.manual_seed(0)
    inputs = (torch.randn(1, 3, 37, 41), torch.randint(0, 7, (1, 3)))
    module = Mixed().eval()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cpu, "link", keep)
        artifact = cocomp.compile(module, inputs)
    assert any("packing" in d["facts"] for d in artifact.manifest["dispatches"])
    shutil.copytree(NATIVE, directory, dirs_exist_ok=True)
    arrays = [x.numpy() for x in inputs]
    for number, array in enumerate(arrays):
        (directory / f"in{number}").write_bytes(array.tobytes())
    sizes = {"input_bytes": [a.nbytes for a in arrays], "output_bytes": [5 * 4, 33 * 4]}
    lines = [f"static const size_t {name}[] = {{{', '.join(map(str, values))}}};" for name, values in sizes.items()]
    lines.append(f"enum {{ dispatches = {artifact.manifest['launches']} }};")
    (directory / "sizes.h").write_text("#include <stddef.h>\n" + "\n".join(lines) + "\n")
    return directory, artifact, arrays


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc and its sanitizers")
@pytest.mark.parametrize("kind", list(SANITIZERS))
def test_sanitizers_find_nothing(kind: str, built: tuple[Path, cocomp.Artifact, list[np.ndarray]]) -> None:
    directory, artifact, inputs = built
    program, sanitizers = directory / kind, SANITIZERS[kind]
    objects = sorted(str(p) for p in directory.glob("kernels*.o"))
    subprocess.run(
        ["gcc", "-O1", "-g", "-w", "-std=gnu11", f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all", "-I.", *SOURCES,
         "plan.c", "weights.S", *objects, str(HERE / "drive.c"), "-o", str(program), "-lpthread", "-lm"],
        cwd=directory, check=True,
    )  # fmt: skip
    done = subprocess.run(
        [str(program), "in0", "in1", "out0", "out1"],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if "unexpected memory mapping" in done.stderr:
        pytest.skip("the thread sanitizer does not run on this kernel")
    assert done.returncode == 0, done.stderr[-3000:]
    expected = artifact.load(threads=1).run(inputs)
    for number, wanted in enumerate(expected):
        found = np.frombuffer((directory / f"out{number}").read_bytes(), wanted.dtype).reshape(wanted.shape)
        np.testing.assert_array_equal(found, wanted)


def test_the_sanitizers_are_awake(built: tuple[Path, cocomp.Artifact, list[np.ndarray]], tmp_path: Path) -> None:
    """A plan with a mistake is caught: it has more inputs than there are."""
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc")
    directory, _, _ = built
    broken = tmp_path / "plan.c"
    text = (directory / "plan.c").read_text()
    assert ".input_count = 2" in text
    broken.write_text(text.replace(".input_count = 2", ".input_count = 9"))
    objects = sorted(str(p) for p in directory.glob("kernels*.o"))
    subprocess.run(
        ["gcc", "-O1", "-g", "-w", "-std=gnu11", "-fsanitize=address", "-I.", *SOURCES, str(broken), "weights.S", *objects,
         str(HERE / "drive.c"), "-o", str(tmp_path / "broken"), "-lpthread", "-lm"],
        cwd=directory, check=True,
    )  # fmt: skip
    done = subprocess.run(
        [str(tmp_path / "broken"), "in0", "in1", "out0", "out1"],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "AddressSanitizer" in done.stderr
