"""Functions that differ in what is marked alone are one, and compute what each of them did."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from cocomp.targets.fpga.hls.sharing import array, factor, number, share, summand, width


def body(scale: int, shift: int, bits: int, table: str, more: str = "") -> str:
    return (
        f"ap_int<{width(bits)}> x = i{factor(scale)}{summand(shift)};\n"
        f"return x + {array(table)}[{number(shift)}]{more};\n"
    )


def test_one_of_a_kind_has_its_numbers_in_its_text() -> None:
    (found,) = share([("f", body(1, 0, 7, "conv1:order"))])
    assert found.text == "ap_int<7> x = i;\nreturn x + n_conv1_order[0];\n"
    assert found.parameters == "" and found.calls == {"f": ""} and found.arrays == {"n_conv1_order": ("conv1:order",)}


def test_what_differs_is_told() -> None:
    found = share([("f", body(3, 4, 7, "a")), ("other", body(3, 4, 7, "a", " + 1")), ("g", body(3, 1 << 40, 9, "b"))])
    first, other = found
    assert first.text == "ap_int<9> x = i * 3 + p0;\nreturn x + f_0[p1][p0];\n"
    assert first.parameters == ", long long p0, int p1"
    assert first.calls == {"f": ", 4, 0", "g": f", {1 << 40}LL, 1"} and first.arrays == {"f_0": ("a", "b")}
    assert other.name == "other" and other.calls == {"other": ""}


def test_negative_numbers_are_in_parentheses() -> None:
    assert share([("f", f"return i{summand(-3)};")])[0].text == "return i - 3;"
    first, second = (
        share([(n, f"return {number(v)};") for n, v in pairs])[0] for pairs in ([("f", -3)], [("f", -3), ("g", 2)])
    )
    assert first.text == "return (-3);" and second.text == "return p0;" and second.calls == {"f": ", (-3)", "g": ", 2"}


@pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")
def test_shared_functions_compute_what_each_did(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cases = [tuple(rng.integers(-9, 9, 3).tolist()) for _ in range(40)]

    def text(a: int, b: int, c: int) -> str:
        return f"return i{factor(a)}{summand(b)} - {number(c)};\n"

    (found,) = share([(f"f{n}", text(*case)) for n, case in enumerate(cases)])
    calls = "".join(f'  std::printf("%d\\n", (int){found.name}(5{arguments}));\n' for arguments in found.calls.values())
    program = (
        f"#include <cstdio>\nint {found.name}(int i{found.parameters}) {{ {found.text} }}\nint main() {{\n{calls}}}\n"
    )
    (tmp_path / "main.cpp").write_text(program)
    subprocess.run(["g++", "main.cpp", "-o", "main"], cwd=tmp_path, check=True)
    said = subprocess.run(["./main"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert [int(line) for line in said.split()] == [5 * a + b - c for a, b, c in cases]
