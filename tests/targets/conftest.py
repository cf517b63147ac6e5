"""Artefacts for every processor, compiled once."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest
import torch

import cocomp
from cocomp import Options
from tests.targets.samples import Array, Example, few, kinds, references, split

Compiled = Callable[..., cocomp.Artifact]
EXAMPLES: dict[str, Callable[[], Example]] = {
    "kinds": kinds,
    "few": few,
    "tiny": functools.partial(kinds, 8, 8),
    "split": split,
}


@functools.cache
def example(name: str) -> Example:
    """A model and its inputs, by name."""
    return EXAMPLES[name]()


@functools.cache
def expected(name: str) -> list[Array]:
    """What PyTorch computes."""
    return references(example(name))


@pytest.fixture(scope="session")
def compiled() -> Compiled:
    """`compiled("few", "android-cpu", "cortex-a76")` compiles, or gives what it has compiled before."""
    artifacts: dict[tuple[str, ...], cocomp.Artifact] = {}
    programs: dict[str, torch.export.ExportedProgram] = {}

    def build(name: str, target: str, cpu: str = "", precision: str = "f32") -> cocomp.Artifact:
        key = (name, target, cpu, precision)
        if key not in artifacts:
            if name not in programs:
                programs[name] = torch.export.export(*example(name))
            options = Options(target=target, cpu=cpu, precision=precision)
            artifacts[key] = cocomp.compile(programs[name], options=options)
        return artifacts[key]

    return build
