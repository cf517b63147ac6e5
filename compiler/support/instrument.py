"""Instruments that watch a pipeline for the tools: printing the module, and keeping it as a pass found it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .mlir import ir
from .passes import Instrument, Pass


def pass_name(step: Pass) -> str:
    """What a pass is called in a pipeline, without its options."""
    return str(step).partition("{")[0]


@dataclass(frozen=True)
class PrintAfter(Instrument):
    """Print the module to stderr after the passes named; `all` names every one."""

    names: Sequence[str]

    def after(self, step: Pass, module: ir.Module, seconds: float) -> None:
        if pass_name(step) in self.names or "all" in self.names:
            print(f"// after {step} ({seconds * 1e3:.1f} ms)\n{module.operation.get_asm()}", file=sys.stderr)


@dataclass(frozen=True)
class TellTimes(Instrument):
    """Tell somebody what every pass took."""

    tell: Callable[[str, float], None]

    def after(self, step: Pass, module: ir.Module, seconds: float) -> None:
        self.tell(str(step), seconds)


@dataclass(frozen=True)
class TellNews(Instrument):
    """Tell somebody what passes that take long are doing."""

    tell: Callable[[str], None]

    def news(self, text: str) -> None:
        self.tell(text)
