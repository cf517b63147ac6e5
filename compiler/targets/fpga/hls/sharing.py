"""Functions of C++ that differ in numbers, widths and tables alone become one, which is told them.

What writes a function marks these; functions whose texts are the same but for what is marked share the widest types, and take as arguments
what is not the same in all of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

_MARK = re.compile("\u27e8(.):([^\u27e9]*)\u27e9")
NUMBER, FACTOR, SUMMAND, WIDTH, ARRAY = "n*+wa"


def number(value: int) -> str:
    """An integer."""
    return f"\u27e8{NUMBER}:{value}\u27e9"


def factor(value: int) -> str:
    """Times an integer: nothing where that is 1."""
    return f"\u27e8{FACTOR}:{value}\u27e9"


def summand(value: int) -> str:
    """Plus an integer: nothing where that is 0."""
    return f"\u27e8{SUMMAND}:{value}\u27e9"


def width(bits: int) -> str:
    """Of a type, which may be wider."""
    return f"\u27e8{WIDTH}:{bits}\u27e9"


def array(name: str) -> str:
    """An array of the store, by its name there."""
    return f"\u27e8{ARRAY}:{name}\u27e9"


@dataclass(frozen=True)
class Shared:
    """A function for one sweep or several: `text` is its body, `parameters` and `calls` (by the sweep's name) begin with a comma each.
    `arrays` are those that it reads, by their names in C++: one of the store, or several side by side; of several it may have one at a time,
    which it `loads` from where its argument says."""

    name: str
    parameters: str
    text: str
    calls: dict[str, str]
    arrays: dict[str, tuple[str, ...]]
    loads: dict[str, str] = field(default_factory=dict[str, str])


Places = dict[str, int]
Load = Callable[[Sequence[str], Sequence[str]], Places | None]


def share(functions: Sequence[tuple[str, str]], load: Load = lambda arrays, functions: None) -> list[Shared]:
    """Names and marked bodies, in order; a shared function is where its first one was. `load` is asked of several arrays that functions read at
    the same place: where each is in memory, or None to have all of them at hand."""
    groups: dict[str, list[tuple[str, list[str]]]] = {}
    for name, text in functions:
        key = _MARK.sub(lambda mark: f"\u27e8{mark[1]}\u27e9", text)
        groups.setdefault(key, []).append((name, [mark[2] for mark in _MARK.finditer(text)]))
    texts, words = dict(functions), _Words()
    return [_shared(texts[members[0][0]], members, load, words) for members in groups.values()]


class _Words:
    """Names of the store in C++, none like another."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}

    def __call__(self, name: str) -> str:
        found = word(name)
        while self.known.setdefault(found, name) != name:
            found += "_"
        return found


def _shared(text: str, members: list[tuple[str, list[str]]], load: Load, words: _Words) -> Shared:
    """One function for members, which are names and what is marked in each of them."""
    first = members[0][0]
    columns = list(zip(*(values for _, values in members), strict=True))
    parameters: dict[tuple[str, ...], str] = {}
    arrays: dict[str, tuple[str, ...]] = {}
    loads: dict[str, str] = {}
    loaded: dict[tuple[str, ...], str] = {}
    place = iter(range(len(columns)))

    def parameter(values: tuple[str, ...]) -> str:
        return parameters.setdefault(values, f"p{len(parameters)}")

    def written(mark: re.Match[str]) -> str:
        kind, values = mark[1], columns[next(place)]
        is_same = len(set(values)) == 1
        if kind == WIDTH:
            return str(max(map(int, values)))
        if kind == ARRAY:
            names = tuple(dict.fromkeys(values))
            if is_same:
                arrays[words(names[0])] = names
                return words(names[0])
            places = load(names, [name for name, _ in members])
            if places is not None:
                found = loaded.setdefault(values, f"{first}_{len(arrays)}")
                arrays[found], loads[found] = names, parameter(tuple(str(places[v]) for v in values))
                return found
            found = next((a for a in arrays.keys() - loads if arrays[a] == names), f"{first}_{len(arrays)}")
            arrays[found] = names
            return f"{found}[{parameter(tuple(str(names.index(v)) for v in values))}]"
        if not is_same:
            return {NUMBER: "", FACTOR: " * ", SUMMAND: " + "}[kind] + parameter(values)
        value = int(values[0])
        if kind == FACTOR:
            return "" if value == 1 else f" * {value}"
        if kind == SUMMAND:
            return "" if value == 0 else f" {'-' if value < 0 else '+'} {abs(value)}"
        return literal(value)

    body = _MARK.sub(written, text)
    kinds = ["long long" if any(abs(int(v)) >= 1 << 31 for v in values) else "int" for values in parameters]
    names = [f"{kind} {name}" for kind, name in zip(kinds, parameters.values(), strict=True)]
    calls = {
        name: "".join(f", {literal(int(values[i]))}" for values in parameters) for i, (name, _) in enumerate(members)
    }
    if loads:
        names, calls = ["const four_t *parameters", *names], {n: f", parameters{told}" for n, told in calls.items()}
    return Shared(first, "".join(f", {n}" for n in names), body, calls, arrays, loads)


def literal(value: int) -> str:
    """An integer of C++."""
    text = str(value) if abs(value) < 1 << 31 else f"{value}LL"
    return f"({text})" if value < 0 else text


def word(name: str) -> str:
    """A name of the store as one of C++."""
    return "n_" + "".join(c if c.isalnum() else "_" for c in name)
