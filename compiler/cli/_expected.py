"""`--verify-diagnostics`: comments of a test that say which diagnostics it expects, as mlir-opt reads them.

    // expected-error @+1 {{expected ranked tensors}}

Kinds are error, warning, remark and note; places are `@+N`, `@-N`, `@above`, `@below`, `@unknown`, or the comment's own
line. The text has to be a part of the message; with `expected-error-re` the parts in `{{ }}` inside it are patterns.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

COMMENT = re.compile(
    r"expected-(?P<kind>error|warning|remark|note)(?P<pattern>-re)?\s*"
    r"(?P<place>@(?:[+-]\d+|above|below|unknown))?\s*(?P<count>\d+)?\s*\{\{(?P<text>(?:\{\{.*?\}\}|.)*?)\}\}(?!\})"
)


@dataclass(frozen=True)
class Diagnostic:
    """Something that was reported: its kind, its line (None where it has no place in the file) and its text."""

    kind: str
    line: int | None
    message: str


@dataclass(frozen=True)
class Expectation:
    """Something that a comment expects."""

    kind: str
    line: int | None
    text: str
    is_pattern: bool = False

    def matches(self, found: Diagnostic) -> bool:
        """Whether a diagnostic is the expected one: kind, line, and the text somewhere in its message."""
        if (self.kind, self.line) != (found.kind, found.line):
            return False
        if not self.is_pattern:
            return self.text in found.message
        parts = re.split(r"\{\{(.*?)\}\}", self.text)
        return re.search("".join(p if i % 2 else re.escape(p) for i, p in enumerate(parts)), found.message) is not None


def expectations(text: str) -> list[Expectation]:
    """What the comments of `text` expect; lines count from 1."""
    lines = text.splitlines()
    found: list[Expectation] = []
    for number, line in enumerate(lines, 1):
        for comment in COMMENT.finditer(line):
            place = _line(comment.group("place"), number, lines)
            wanted = Expectation(
                comment.group("kind"), place, comment.group("text"), comment.group("pattern") is not None
            )
            found += [wanted] * int(comment.group("count") or 1)
    return found


def _line(place: str | None, number: int, lines: Sequence[str]) -> int | None:
    if place is None:
        return number
    if place == "@unknown":
        return None
    if place in ("@above", "@below"):
        step = 1 if place == "@below" else -1
        number += step
        while 0 < number <= len(lines) and COMMENT.search(lines[number - 1]):
            number += step
        return number
    return number + int(place[1:])


def complaints(text: str, reported: Sequence[Diagnostic]) -> list[Diagnostic]:
    """What differs between the comments of `text` and what was reported; notes may go unmentioned."""
    open_ = list(reported)
    wrong: list[Diagnostic] = []
    for wanted in expectations(text):
        hit = next((d for d in open_ if wanted.matches(d)), None)
        if hit is None:
            wrong.append(Diagnostic("error", wanted.line, f'expected {wanted.kind} "{wanted.text}" was not produced'))
        else:
            open_.remove(hit)
    return wrong + [Diagnostic("error", d.line, f"unexpected {d.kind}: {d.message}") for d in open_ if d.kind != "note"]
