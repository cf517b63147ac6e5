"""`benchmarks.sparse` without its processes: the rows, what MNN is told, the verdicts and their tables."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.contest import Result
from benchmarks.machine import Machine, Peak
from benchmarks.models import MODELS
from benchmarks.peers.adapter import Array
from benchmarks.peers.catalogue import COCOMP, DENSE, PEERS, SPARSE_PEERS
from benchmarks.peers.csr_gru import CsrGru
from benchmarks.peers.mnn_pruning import pruning_parameters, sparse_layers
from benchmarks.peers.sources import count_kept_flops
from benchmarks.pruned import ROWS, Goal, Row, all_but_the_first, find, pointwise
from benchmarks.sparse import choose, main, rivals
from benchmarks.sparse_report import Outcome, Run, Sizes, tables
from benchmarks.timing import summarise
from cocomp.passes.math.encodings import Encoding, find_encoding, parse_encoding

GOALS = (Goal("mnn-block4", 1.5), Goal(DENSE.name, 0.9, "FLOPs"), Goal("scipy", 5), Goal(DENSE.name, over="bytes"))
ROW = Row("small-block", "small", "block<4, 1>", 4, GOALS)


# ---- the rows ----


@pytest.mark.parametrize("row", ROWS.values(), ids=lambda row: row.name)
def test_a_row_names_what_there_is(row: Row) -> None:
    assert row.model in MODELS and row.name not in MODELS
    assert isinstance(parse_encoding(row.encoding), Encoding)
    assert {goal.against for goal in row.goals} <= {DENSE.name, *SPARSE_PEERS}
    assert find(row.name).factory == row.factory
    assert find(row.dense) is MODELS[row.model]


def test_controls_are_contenders() -> None:
    assert {peer.control for peer in SPARSE_PEERS.values()} - {None} <= SPARSE_PEERS.keys()
    assert SPARSE_PEERS["mnn-random"].requirements is PEERS["mnn"].requirements
    assert [peer.name for peer in rivals(ROW)] == ["mnn-block4", "mnn", "scipy"]
    assert not rivals(ROWS["vgg16-bcr-2x"])


def test_layers_are_chosen_by_their_kernels() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 3))
    assert all_but_the_first(network) == ["2", "3"]
    assert pointwise(network) == ["2"]


@pytest.mark.parametrize(("row", "size", "rate"), [("r2plus1d_18-kgs", 112, 3.23), ("s3d-kgs", 224, 1.84)])
def test_published_shares_of_3d_networks(row: str, size: int, rate: float) -> None:
    """Multiply-adds before and after, without weights: sizes are enough."""
    from benchmarks._torchvision import models

    rates = ROWS[row].rate
    assert isinstance(rates, Mapping)
    with torch.device("meta"):
        network = models.get_model(ROWS[row].model, weights=None).eval()
        clip = torch.empty(1, 3, 16, size, size)
    products: dict[str, int] = {}
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv3d):

            def count(layer: nn.Conv3d, _: object, output: torch.Tensor, name: str = name) -> None:
                products[name] = layer.weight.numel() * output[0, 0].numel()

            layer.register_forward_hook(count)
    network(clip)
    assert rates.keys() <= products.keys()
    left = sum(count / rates.get(name, 1) for name, count in products.items())
    assert sum(products.values()) / left == pytest.approx(rate, abs=0.01)


def test_a_pruned_model_keeps_the_norm_of_its_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(5)
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 16, 3), nn.BatchNorm2d(16)).eval()
    before = {name: float(parameter.detach().norm()) for name, parameter in network.named_parameters()}
    model = type(MODELS["gru"])("small", "", lambda: (network, (torch.randn(1, 3, 8, 8),)))
    monkeypatch.setitem(MODELS, "small", model)
    row = Row("small-bcr", "small", "bcr<16, all>", 4, (), all_but_the_first)
    pruned, _ = row.factory()
    assert {n: float(p.detach().norm()) for n, p in pruned.named_parameters()} == pytest.approx(before)
    weight = pruned.get_parameter("1.weight").detach()
    assert str(find_encoding((weight != 0).flatten(2).numpy())) == "bcr<16, 72>"
    assert float((weight != 0).float().mean()) == 0.25
    assert "1.weight_mask" not in pruned.state_dict()


def test_rows_are_chosen_by_name_and_by_model() -> None:
    assert choose(None, None) == list(ROWS.values())
    assert [row.name for row in choose("gru-*,vgg16-bcr-2x", None)] == [
        "vgg16-bcr-2x",
        "gru-bcr-10x",
        "gru-bcr-29x",
        "gru-bcr-103x",
    ]
    assert {row.model for row in choose(None, "c3d,s3d")} == {"c3d", "s3d"}
    assert [row.name for row in choose("*-kgs", "c3d")] == ["c3d-kgs"]
    with pytest.raises(ValueError, match="expected some of .*gru-bcr-10x.*, got lstm"):
        choose("gru-*,lstm", None)


def test_an_unknown_row_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--models", "lstm"])
    assert ended.value.code == 2
    assert "got lstm" in capsys.readouterr().err


# ---- peers ----


def test_what_mnn_is_told() -> None:
    assert pruning_parameters(1).hex(" ") == "0a 05 30 2e 30 2e 30 12 06 08 01 1a 02 08 00"
    assert pruning_parameters(4).hex(" ") == "0a 05 30 2e 30 2e 30 12 0a 08 01 1a 06 08 01 1a 02 20 04"


def test_operations_without_zeros() -> None:
    network = nn.Sequential(nn.Conv2d(4, 8, 3, groups=2, stride=2), nn.Flatten(), nn.Linear(8 * 3 * 3, 5))
    recurrent = nn.GRU(6, 8, batch_first=True)
    with torch.no_grad():
        network[0].get_parameter("weight")[:2] = 0
        recurrent.get_parameter("weight_hh_l0")[:, 4:] = 0
        assert count_kept_flops(network, (torch.randn(1, 4, 7, 7),)) == 2 * (9 * 6 * 2 * 9 + 72 * 5)
        assert count_kept_flops(recurrent, (torch.randn(1, 3, 6),)) == 2 * 3 * (24 * 6 + 24 * 4)


def test_sparse_layers_of_a_converted_file(tmp_path: Path) -> None:
    file = tmp_path / "model.mnn"
    file.write_bytes(b"\0NNZElement\0sparseBlockOC" * 3)
    assert sparse_layers(file) == 3


class DenseGru(CsrGru):
    """The network with numpy's products."""

    products = 0

    def matrix(self, dense: Array) -> Array:
        return dense

    def operand(self, array: Array) -> Array:
        return array

    def product(self, matrix: Array, operand: Array) -> Array:
        self.products += 1
        return matrix @ operand


def test_a_gru_of_products(tmp_path: Path) -> None:
    torch.manual_seed(7)
    network = nn.GRU(6, 8, num_layers=2, batch_first=True)
    weights = {f"network.{name}": value.numpy() for name, value in network.state_dict().items()}
    np.savez(tmp_path / "weights.npz", **weights)  # pyright: ignore[reportArgumentType]
    clip = torch.randn(1, 5, 6)
    inputs = [clip.numpy()]
    adapter = DenseGru()
    adapter.load(tmp_path / "weights.npz", 1, inputs)
    first = adapter.run(inputs)
    with torch.no_grad():
        assert np.allclose(first, network(clip)[0].numpy(), atol=1e-6)
    assert adapter.products == 2 * (1 + 5)
    assert adapter.run(inputs) is first
    assert adapter.products == 2 * 2 * (1 + 5)
    assert adapter.run([inputs[0].copy()]) is not first


# ---- the verdicts ----


def result(contender: str, milliseconds: float | None, error: float, digest: str) -> Result:
    times = None if milliseconds is None else summarise([milliseconds])
    reason = None if times else "it died"
    return Result("small-block", 2, contender, times, reason, error=error, digest=digest)


def outcome(row: Row = ROW) -> Outcome:
    results = (
        result(COCOMP.name, 2, 1e-6, "a"),
        result(DENSE.name, 7, 1e-6, "b"),
        result("mnn-block4", 3.5, 2e-6, "c"),
        result("mnn", 7, 2e-6, "d"),
        result("scipy", None, 1e-6, "e"),
    )
    return Outcome(
        row, Sizes(400, 400, 900, 1000), Sizes(100, 80, 300, 500), results, {"mnn-block4": 34}, {"mnn": "no wheel"}
    )


def test_verdicts() -> None:
    against_mnn, against_dense, for_bytes = outcome().verdicts()
    assert (against_mnn.speed_up, against_mnn.reached, against_mnn.met) == (1.75, 1.75, True)
    assert (against_dense.speed_up, against_dense.rate, against_dense.met) == (3.5, 4, False)
    assert (for_bytes.rate, for_bytes.met) == (3, None)


def test_an_engine_beside_itself_without_skipping() -> None:
    (skipping,) = outcome().skipping()
    assert (skipping.engine, skipping.layers, skipping.same_bits) == ("mnn-block4", 34, False)
    assert (skipping.milliseconds, skipping.control_milliseconds) == (3.5, 7)
    assert skipping.disagreement == pytest.approx(3e-6)


def test_tables_and_json() -> None:
    machine = Machine("a processor", 16, {}, (Peak(2, 100, {}),))
    failed = Outcome(ROW, None, None, (), {}, {COCOMP.name: "cocomp failed: exit 1"})
    run = Run(machine, 3, (2,), (outcome(), failed))
    goals, sizes, engines, absent = tables(run)
    assert goals.rows[1] == (
        "small-block", "2", "2", "cocomp, not pruned", "7", "3.50", "FLOPs 4.00", "0.88", "0.9", "no",
    )  # fmt: skip
    assert goals.rows[0][-4:] == ("-", "-", "1.5", "yes")
    assert goals.rows[2][-2:] == ("-", "-")
    assert sizes.rows == (("small-block", "block<4, 1>", "4", "5", "3", "0.00", "0.00", "0.00", "0.00", "1.0e-06"),)
    assert engines.rows[0][3:8] == ("34", "3.5", "7", "2.00", "no")
    assert [row[2:] for row in absent.rows] == [
        ("MNN", "no wheel"),
        ("SciPy CSR", "it died"),
        ("cocomp", "cocomp failed: exit 1"),
    ]
    (row, _) = run.to_json()["rows"]  # pyright: ignore[reportGeneralTypeIssues]
    assert row["flops_rate"] == 4 and row["byte_rate"] == 3
    assert row["goals"][1]["goal"] == {"against": "dense", "least": 0.9, "over": "FLOPs"}
    assert row["engines"][0]["layers"] == 34
