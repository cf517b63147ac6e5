"""Errors that a user can act on: what went wrong, where in the model, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass
class CompileError(Exception):
    """The input is rejected. The message is a lower-case sentence; notes carry the remedy.

    `where` names the place in the user's terms: a module path and source line, or a file.
    """

    message: str
    where: str = ""
    notes: Sequence[str] = ()

    def __str__(self) -> str:
        head = f"{self.where}: {self.message}" if self.where else self.message
        return "\n".join([head, *(f"note: {note}" for note in self.notes)])


class InternalError(Exception):
    """The compiler broke one of its own rules: never the user's fault."""

    def __init__(self, message: str, reproducer: str = "") -> None:
        super().__init__(message)
        self.reproducer = reproducer
        """A command line that shows the failure again, where one could be written."""


class UsageError(Exception):
    """The command line or the call itself is wrong."""


def first_line(error: BaseException) -> str:
    """The first line of an error's message that says something, or what kind of error it is."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
