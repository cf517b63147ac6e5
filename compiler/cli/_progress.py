"""One line a phase with the time that it took: on a terminal, or anywhere with -v."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cocomp.support.passes import Instrument


class ProgressLines:
    """A context manager around a compilation; `phase_done` is the callback for the driver."""

    def __init__(self, verbose: bool) -> None:
        self.verbose = verbose
        self.terminal = sys.stderr.isatty()
        self.start = time.perf_counter()
        self._stack = ExitStack()
        self._status: Any = None

    def __enter__(self) -> ProgressLines:
        if self.terminal:
            from rich.console import Console

            self._status = self._stack.enter_context(Console(stderr=True).status("importing"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def phase_done(self, name: str, seconds: float) -> None:
        """Print the line of a phase that is over, and say on a terminal what comes next."""
        if self.terminal:
            self._status.console.print(f"[green]{name:>12}[/green] {seconds:7.2f} s", highlight=False)
            self._status.update(following(name))
        elif self.verbose:
            print(f"{name:>12} {seconds:7.2f} s", file=sys.stderr)

    def pass_done(self, text: str, seconds: float) -> None:
        """Print the line of a pass, for -v."""
        line = f"{'':>12} {seconds:7.2f} s  {text}"
        if self.terminal:
            self._status.console.print(line, style="dim", highlight=False, markup=False)
        else:
            print(line, file=sys.stderr)

    def news(self, text: str) -> None:
        """Say on a terminal what a pass is doing."""
        if self.terminal:
            self._status.update(text)

    def instruments(self) -> list[Instrument]:
        """What has to watch the passes: with -v they are listed."""
        from cocomp.support.instrument import TellNews, TellTimes

        return [TellNews(self.news), *([TellTimes(self.pass_done)] if self.verbose else [])]


def following(name: str) -> str:
    """What runs after the phase `name`."""
    from cocomp.phases import NAMES

    later = NAMES[NAMES.index(name) + 1 :] if name in NAMES else ()
    return f"{later[0]} ..." if later else "writing"
