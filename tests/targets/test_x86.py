"""Artefacts for the levels of x86-64 give what PyTorch gives, on a machine that has the level."""

from __future__ import annotations

import platform

import pytest

import cocomp
from cocomp.targets.cpus import X86_CPUS, X86_LEVELS, cpu_target
from tests.targets.conftest import Compiled, example, expected
from tests.targets.samples import arrays, errors

TOLERANCE = 1e-5


def available() -> tuple[str, ...]:
    """Levels that this machine can run."""
    if platform.machine() != "x86_64":
        return ()
    level = cpu_target("host").cpu
    return tuple(X86_LEVELS)[: list(X86_LEVELS).index(level) + 1]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("name", "level"), [("few", "x86-64-v2"), ("kinds", "x86-64-v3"), ("few", "x86-64-v4")])
def test_levels(compiled: Compiled, name: str, level: str, threads: int) -> None:
    if level not in available():
        pytest.skip(f"this machine is no {level}")
    with compiled(name, "linux-x86-64", level).load(threads) as model:
        assert max(errors(model.run(arrays(example(name))), expected(name))) <= TOLERANCE


def test_vectors_are_as_wide_as_the_level(compiled: Compiled) -> None:
    for level, lanes in (("x86-64-v2", 4), ("x86-64-v4", 16)):
        facts = [d["facts"] for d in compiled("few", "linux-x86-64", level).manifest["dispatches"]]
        assert f"{lanes} lanes" in {f["vector"] for f in facts}


@pytest.mark.parametrize("cpu", ["znver4", "haswell"])
def test_a_named_processor_is_tuned_for_and_its_level_required(cpu: str) -> None:
    target = cpu_target("linux-x86-64", cpu)
    assert (target.tune, target.cpu) == (cpu, X86_CPUS[cpu])


def test_unknown_processors_are_refused() -> None:
    with pytest.raises(cocomp.support.diagnostics.UsageError, match="unknown x86-64 processor 'cortex-a76': expected"):
        cpu_target("linux-x86-64", "cortex-a76")
