"""What a pass is, how a pipeline is written, and who watches it run.

A pass is a frozen dataclass: its fields are its options, `str(pass)` is its text form, and the text form parses back.
A pipeline mixes our passes with upstream's; a name that is not ours goes to MLIR's own pass manager.
"""

from __future__ import annotations

import dataclasses
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self, get_type_hints

from .diagnostics import CompileError, InternalError, UsageError
from .machine import CpuTarget, Target
from .mlir import ir, run_upstream
from .weights import WeightStore


@dataclass
class State:
    """What passes share beside the module."""

    target: Target
    weights: WeightStore = field(default_factory=WeightStore)
    evaluate: Callable[[ir.Module, WeightStore], list[Any]] | None = None
    """Runs a module whose arguments are all weights and returns its results: how constants are folded."""
    examples: Sequence[Any] = ()
    """Values of the model's inputs, in order: what activations are measured with. Empty where none are known."""
    measure: Callable[[ir.Module, WeightStore, Target, int, float], Any] | None = None
    """Compiles a scheduled module whose arguments are all weights and runs it here, on so many threads and for about so many
    seconds: nanoseconds[rounds, calls]. How schedules are tuned."""
    schedule: Callable[[ir.Module, WeightStore, Target], None] | None = None
    """Takes a module whose operations say of which kernel they are a part to where `measure` takes it."""
    settle: Callable[[ir.Module, WeightStore, Target], None] | None = None
    """Takes a module whose tensors have memory to where it is known which of them are images."""
    measured: float = 0.0
    """Seconds that measuring has taken so far: passes share them."""
    tell: Callable[[str], None] = lambda _text: None
    """Takes what a pass that takes long is doing, for who watches."""
    facts: dict[str, Any] = field(default_factory=dict[str, Any])
    """What passes found out and the report shows, by the pass's name."""

    @property
    def processor(self) -> CpuTarget:
        """What runs kernels for processors: the target, or what drives the GPU that is the target."""
        found = self.target if isinstance(self.target, CpuTarget) else self.target.driver
        assert found is not None
        return found


@dataclass(frozen=True)
class Pass(ABC):
    """One transformation of a module. The docstring shows before and after, what it needs and what it leaves."""

    name: ClassVar[str]

    @abstractmethod
    def run(self, module: ir.Module, state: State) -> None:
        """Change `module` in place."""

    def __str__(self) -> str:
        options = [
            f"{f.name.replace('_', '-')}={_format(getattr(self, f.name))}"
            for f in dataclasses.fields(self)
            if getattr(self, f.name) != f.default
        ]
        return f"{self.name}{{{' '.join(options)}}}" if options else self.name

    @classmethod
    def from_options(cls, text: str) -> Self:
        """Build from `key=value key=value`."""
        known = {f.name: f for f in dataclasses.fields(cls)}
        types = get_type_hints(cls)
        values: dict[str, Any] = {}
        for item in text.split():
            key, separator, value = item.partition("=")
            option = key.replace("-", "_")
            if not separator or option not in known:
                names = ", ".join(n.replace("_", "-") for n in known) or "none"
                raise UsageError(f"pass '{cls.name}': expected key=value with a key of ({names}), got '{item}'")
            values[option] = _parse_value(cls.name, key, value, types[option])
        return cls(**values)


def _format(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _parse_value(owner: str, key: str, text: str, kind: type) -> object:
    if kind is bool:
        if text not in ("true", "false"):
            raise UsageError(f"pass '{owner}': expected true or false for '{key}', got '{text}'")
        return text == "true"
    try:
        return kind(text)
    except ValueError:
        raise UsageError(f"pass '{owner}': expected {kind.__name__} for '{key}', got '{text}'") from None


@dataclass(frozen=True)
class Upstream(Pass):
    """A pipeline fragment that MLIR's own pass manager runs."""

    name: ClassVar[str] = "upstream"
    pipeline: str = ""

    def run(self, module: ir.Module, state: State) -> None:
        run_upstream(module, self.pipeline)

    def __str__(self) -> str:
        return self.pipeline


def split_pipeline(text: str) -> list[str]:
    """Cut at the commas that no bracket encloses."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(text):
        depth += (character in "({[<") - (character in ")}]>")
        if depth < 0:
            raise UsageError(f"unbalanced bracket at position {position} of the pipeline '{text}'")
        if character == "," and depth == 0:
            parts.append(text[start:position].strip())
            start = position + 1
    if depth:
        raise UsageError(f"unbalanced bracket in the pipeline '{text}'")
    parts.append(text[start:].strip())
    return [part for part in parts if part]


def parse_pipeline(text: str, known: Mapping[str, type[Pass]]) -> list[Pass]:
    """Passes of a pipeline text such as `form-groups,canonicalize,select-layout{padding=false}`."""
    passes: list[Pass] = []
    for part in split_pipeline(text):
        name, _, rest = part.partition("{")
        if name in known:
            passes.append(known[name].from_options(rest.removesuffix("}")))
        else:
            passes.append(Upstream(part))
    return passes


class Instrument:
    """Watches a pipeline. Timing, dumping and verifying are instruments; passes know nothing of them."""

    def before(self, step: Pass, module: ir.Module) -> None:
        """Called before each pass."""

    def after(self, step: Pass, module: ir.Module, seconds: float) -> None:
        """Called after each pass that succeeded."""

    def news(self, text: str) -> None:
        """Called with what a pass that takes long is doing."""


class VerifyAfter(Instrument):
    """Every pass must leave a valid module."""

    def after(self, step: Pass, module: ir.Module, seconds: float) -> None:
        try:
            module.operation.verify()
        except ir.MLIRError as error:
            raise InternalError(f"the module is invalid after '{step}': {error}") from error


def run_passes(
    passes: Iterable[Pass], module: ir.Module, state: State, instruments: Sequence[Instrument] = (VerifyAfter(),)
) -> None:
    """Run passes in order; whatever is neither a CompileError nor an InternalError becomes the latter, naming the pass."""
    for step in passes:
        for instrument in instruments:
            instrument.before(step, module)
        start = time.perf_counter()
        try:
            with module.context, ir.Location.unknown():
                step.run(module, state)
        except (CompileError, InternalError, UsageError):
            raise
        except Exception as error:
            raise InternalError(f"pass '{step}' failed: {type(error).__name__}: {error}") from error
        seconds = time.perf_counter() - start
        for instrument in instruments:
            instrument.after(step, module, seconds)
