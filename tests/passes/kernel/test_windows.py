"""What `plan-fusion` puts into one kernel because minimal filtering will compute it, minimal filtering does compute."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cocomp import dialects
from cocomp.support.mlir import context, parse
from cocomp.support.passes import State, parse_pipeline, run_passes
from cocomp.support.registry import PASS_TABLE
from cocomp.targets.cpus import cpu_target

TARGETS = [("linux-x86-64", level) for level in ("x86-64-v2", "x86-64-v3", "x86-64-v4", "znver4")]
TARGETS += [("linux-arm64", "generic"), ("linux-arm64", "cortex-x1")]
PASSES = "plan-fusion,form-groups,select-layout,schedule-contractions"


def pooled(
    batch: int,
    channels: int,
    rows: int,
    size: tuple[int, int],
    taps: int,
    window: tuple[int, int],
    step: int,
    turned: bool,
) -> str:
    """A convolution, an activation and a pool of an image, whose channels come last where `turned`."""
    (high, wide), (down, across) = window, size
    out = [(n - w) // (w * step) + 1 for n, w in zip(size, window, strict=True)]
    image = [batch, down + taps - 1, across + taps - 1]
    image.insert(3 if turned else 1, channels)
    index = "n, h + kh, w + kw, c" if turned else "n, c, h + kh, w + kw"
    x, w, y, z = (
        f"tensor<{'x'.join(map(str, shape))}xf32>"
        for shape in (image, (rows, channels, taps, taps), (batch, rows, *size), (batch, rows, *out))
    )
    w = w.replace(">", ", #sparse.dense>")
    return f"""
#x = affine_map<(n, f, h, w, c, kh, kw) -> ({index})>
#w = affine_map<(n, f, h, w, c, kh, kw) -> (f, c, kh, kw)>
#y = affine_map<(n, f, h, w, c, kh, kw) -> (n, f, h, w)>
#id = affine_map<(n, f, h, w) -> (n, f, h, w)>
#in = affine_map<(n, f, h, w, i, j) -> (n, f, h * {high * step} + i, w * {wide * step} + j)>
#window = affine_map<(n, f, h, w, i, j) -> (i, j)>
#out = affine_map<(n, f, h, w, i, j) -> (n, f, h, w)>
func.func @main(%x: {x}, %w: {w} {{sparse.name = "w"}}) -> {z} {{
  %zero = arith.constant 0.0 : f32
  %low = arith.constant dense<0xFF800000> : {z}
  %c = "sparse.contract"(%x, %w) {{maps = [#x, #w, #y],
      bounds = array<i64: {batch}, {rows}, {down}, {across}, {channels}, {taps}, {taps}>}} : ({x}, {w}) -> {y}
  %e = tensor.empty() : {y}
  %r = linalg.generic {{indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel", "parallel", "parallel"]}}
      ins(%c : {y}) outs(%e : {y}) {{
  ^bb0(%a: f32, %o: f32):
    %m = arith.maximumf %a, %zero : f32
    linalg.yield %m : f32
  }} -> {y}
  %s = tensor.empty() : tensor<{high}x{wide}xf32>
  %p = linalg.generic {{indexing_maps = [#in, #window, #out],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction", "reduction"]}}
      ins(%r, %s : {y}, tensor<{high}x{wide}xf32>) outs(%low : {z}) {{
  ^bb0(%a: f32, %u: f32, %o: f32):
    %m = arith.maximumf %a, %o : f32
    linalg.yield %m : f32
  }} -> {z}
  return %p : {z}
}}
"""


def scheduled(text: str, target: tuple[str, str]) -> str:
    """The module after scheduling."""
    known = context()
    dialects.register(known)
    module = parse(text, known, "-")
    state = State(cpu_target(*target))
    state.weights.add("w", np.ones(1, np.float32))
    run_passes(parse_pipeline(PASSES, PASS_TABLE), module, state)
    return str(module)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_what_is_pooled_has_whole_windows_in_its_tiles(data: st.DataObject) -> None:
    def one_of(*choices: int) -> int:
        return data.draw(st.sampled_from(choices))

    size = (one_of(4, 5, 8, 14, 17, 28, 56), one_of(4, 7, 8, 14, 23, 56))
    window = (one_of(1, 2, 2, 2, 3, 4), one_of(1, 2, 2, 2, 3, 4))
    channels, rows, batch = one_of(3, 4, 8, 16, 40, 256, 1000), one_of(1, 3, 8, 16, 33, 64, 256), one_of(1, 1, 2)
    target, turned = data.draw(st.sampled_from(TARGETS)), data.draw(st.booleans())
    text = pooled(batch, channels, rows, size, one_of(1, 3, 3, 3, 3, 4), window, one_of(1, 1, 1, 2), turned)
    for function in re.split(r"(?=func\.func private)", scheduled(text, target)):
        if "sparse.contract" in function and "reduction" in function:
            assert ("kernel.winograd" in function) != ("kernel.schedule" in function)
            if "kernel.schedule" in function:
                tile = re.search(r"{along_pixels = (\w+),.* lanes = (\d+) .* pixels = (\d+) ", function)
                assert tile is not None
                along, lanes, pixels = tile.group(1) == "true", int(tile.group(2)), int(tile.group(3))
                extents = [n // w * w for n, w in zip(size, window, strict=True)]
                wide = pixels * lanes if along else pixels
                assert any(min(wide, n) % w == 0 for n, w in zip(extents, window, strict=True))


FILTERED, DIRECT = "kernel.winograd", "kernel.schedule"


@pytest.mark.parametrize(("taps", "window", "step", "kind"), [
    (3, 2, 1, FILTERED), (3, 4, 1, FILTERED), (4, 3, 1, FILTERED), (5, 2, 1, DIRECT), (1, 2, 1, DIRECT),
    (5, 4, 1, DIRECT), (3, 3, 1, None), (4, 2, 1, None), (3, 2, 2, None), (4, 3, 2, None), (5, 7, 1, None),
])  # fmt: skip
def test_whole_windows_of_a_tile_are_pooled(taps: int, window: int, step: int, kind: str | None) -> None:
    """Tiles of 3x3 kernels have 4x4 outputs, those of 4x4 kernels 3x3; windows a step of more than one apart leave gaps."""
    for target in TARGETS:
        found = scheduled(pooled(1, 64, 64, (28, 29), taps, (window, window), step, True), target)
        assert found.count("func.func private @group_") == (2 if kind is None else 1), target
        assert kind is None or found.count(kind) == 1
