"""Where the boxes of a directed graph go on a page: layers from top to bottom (Sugiyama, Tagawa and Toda, 1981).

Each box lies below all that it hangs on; within layers boxes are ordered by the means of their neighbours,
then moved sidewards towards them as far as gaps allow. An edge that skips layers gets a point in each, one chain of
points for all edges of a box, so that lines pass between boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

Point = tuple[float, float]
SWEEPS = 6
"""Passes over all layers, downwards and upwards in turn; few crossings go after these."""
LINE_WEIGHT = 0.05
"""How much a point of a long edge insists on its place, beside a box: lines go around."""
PULL = 0.3
"""Share that the middle of the page has in where a box wants to be: chains of hundreds of layers do not lean."""


@dataclass(frozen=True)
class Drawing:
    """What `draw` finds: the upper left corner of each box, the lines of each box that something hangs on, and the size."""

    corners: list[Point]
    lines: dict[int, list[list[Point]]]
    """Box -> polylines from its lower edge to the upper edges of all that hang on it; they share what they have in common."""
    width: float
    height: float


@dataclass
class _Place:
    """A box, or a point of a long edge, in a layer."""

    width: float
    height: float
    above: list[int] = field(default_factory=list[int])
    below: list[int] = field(default_factory=list[int])
    x: float = 0.0
    """Of the middle."""
    weight: float = 1.0


def draw(
    sizes: Sequence[tuple[float, float]], reads: Sequence[Sequence[int]], gap: tuple[float, float] = (24.0, 40.0)
) -> Drawing:
    """Place boxes of `sizes` (width, height), box i hanging on earlier boxes `reads[i]`, with `gap` between neighbours and layers."""
    layer_of = _layers(reads)
    places = [_Place(w, h) for w, h in sizes]
    layers: list[list[int]] = [[] for _ in range(max(layer_of, default=-1) + 1)]
    for box, layer in enumerate(layer_of):
        layers[layer].append(box)
    _connect(places, layers, layer_of, reads)
    _order(places, layers)
    _align(places, layers, gap[0])
    tops = _tops(places, layers, gap[1])
    left = min((p.x - p.width / 2 for p in places), default=0.0)
    for place in places:
        place.x -= left
    corners = [(places[b].x - w / 2, tops[layer_of[b]]) for b, (w, _) in enumerate(sizes)]
    width = max((p.x + p.width / 2 for p in places), default=0.0)
    lines = _lines(places, layers, tops, corners, len(sizes))
    return Drawing(corners, lines, width, tops[-1] - gap[1] if layers else 0.0)


def _layers(reads: Sequence[Sequence[int]]) -> list[int]:
    """Layer of each box. One that hangs on nothing, or on one other, lies just above what needs it first: that makes no line
    longer, and what prepares a step of many lies beside that step."""
    layer_of: list[int] = []
    for sources in reads:
        layer_of.append(max((layer_of[s] + 1 for s in sources), default=0))
    needed: dict[int, int] = {}
    for box in reversed(range(len(reads))):
        if len(set(reads[box])) < 2 and box in needed:
            layer_of[box] = needed[box] - 1
        for source in reads[box]:
            needed[source] = min(needed.get(source, layer_of[box]), layer_of[box])
    return layer_of


def _connect(
    places: list[_Place], layers: list[list[int]], layer_of: Sequence[int], reads: Sequence[Sequence[int]]
) -> None:
    """Make neighbours know each other, through points where an edge skips layers."""
    chains: dict[int, list[int]] = {}
    for box, sources in enumerate(reads):
        for source in dict.fromkeys(sources):
            chain = chains.setdefault(source, [source])
            while layer_of[source] + len(chain) < layer_of[box]:
                layers[layer_of[source] + len(chain)].append(len(places))
                places.append(_Place(0.0, 0.0, [chain[-1]], weight=LINE_WEIGHT))
                places[chain[-1]].below.append(len(places) - 1)
                chain.append(len(places) - 1)
            last = chain[layer_of[box] - layer_of[source] - 1]
            places[last].below.append(box)
            places[box].above.append(last)


def _order(places: list[_Place], layers: list[list[int]]) -> None:
    """Sort each layer by the mean position of what lies above, or below, in turn."""
    position: dict[int, float] = {}
    for layer in layers:
        position.update((p, i) for i, p in enumerate(layer))
    for sweep in range(SWEEPS):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            means: dict[int, float] = {}
            for p in layer:
                near = places[p].above if sweep % 2 == 0 else places[p].below
                means[p] = sum(position[n] for n in near) / len(near) if near else position[p]
            layer.sort(key=lambda p: means[p])
            position.update((p, i - len(layer) / 2) for i, p in enumerate(layer))


def _align(places: list[_Place], layers: list[list[int]], gap: float) -> None:
    """Give each layer the places that are nearest to the means of its neighbours, in order and apart."""
    for sweep in range(SWEEPS + 1):
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            wanted = [_wanted(places, p, sweep) for p in layer]
            for p, x in zip(layer, _apart(wanted, [places[p] for p in layer], gap), strict=True):
                places[p].x = x


def _wanted(places: list[_Place], at: int, sweep: int) -> float:
    """Where a box or a point would be best: between its neighbours, boxes more so than points, and a box near the middle of the page."""
    place = places[at]
    near = [places[n] for n in (place.above if sweep % 2 == 0 else place.below)]
    if sweep == SWEEPS:
        near = [places[n] for n in (*place.above, *place.below)]
    if not near:
        return place.x
    mean = sum(n.x * n.weight for n in near) / sum(n.weight for n in near)
    return mean if place.weight == LINE_WEIGHT else mean * (1 - PULL)


def _apart(wanted: Sequence[float], row: Sequence[_Place], gap: float) -> list[float]:
    """Positions nearest to `wanted`, by weighted squares, that keep order and gaps: pools of neighbours that touch."""
    offsets = [0.0]
    for left, right in pairwise(row):
        offsets.append(offsets[-1] + (left.width + right.width) / 2 + gap)
    pools: list[tuple[float, float, int]] = []  # (mean, weight, members)
    for target, offset, place in zip(wanted, offsets, row, strict=False):
        pools.append((target - offset, place.weight, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (m2, w2, n2), (m1, w1, n1) = pools.pop(), pools.pop()
            pools.append(((m1 * w1 + m2 * w2) / (w1 + w2), w1 + w2, n1 + n2))
    means = [mean for mean, _, members in pools for _ in range(members)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=False)]


def _tops(places: list[_Place], layers: list[list[int]], gap: float) -> list[float]:
    """Upper edge of each layer, and of the one that would follow."""
    tops = [0.0]
    for layer in layers:
        tops.append(tops[-1] + max(places[p].height for p in layer) + gap)
    return tops


def _lines(
    places: list[_Place], layers: list[list[int]], tops: Sequence[float], corners: Sequence[Point], boxes: int
) -> dict[int, list[list[Point]]]:
    """Polylines of each box; a point of a long edge is a vertical line through its layer."""
    rows = {p: number for number, layer in enumerate(layers) for p in layer}
    lines: dict[int, list[list[Point]]] = {}
    for box in range(boxes):
        pending = [(box, (places[box].x, corners[box][1] + places[box].height))]
        for at, start in pending:
            for below in places[at].below:
                top = tops[rows[below]]
                if below < boxes:
                    lines.setdefault(box, []).append([start, (_port(places, below, at), top)])
                    continue
                bottom = tops[rows[below]] + max(places[p].height for p in layers[rows[below]])
                lines.setdefault(box, []).append([start, (places[below].x, top), (places[below].x, bottom)])
                pending.append((below, (places[below].x, bottom)))
    return lines


def _port(places: list[_Place], box: int, source: int) -> float:
    """Where on its upper edge a box is entered: those that enter it share the edge, from left to right."""
    entering = sorted(places[box].above, key=lambda p: places[p].x)
    share = places[box].width / (len(entering) + 1)
    return places[box].x - places[box].width / 2 + share * (entering.index(source) + 1)
