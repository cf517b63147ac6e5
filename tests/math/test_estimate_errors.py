"""What is no stage, device or design is refused, with what was expected."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cocomp.passes.math.accelerator import (
    DEVICES,
    Demand,
    Design,
    Device,
    Product,
    Sweep,
    Tiles,
    estimate,
    find_device,
)
from cocomp.passes.math.accelerator.costs import core_luts
from cocomp.passes.math.quantisers import Pot
from tests.math.products import CORES, RMSMP

XC7Z020 = find_device("xc7z020")
DESIGN = Design(Tiles(16, (18, 11, 2)), CORES, 8, 4)
DEVICE = Device("small", "part", 1000, 10, 10, 1e9, 1.0)
PRODUCT = Product("conv", (1, 1, 1), 4, 9, 4, 4)


@pytest.mark.parametrize(
    "change, message",
    [
        (
            {"counts": (0, 0, 0)},
            r"conv: expected at least one row, channel, tap and pixel, got \(0, 0, 0\), 4, 9 and 4",
        ),
        ({"counts": (2, -1, 0)}, "conv: expected at least one row"),
        ({"pixels": 0}, "conv: expected at least one row, .* 4, 9 and 0"),
        (
            {"positions": 0},
            "conv: expected at least one position of the input, byte of a result and plane, got 0, 1 and 1",
        ),
        ({"planes": 0}, "conv: expected at least one position"),
        ({"kept": 0.0}, "conv: expected a share of blocks above 0 and up to 1, got 0"),
        ({"kept": 1.5}, "conv: expected a share of blocks above 0 and up to 1, got 1.5"),
    ],
)
def test_what_is_no_product_of_a_model(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(PRODUCT, **change)  # pyright: ignore[reportArgumentType]


def test_what_is_no_sweep() -> None:
    with pytest.raises(ValueError, match="add: expected at least one point, got 0"):
        Sweep("add", 0, 1, 1)
    with pytest.raises(ValueError, match="add: expected no negative sizes, got Sweep"):
        Sweep("add", 1, 1, 1, adds=-1)
    with pytest.raises(ValueError, match="add: expected whole lines of 3, got 4 points"):
        Sweep("add", 4, 1, 1, length=3)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"luts": 0}, "small: expected LUTs, and no negative number of DSPs and block RAMs"),
        ({"dsps": -1}, "small: expected LUTs, and no negative number"),
        ({"clock_mhz": 0}, "small: expected a clock and a memory that run, and no negative power or latency"),
        ({"ddr_bytes_per_second": 0}, "small: expected a clock and a memory that run"),
        ({"fetch_bytes_per_cycle": 0}, "small: expected a clock and a memory that run"),
        ({"static_watts": -1}, "small: expected a clock and a memory that run"),
        ({"caps": Demand(0.8, 1.1, 0.9)}, "small: expected shares above 0 and up to 1, got 1 LUT"),
        ({"caps": Demand(0, 1, 0.9)}, "small: expected shares above 0 and up to 1"),
    ],
)
def test_what_is_no_device(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(DEVICE, **change)  # pyright: ignore[reportArgumentType]


def test_devices_are_found_by_name_and_part() -> None:
    for name, device in DEVICES.items():
        assert find_device(name) is device and find_device(device.part.upper()) is device
    with pytest.raises(ValueError, match="unknown device 'virtex': expected one of xc7z010, xc7z020, "):
        find_device("virtex")


def test_what_is_no_design() -> None:
    with pytest.raises(ValueError, match="expected products in one of fabric, dsp, packed, got 'lut'"):
        replace(DESIGN, multipliers=("fabric", "lut", "dsp"))
    with pytest.raises(ValueError, match="expected requantisers that divide the 16 lanes, got 3"):
        replace(DESIGN, requantisers=3)
    for change in ({"requantisers": 0}, {"unroll": 0}):
        with pytest.raises(ValueError, match="expected at least one requantiser and one point of a sweep in a cycle"):
            replace(DESIGN, **change)


def test_what_no_memory_has() -> None:
    with pytest.raises(ValueError, match="expected no negative number of words on chip, got -1"):
        replace(DESIGN, capacity=-1)


def test_what_cannot_be_estimated() -> None:
    with pytest.raises(ValueError, match="expected at least one stage"):
        estimate([], DESIGN, RMSMP.quantisers, 4, XC7Z020)
    with pytest.raises(ValueError, match=r"conv: expected a core for the 1 rows of fixed<8>, got Tiles\("):
        estimate([PRODUCT], replace(DESIGN, tiles=Tiles(8, (1, 1, 0))), RMSMP.quantisers, 4, XC7Z020)
    with pytest.raises(
        ValueError, match="the cost of pot<4> with products in dsp for activations of 4 bits is not known"
    ):
        estimate([PRODUCT], replace(DESIGN, multipliers=("dsp",) * 3), RMSMP.quantisers, 4, XC7Z020)
    with pytest.raises(ValueError, match=r"expected fixed<4> and activations of 4 bits at most .* got fixed<8> and 4"):
        estimate([PRODUCT], replace(DESIGN, multipliers=("fabric", "dsp", "packed")), RMSMP.quantisers, 4, XC7Z020)
    with pytest.raises(ValueError, match=r"where products are packed, got pot<4> and 4"):
        core_luts(Pot(4), "packed", 4, 16)
