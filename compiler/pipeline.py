"""The road from an imported model to kernels: one straight list, a reason on each step."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from cocomp.passes.fusion.classify_mapping import ClassifyMappingPass
from cocomp.passes.fusion.form_groups import FormGroupsPass
from cocomp.passes.fusion.plan_fusion import PlanFusionPass
from cocomp.passes.gpu.bind_texels import BindTexelsPass
from cocomp.passes.gpu.choose_memory import ChooseMemoryPass
from cocomp.passes.gpu.place_groups import PlaceGroupsPass
from cocomp.passes.gpu.schedule_shades import ScheduleShadesPass
from cocomp.passes.gpu.settle_memory import SettleMemoryPass
from cocomp.passes.gpu.shade_contractions import ShadeContractionsPass
from cocomp.passes.gpu.shade_loops import ShadeLoopsPass
from cocomp.passes.gpu.split_bindings import SplitBindingsPass
from cocomp.passes.gpu.tune_memory import TuneMemoryPass
from cocomp.passes.gpu.tune_shades import TuneShadesPass
from cocomp.passes.hls.size_buffers import SizeBuffersPass
from cocomp.passes.hls.tile_to_device import TileToDevicePass
from cocomp.passes.hls.unfold_inputs import UnfoldInputsPass
from cocomp.passes.kernel.lower_contractions import LowerContractionsPass
from cocomp.passes.kernel.lower_loops import LowerLoopsPass
from cocomp.passes.kernel.lower_sequential import LowerSequentialPass
from cocomp.passes.kernel.lower_winograd import LowerWinogradPass
from cocomp.passes.kernel.prepare_winograd import PrepareWinogradPass
from cocomp.passes.kernel.schedule_contractions import ScheduleContractionsPass
from cocomp.passes.kernel.tune_contractions import TuneContractionsPass
from cocomp.passes.layout.eliminate_layout_transforms import EliminateLayoutTransformsPass
from cocomp.passes.layout.select_layout import SelectLayoutPass
from cocomp.passes.plan.assign_arena import AssignArenaPass
from cocomp.passes.plan.build_plan import BuildPlanPass
from cocomp.passes.plan.chain_kernels import ChainKernelsPass
from cocomp.passes.plan.merge_functions import MergeFunctionsPass
from cocomp.passes.quant.lower_to_integers import LowerToIntegersPass
from cocomp.passes.quant.quantise_activations import QuantiseActivationsPass
from cocomp.passes.quant.quantise_weights import QuantiseWeightsPass
from cocomp.passes.sparsity.encode_weights import EncodeWeightsPass
from cocomp.passes.sparsity.pack_weights import PackWeightsPass
from cocomp.passes.sparsity.raise_contractions import RaiseContractionsPass
from cocomp.passes.sparsity.reorder_rows import ReorderRowsPass
from cocomp.passes.tensor.crop_pads import CropPadsPass
from cocomp.passes.tensor.drop_casts import DropCastsPass
from cocomp.passes.tensor.fold_constants import FoldConstantsPass
from cocomp.passes.tensor.fold_scales import FoldScalesPass
from cocomp.passes.tensor.join_slices import JoinSlicesPass
from cocomp.passes.tensor.narrow_doubles import NarrowDoublesPass
from cocomp.passes.tensor.narrow_floats import NarrowFloatsPass
from cocomp.passes.tensor.rewrite_algebra import RewriteAlgebraPass
from cocomp.passes.tensor.share_pads import SharePadsPass
from cocomp.passes.tensor.split_results import SplitResultsPass
from cocomp.passes.tensor.split_strides import SplitStridesPass
from cocomp.passes.tensor.trim_padding import TrimPaddingPass
from cocomp.passes.tensor.turn_rolls import TurnRollsPass
from cocomp.support.passes import Pass, Upstream

from .phases import Phase, phase


@dataclass(frozen=True)
class Step:
    """A pass and why it stands where it does."""

    what: Pass
    reason: str


CLEAN = Upstream(pipeline="canonicalize,cse")
TO_SCHEDULES = [
    Step(FormGroupsPass(), "a kernel is a function"),
    Step(SelectLayoutPass(), "kernels are known: each says how it wants its operands"),
    Step(ScheduleContractionsPass(), "tiles depend on layouts"),
]
"""From planned kernels to schedules: what is done to two kernels that could be one, to measure them."""
FROM_SCHEDULES = [
    Step(BuildPlanPass(), "tensors become memory"),
    Step(PrepareWinogradPass(), "their weights are transformed when the model is created"),
    Step(PackWeightsPass(), "weights in the order of the tiles"),
    Step(LowerContractionsPass(), "gather-GEMM with its epilogue"),
    Step(LowerWinogradPass(), "minimal filtering with its epilogue"),
    Step(LowerLoopsPass(), "everything else that is a loop"),
    Step(LowerSequentialPass(), "scans and sorts, which are not"),
]
"""From schedules to kernels: what the tuner does to a kernel that it measures, too."""
PLACING = Step(AssignArenaPass(), "all buffers are known, and when they live")


Road = list[tuple[Phase, list[Step]]]
"""Phases with the steps that lead to them."""


def cpu_steps(
    fold: bool = True,
    precision: str = "f32",
    sparsity: str = "auto",
    tuner: TuneContractionsPass | None = None,
    fast_math: bool = False,
    without: Collection[str] = (),
    quantising: Sequence[Step] = (),
) -> Road:
    """The road to kernels for CPUs. Without `fold` constants are computed at run time: that is how constants themselves are
    evaluated. Without `tuner` schedules and kernels are those that cost models predict to be best; with it the latter may take a
    quarter of its time. `without` names what is not done, so that it can be told what that brings (`options.OPTIONAL`)."""
    chaining = [
        Step(ChainKernelsPass(), "the tasks of kernels are known: what falls into the same units shares a launch")
    ]
    strides = Step(SplitStridesPass(), "weights are final: stride one is what minimal filtering serves")
    splitting = [strides] if precision == "f32" else []
    planner = PlanFusionPass(fuse="fusion" not in without)
    if tuner is not None:
        planner = replace(planner, tune=True, seconds=tuner.seconds / 4, database=tuner.database, threads=tuner.threads)
    return [
        *_graph_steps(fold, precision, sparsity, fast_math, without, splitting, planner, quantising),
        (
            phase("laid-out"),
            [
                Step(
                    SelectLayoutPass(choose="layout" not in without),
                    "kernels are known: each says how it wants its operands",
                ),
                Step(MergeFunctionsPass(), "layouts are part of what makes two kernels equal"),
            ],
        ),
        (
            phase("kernels"),
            [
                Step(
                    ScheduleContractionsPass(force=sparsity.startswith("force")),
                    "tiles depend on layouts, packing depends on tiles",
                ),
                *([Step(tuner, "measuring knows what counting cannot")] if tuner else []),
                *FROM_SCHEDULES,
                *([] if "fusion" in without else chaining),
                PLACING,
            ],
        ),
    ]


TO_MEMORY = [
    Step(MergeFunctionsPass(), "what kernels are lowered to is asked once"),
    Step(ScheduleShadesPass(), "tiles say how kernels read"),
    Step(BuildPlanPass(), "tensors become memory"),
    Step(ShadeContractionsPass(), "gather-GEMM with its epilogue"),
    Step(ShadeLoopsPass(), "everything else that is a loop"),
    Step(SettleMemoryPass(), "how kernels read and write is known"),
]
"""From memory that was chosen to what can be had: what the tuner asks before it measures anything in it."""
FROM_SHADES = [
    Step(BuildPlanPass(), "tensors become memory"),
    Step(PackWeightsPass(), "weights in the order of the tiles"),
    Step(ShadeContractionsPass(), "gather-GEMM with its epilogue"),
    Step(ShadeLoopsPass(), "everything else that is a loop"),
    Step(LowerContractionsPass(), "what is left to the CPU is lowered as for CPUs: contractions,"),
    Step(LowerLoopsPass(), "loops,"),
    Step(LowerSequentialPass(), "scans and sorts"),
    Step(SettleMemoryPass(), "how kernels read and write is known: what is no image for all stays a buffer"),
    Step(BindTexelsPass(), "what memory is what is known"),
    Step(SplitBindingsPass(), "what is seen as a buffer is known, and how large"),
    Step(AssignArenaPass(alignment=256), "all buffers are known, and when they live"),
]
"""The same for GPUs, from tiles to kernels."""


def gpu_steps(
    precision: str = "f32",
    sparsity: str = "auto",
    tuner: TuneShadesPass | None = None,
    fast_math: bool = False,
    without: Collection[str] = (),
    memory: str = "auto",
    fallback: str = "none",
    quantising: Sequence[Step] = (),
) -> Road:
    """The road to kernels for GPUs: the same graph, other layouts and loops. With `fallback=cpu` what no GPU computes is lowered for the
    processor that drives it. With `tuner` memory is measured, too, in a quarter of its time."""
    settling: list[Step] = []
    if tuner is not None:
        settler = TuneMemoryPass(memory, tuner.seconds / 4, tuner.database, tuner.force, tuner.device)
        settling = [Step(settler, "measuring knows which memory is faster, and schedules are measured in it")]
    doubles = [
        Step(NarrowDoublesPass(fallback), "no phone's GPU computes in double precision, and constants are computed")
    ]
    return [
        *_graph_steps(
            True,
            precision,
            sparsity,
            fast_math,
            without,
            doubles,
            PlanFusionPass(fuse="fusion" not in without),
            quantising,
        ),
        (
            phase("laid-out"),
            [
                Step(PlaceGroupsPass(fallback), "kernels are known: some can only run on the CPU"),
                Step(
                    SelectLayoutPass(choose="layout" not in without, gather=True), "texels hold neighbouring channels"
                ),
                Step(ChooseMemoryPass(memory), "lines of images are strides of layouts"),
                *settling,
                Step(MergeFunctionsPass(), "layouts are part of what makes two kernels equal"),
            ],
        ),
        (
            phase("kernels"),
            [
                Step(
                    ScheduleShadesPass(force=sparsity.startswith("force")),
                    "tiles depend on layouts, packing depends on tiles",
                ),
                *([Step(tuner, "measuring knows what counting cannot")] if tuner else []),
                Step(
                    ScheduleContractionsPass(force=sparsity.startswith("force")),
                    "the CPU's contractions have no tile yet",
                ),
                *FROM_SHADES,
            ],
        ),
    ]


def quantising_steps(weights: str, activation_bits: int) -> list[Step]:
    """How a model is quantised that was not trained so; one that was stays as it is."""
    return [
        Step(QuantiseWeightsPass(weights), "weights are final: batch norms are part of them"),
        Step(QuantiseActivationsPass(activation_bits), "weights are rounded: activations are what they make"),
    ]


def fpga_steps(
    weights: str, activation_bits: int, device: str, fast_math: bool = False, without: Collection[str] = ()
) -> Road:
    """The road to an accelerator: the same graph, then integers and the memory of a device."""
    quantising = quantising_steps(weights, activation_bits)
    planner = PlanFusionPass(fuse=False)
    graph = _graph_steps(True, "f32", "off", fast_math, without, [], planner, quantising)
    return [
        *(part for part in graph if part[0].name in ("imported", "rewritten")),
        (
            phase("integers"),
            [Step(LowerToIntegersPass(weights), "what the model rounds is final: everything else is integers, too")],
        ),
        (
            phase("dataflow"),
            [
                Step(
                    UnfoldInputsPass(), "products are known: the engine reads channels of windows, or lines of matrices"
                ),
                Step(TileToDevicePass(device), "what is computed is known: find the engine that does it fastest"),
                Step(SizeBuffersPass(), "the engine is known: it says how tensors lie in memory, and when they live"),
            ],
        ),
    ]


def _graph_steps(
    fold: bool,
    precision: str,
    sparsity: str,
    fast_math: bool,
    without: Collection[str],
    last: list[Step],
    planner: PlanFusionPass,
    quantising: Sequence[Step],
) -> Road:
    """What is done to the graph, whatever it is computed on; `quantising` and `last`, once weights are final."""
    rewriting = [
        Step(FoldScalesPass(), "batch norm becomes part of the weights that precede it"),
        Step(RewriteAlgebraPass(fast_math), "contractions have their final form, and weights can still be combined"),
    ]
    folding = [
        *([] if "rewriting" in without else rewriting),
        Step(FoldConstantsPass(), "what hangs on weights alone is computed now"),
    ]
    narrowing = [Step(NarrowFloatsPass(), "weights are final: they are rounded once")]
    reordering = [Step(ReorderRowsPass(), "weights are final: rows that keep the same columns become neighbours")]
    return [
        (phase("imported"), []),
        (
            phase("rewritten"),
            [
                Step(CLEAN, "the importer leaves dead and repeated operations"),
                Step(
                    Upstream(pipeline="func.func(linalg-generalize-named-ops)"),
                    "one form for every loop: the rest sees no names",
                ),
                Step(DropCastsPass(), "all shapes are static: casts to dynamic ones only hide it"),
                Step(CropPadsPass(), "kernels write borders, they do not take any away"),
                Step(SplitResultsPass(), "a maximum without its position can be computed in any order"),
                Step(CLEAN, "generalising exposes common subexpressions"),
                Step(RaiseContractionsPass(), "every multiply-accumulate becomes one kind of operation"),
                Step(TrimPaddingPass(), "wide dilations on small images see padding only"),
                *(folding if fold else []),
                *quantising,
                *(reordering if fold and sparsity == "auto" else []),
                *(narrowing if precision == "f16" else []),
                *last,
                Step(
                    TurnRollsPass(), "concatenations are copied part by part, what only moves values is read in place"
                ),
                Step(JoinSlicesPass(), "for the same reason: parts of one tensor are read where they are"),
                Step(SharePadsPass(), "who reads what is final: a border is written with the tensor that it is around"),
                Step(CLEAN, "drop what folding left behind"),
            ],
        ),
        (
            phase("sparse"),
            [Step(EncodeWeightsPass(sparsity), "the zeros of every weight are final: find their structure")],
        ),
        (
            phase("fused"),
            [
                Step(
                    ClassifyMappingPass(), "operations are final: how each maps elements says what it may be fused with"
                ),
                Step(
                    EliminateLayoutTransformsPass(fuse="fusion" not in without),
                    "what moves values is a way of reading them before kernels are formed, or says why it is not",
                ),
                Step(planner, "decide kernels while tensors still are values"),
                Step(FormGroupsPass(), "a kernel is a function"),
            ],
        ),
    ]
