"""Rewriting in the pipeline: lossless, the same in every run, bounded, and what it says of itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

import benchmarks._torchvision  # noqa: F401  (transformers imports torchvision, which may need it)
import cocomp
from cocomp import dialects, pipeline
from cocomp.api import import_model
from cocomp.options import Options
from cocomp.passes.math.algebra.terms import Term
from cocomp.passes.tensor import _algebra_read, _algebra_write
from cocomp.passes.tensor.rewrite_algebra import RewriteAlgebraPass
from cocomp.support.diagnostics import UsageError
from cocomp.support.mlir import context, ir, ops_in, parse
from cocomp.support.passes import Pass, State, run_passes
from cocomp.support.weights import WeightStore
from cocomp.targets.cpus import cpu_target
from tests.e2e.test_models import small_bert, small_unet
from tests.e2e.test_rewritten_blocks import BLOCKS
from tests.small_models import residual

LIT = Path(__file__).parents[1] / "passes" / "tensor" / "rewrite-algebra.mlir"


def block(name: str) -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    """A block of the tests of whole blocks."""
    build, shape, _ = BLOCKS[name]
    torch.manual_seed(0)
    return build().eval(), (torch.randn(shape),)


def before_rewriting(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[ir.Module, State]:
    """A model as the pass gets it."""
    made = context()
    imported = import_model(module, inputs, made)
    dialects.register(made)
    state = State(cpu_target("host"), imported.weights)
    steps: list[Pass] = []
    for step in next(steps for reached, steps in pipeline.cpu_steps() if reached.name == "rewritten"):
        if isinstance(step.what, RewriteAlgebraPass):
            break
        steps.append(step.what)
    run_passes(steps, imported.module, state)
    return imported.module, state


MODELS: dict[str, Callable[[], tuple[nn.Module, tuple[torch.Tensor, ...]]]] = {
    "residual": residual,
    "unet": small_unet,
    "recurrent": lambda: (nn.GRU(8, 12).eval(), (torch.randn(3, 2, 8),)),
    "bert": small_bert,
    **{name: (lambda name=name: block(name)) for name in BLOCKS},
}


def shape_of_graph(reading: _algebra_read.Reading) -> list[str]:
    """Every root written out, each term once: what a graph is, whatever its terms are numbered."""
    numbers: dict[int, int] = {}
    lines: list[str] = []

    def visit(number: int) -> int:
        if number not in numbers:
            term = reading.graph.terms[number]
            operands = [visit(o) for o in term.operands]
            what = reading.graph.kinds[number] if term.operator == "leaf" else term.parameter
            lines.append(f"{term.operator} {term.key} {what} {operands}")
            numbers[number] = len(numbers)
        return numbers[number]

    lines += [str(visit(root)) for root in reading.roots]
    return lines


@pytest.mark.parametrize("name", list(MODELS))
def test_to_the_algebra_and_back_is_the_same_graph(name: str) -> None:
    module, state = before_rewriting(*MODELS[name]())
    main = module.body.operations[0].operation
    body = main.regions[0].blocks[0]
    reading = _algebra_read.read(body, state.weights)
    before = shape_of_graph(reading)
    graph = reading.graph
    with module.context, ir.Location.unknown(), ir.InsertionPoint.at_block_terminator(body):
        writer = _algebra_write.Writer(main, graph.terms.__getitem__, graph.kinds.__getitem__, {}, state.weights)
        writer.values = {n: v for n, v in reading.value.items() if graph.terms[n].operator == "leaf"}
        for root in reading.roots:
            writer.value(root)
        for value, number in reading.number.items():
            if number in writer.values and writer.values[number] != value:
                value.replace_all_uses_with(writer.values[number])
        _algebra_write.sort_operations(body)
    assert module.operation.verify()
    assert shape_of_graph(_algebra_read.read(body, state.weights)) == before


@pytest.mark.parametrize("name", ["recurrent", "unet"])
def test_what_cannot_get_cheaper_stays_to_the_byte(name: str) -> None:
    module, state = before_rewriting(*MODELS[name]())
    before = module.operation.get_asm(enable_debug_info=True)
    run_passes([RewriteAlgebraPass()], module, state)
    assert module.operation.get_asm(enable_debug_info=True) == before
    assert state.facts["rewrite-algebra"]["steps"] == []


def test_rewriting_twice_gives_the_same() -> None:
    texts: list[str] = []
    for _ in range(2):
        module, state = before_rewriting(*small_bert())
        run_passes([RewriteAlgebraPass(fast_math=True)], module, state)
        texts.append(str(module))
    assert texts[0] == texts[1]


def test_the_order_of_sets_does_not_matter() -> None:
    """In processes whose hashes differ."""
    code = f"from cocomp.cli.opt import main; main([{str(LIT)!r}, '--split-input-file', '-p', 'rewrite-algebra', '--random-weights'])"
    found = [
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    ]
    assert found[0] == found[1] and b"sparse.contract" in found[0]


def test_out_of_time_nothing_changes_and_who_watches_is_told() -> None:
    module, state = before_rewriting(*block("attention"))
    news: list[str] = []
    state.tell = news.append
    before = str(module)
    run_passes([RewriteAlgebraPass(seconds=0)], module, state)
    assert str(module) == before
    assert state.facts["rewrite-algebra"]["stopped"] == "seconds"
    assert news == ["rewriting stopped after 0 s, and changed nothing"]


def test_a_full_graph_is_used_as_it_is() -> None:
    module, state = before_rewriting(*block("attention"))
    run_passes([RewriteAlgebraPass(nodes=10)], module, state)
    facts = state.facts["rewrite-algebra"]
    assert facts["stopped"] == "nodes"
    assert facts["after"]["kernels"] < facts["before"]["kernels"]


def test_an_unknown_rewrite_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown rewrite 'factor-in': expected one of commute-product, "):
        RewriteAlgebraPass(rules="factor-out+factor-in")


def test_an_operation_that_the_algebra_does_not_know_stays() -> None:
    made = context()
    dialects.register(made)
    text = """
      #id = affine_map<(p) -> (p)>
      func.func @main(%a: tensor<8xf32>) -> tensor<8xindex> {
        %e = tensor.empty() : tensor<8xindex>
        %y = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
            ins(%a : tensor<8xf32>) outs(%e : tensor<8xindex>) {
        ^bb0(%u: f32, %o: index):
          %i = linalg.index 0 : index
          linalg.yield %i : index
        } -> tensor<8xindex>
        return %y : tensor<8xindex>
      }"""
    module = parse(text, made)
    before = str(module)
    run_passes([RewriteAlgebraPass()], module, State(cpu_target("host"), WeightStore()))
    assert str(module) == before
    reading = _algebra_read.read(ops_in(module.body)[0].regions[0].blocks[0], WeightStore())
    assert [t.operator for t in reading.graph.terms] == ["leaf", "leaf"]
    assert reading.graph.terms[0] == Term("leaf", "", 0)


def test_fast_math_reaches_the_pass() -> None:
    def steps(fast: bool) -> list[Pass]:
        return [s.what for _, found in pipeline.cpu_steps(fast_math=fast) for s in found]

    assert RewriteAlgebraPass(fast_math=True) in steps(True)
    assert RewriteAlgebraPass() in steps(False)


class Factors(nn.Module):
    """A sum of products with a common factor."""

    def forward(self, a: torch.Tensor, b: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        return a * c + a * b


def test_fast_math_is_what_the_options_say() -> None:
    inputs = tuple(torch.randn(64, 64) for _ in range(3))
    flops = [
        cocomp.compile(Factors(), inputs, options=Options(fast_math=fast)).facts["rewrite-algebra"]["after"]["flops"]
        for fast in (False, True)
    ]
    assert flops == [3 * 64 * 64, 2 * 64 * 64]
