"""What a user may choose about a compilation."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
from dataclasses import dataclass, field
from pathlib import Path

from cocomp.support.diagnostics import UsageError

from .phases import NAMES

PRECISIONS = ("f32", "f16")
MEMORIES = ("auto", "texture", "buffer")
FALLBACKS = ("none", "cpu")
FPGA = "fpga-hls"
DEVICE = "xc7z045"
OPTIONAL = ("rewriting", "fusion", "layout")
"""What a compilation can do without: scales and algebra, kernels and launches of more than one operator, layouts that are not row-major."""


@dataclass(frozen=True)
class Options:
    """Frozen; `str(options)` parses back (`Options.parse`), and its hash is a cache key."""

    target: str = "host"
    cpu: str = ""
    """Processor, or family of GPUs, as `-mcpu` names it; empty for the target's default."""
    precision: str = "f32"
    """`f32`, or `f16` for half-precision storage and arithmetic."""
    sparsity: str = "auto"
    """Zeros of weights: `auto`, left out where that is faster; `off`; or `force:ENCODING`, left out everywhere, and every
    weight with zeros has to have that encoding."""
    memory: str = "auto"
    """Of tensors between the kernels of a GPU: `texture`, images wherever one can be, `buffer`, or `auto`, as the GPU likes it."""
    fallback: str = "none"
    """Of kernels that GPUs cannot compute: `none`, they are an error, or `cpu`, the processor that drives the GPU runs them."""
    quantize: str = ""
    """Levels of weights, and of what contractions read: `rmsmp`, `rmsmp:65:30:5`, or a quantiser such as `fixed<4>`; empty for none."""
    activation_bits: int = 4
    """Of what contractions read where it is quantised; what hangs on none of them has eight."""
    device: str = ""
    """FPGA that an accelerator is made for, with `fpga-hls`."""
    fast_math: bool = False
    """Whether rewriting may round otherwise, overflow elsewhere, or assume that roots have no negative operands."""
    tune: float | None = None
    """Seconds to measure schedules and kernels for on this machine; 0 to take those in the database and measure nothing, None to take what
    the cost model predicts."""
    without: tuple[str, ...] = ()
    """Those of OPTIONAL that are left out, to tell what they bring; in the order of OPTIONAL, each once."""
    compile_to: str = "target"
    """Phase to stop after."""
    tune_database: Path | None = field(default=None, compare=False)
    """File with what was measured; None for one in the user's cache."""
    threads: int = field(default=0, compare=False)
    """Threads that schedules are measured with; 0 for all processors."""
    dump_ir: Path | None = field(default=None, compare=False)
    """Directory for the IR after every phase."""
    workers: int = field(default=0, compare=False)
    """Processes for code generation; 0 for all processors."""

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise UsageError(f"unknown precision '{self.precision}': expected one of {', '.join(PRECISIONS)}")
        if self.memory not in MEMORIES:
            raise UsageError(f"unknown memory '{self.memory}': expected one of {', '.join(MEMORIES)}")
        if self.fallback not in FALLBACKS:
            raise UsageError(f"unknown fallback '{self.fallback}': expected one of {', '.join(FALLBACKS)}")
        if self.sparsity not in ("auto", "off"):
            from cocomp.passes.math.encodings import parse_sparsity  # needs numpy: not for --help

            try:
                parse_sparsity(self.sparsity)
            except ValueError as error:
                raise UsageError(str(error)) from None
        object.__setattr__(self, "quantize", self.quantize.replace(" ", ""))
        if self.quantize:
            from cocomp.passes.math.quantisers.rows import parse_mixture

            try:
                parse_mixture(self.quantize)
            except ValueError as error:
                raise UsageError(str(error)) from None
        if not 2 <= self.activation_bits <= 16:
            raise UsageError(f"expected 2 to 16 bits for activations, got {self.activation_bits}")
        if self.target == FPGA:
            self._check_fpga()
        elif self.device:
            raise UsageError(f"expected no --device={self.device} with -target={self.target}: only {FPGA} has some")
        if self.tune is not None and not 0 <= self.tune < math.inf:
            raise UsageError(f"expected a number of seconds from 0 to tune for, got {self.tune:g}")
        if self.tune is None and self.tune_database is not None:
            raise UsageError("expected --tune=SECONDS with --tune-database; --tune=0 takes what is in it")
        for name in self.without:
            if name not in OPTIONAL:
                raise UsageError(f"cannot do without '{name}': expected some of {', '.join(OPTIONAL)}")
        object.__setattr__(self, "without", tuple(name for name in OPTIONAL if name in self.without))
        if self.compile_to not in NAMES:
            raise UsageError(f"unknown phase '{self.compile_to}': expected one of {', '.join(NAMES)}")

    def _check_fpga(self) -> None:
        """What an accelerator has to be given, and what has no meaning for it."""
        from cocomp.passes.math.accelerator.devices import find_device  # needs numpy: not for --help

        if not self.quantize:
            raise UsageError(f"expected --quantize=rmsmp or a quantiser such as fixed<4> with -target={FPGA}")
        if self.activation_bits not in (4, 8):
            raise UsageError(f"expected --activation-bits=4 or 8 with -target={FPGA}, got {self.activation_bits}")
        try:
            find_device(self.device or DEVICE)
        except ValueError as error:
            raise UsageError(str(error)) from None
        object.__setattr__(self, "device", self.device or DEVICE)
        for name, found, none in (
            ("-mcpu", self.cpu, ""), ("--precision", self.precision, "f32"), ("--memory", self.memory, "auto"),
            ("--fallback", self.fallback, "none"), ("--tune", self.tune, None), ("--sparsity", self.sparsity, "auto"),
        ):  # fmt: skip
            if found != none:
                raise UsageError(f"expected no {name}={found} with -target={FPGA}: it says nothing of an accelerator")

    def __str__(self) -> str:
        chosen = [(f.name, getattr(self, f.name)) for f in dataclasses.fields(self) if f.compare]
        texts = [f"{name.replace('_', '-')}={_format(value)}" for name, value in chosen if value not in ("", None, ())]
        return " ".join(texts)

    @classmethod
    def parse(cls, text: str) -> Options:
        """The options whose text form is `text`."""
        known = {f.name for f in dataclasses.fields(cls) if f.compare}
        values: dict[str, str | int | float | bool | tuple[str, ...]] = {}
        for item in text.split():
            key, separator, value = item.partition("=")
            name = key.replace("-", "_")
            if not separator or name not in known:
                raise UsageError(
                    f"unknown option '{item}': expected key=value with a key of {', '.join(sorted(known))}"
                )
            read = {"tune": _seconds, "fast_math": _truth, "without": names, "activation_bits": _bits}.get(name, str)
            values[name] = read(value)
        return cls(**values)  # pyright: ignore[reportArgumentType]

    @property
    def digest(self) -> str:
        """Hash of everything that changes the result."""
        return hashlib.sha256(str(self).encode()).hexdigest()

    @property
    def processes(self) -> int:
        """Processes to generate code with."""
        return self.workers or len(os.sched_getaffinity(0))


def names(text: str) -> tuple[str, ...]:
    """Names between commas."""
    return tuple(filter(None, text.replace(" ", "").split(",")))


def _format(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise UsageError(f"expected a number of seconds from 0 to tune for, got '{text}'") from None


def _bits(text: str) -> int:
    if not text.isdecimal():
        raise UsageError(f"expected 2 to 16 bits for activations, got '{text}'")
    return int(text)


def _truth(text: str) -> bool:
    if text not in ("true", "false"):
        raise UsageError(f"expected true or false for fast-math, got '{text}'")
    return text == "true"
