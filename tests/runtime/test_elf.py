"""Damaged artefacts are refused with a message, whatever is damaged; nothing crashes and nothing foreign is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

import cocomp
from cocomp.runtime import elf
from cocomp.runtime.manifest import ArtifactError, read_manifest


@pytest.fixture(scope="module")
def data() -> bytes:
    torch.manual_seed(0)
    return cocomp.compile(nn.Linear(3, 2).eval(), (torch.randn(1, 3),)).data


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.so"


fuzzed = settings(
    max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def rejected(path: Path, content: bytes, check: bool = True) -> bool:
    """Whether a file is refused; any exception but ArtifactError fails the test."""
    path.write_bytes(content)
    try:
        read_manifest(path, check)
    except ArtifactError as error:
        assert str(path) in str(error)
        return True
    return False


def test_an_intact_file_is_read(data: bytes, path: Path) -> None:
    assert not rejected(path, data)
    manifest = read_manifest(path)
    assert manifest.inputs[0].shape == (1, 3) and manifest.outputs[0].type == "f32"


@fuzzed
@given(st.data())
def test_any_flipped_bit_is_noticed(data: bytes, path: Path, draw: st.DataObject) -> None:
    position = draw.draw(st.integers(0, 8 * len(data) - 1))
    damaged = bytearray(data)
    damaged[position // 8] ^= 1 << position % 8
    assert rejected(path, bytes(damaged))


@fuzzed
@given(st.data())
def test_a_truncated_file_is_refused(data: bytes, path: Path, draw: st.DataObject) -> None:
    assert rejected(path, data[: draw.draw(st.integers(0, len(data) - 1))])


@fuzzed
@given(st.data())
def test_headers_may_say_anything(data: bytes, path: Path, draw: st.DataObject) -> None:
    """Without the checksum the parser is alone: it refuses or reads, but does nothing else."""
    damaged = bytearray(data)
    (table,) = np.frombuffer(data[40:48], np.uint64)
    places = st.one_of(st.integers(0, 63), st.integers(int(table), min(len(data) - 1, int(table) + 64 * 24)))
    for _ in range(draw.draw(st.integers(1, 6))):
        damaged[draw.draw(places)] = draw.draw(st.integers(0, 255))
    rejected(path, bytes(damaged), check=False)


@fuzzed
@given(st.binary(max_size=300))
def test_any_bytes_are_no_artefact(path: Path, content: bytes) -> None:
    assert rejected(path, content)
    assert rejected(path, b"\x7fELF\x02\x01" + content)


@fuzzed
@given(st.data())
def test_sections_lie_inside_the_file(data: bytes, draw: st.DataObject) -> None:
    damaged = bytearray(data)
    for _ in range(draw.draw(st.integers(0, 4))):
        damaged[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    try:
        file = elf.parse(memoryview(bytes(damaged)))
    except elf.ElfError:
        return
    for section in file.sections:
        assert section.offset + section.size <= len(data)
        found = file.section(section.name)
        assert found is not None


def test_a_library_of_somebody_else(path: Path) -> None:
    import sysconfig

    candidates = list(Path(sysconfig.get_paths()["stdlib"]).glob("lib-dynload/*.so"))[:1]
    if not candidates:
        pytest.skip("no shared library at hand")
    with pytest.raises(ArtifactError, match="no manifest"):
        read_manifest(candidates[0])
