"""The extremes of blocks of points, and of the columns of pixels: no peak is lost, however few points are drawn."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

# Of each block: x and y of its lowest point, then of its highest. Both y are NaN where no number is finite.
WIDTH = 4
Point = tuple[float, float]


def of_blocks(xs: Sequence[float], ys: Sequence[float | None], size: int) -> array[float]:
    """Return the extremes of each ``size`` points; a block without a value has none."""
    found = array("d")
    for start in range(0, len(ys), size):
        found.extend(_of_block(xs, ys, start, min(start + size, len(ys))))
    return found


def joined(blocks: array[float], count: int) -> array[float]:
    """Return the extremes of each ``count`` neighbouring blocks."""
    found = array("d")
    step = count * WIDTH
    for start in range(0, len(blocks), step):
        part = blocks[start : start + step]
        ys: list[float | None] = list(part[1::2])
        found.extend(_of_block(part[0::2], ys, 0, len(ys)))
    return found


def points(blocks: array[float]) -> Iterator[Point]:
    """Yield the points of the blocks."""
    return zip(blocks[0::2], blocks[1::2], strict=True)


def _of_block(
    xs: Sequence[float], ys: Sequence[float | None], start: int, stop: int
) -> tuple[float, float, float, float] | tuple[()]:
    present = [(y, index) for index in range(start, stop) if (y := ys[index]) is not None]
    if not present:
        return ()
    finite = [each for each in present if math.isfinite(each[0])]
    if not finite:
        return (xs[present[0][1]], math.nan, xs[present[-1][1]], math.nan)
    # Of equal extremes the first lowest and the last highest, so that a level stretch keeps both of its ends.
    low, at_low = min(finite)
    high, at_high = max(finite)
    return (xs[at_low], low, xs[at_high], high)


@dataclass
class Pixels:
    """Columns of pixels between two values of x; each keeps its lowest and its highest point.

    Points outside are left out, but for the nearest on either side: the line goes on to the edge.
    """

    start: float
    stop: float
    columns: int
    _lowest: dict[int, Point] = field(default_factory=dict[int, Point], init=False)
    _highest: dict[int, Point] = field(default_factory=dict[int, Point], init=False)
    _before: Point | None = field(default=None, init=False)
    _after: Point | None = field(default=None, init=False)

    def add(self, points: Iterable[Point]) -> None:
        """Add points, in any order."""
        start, stop, lowest, highest = self.start, self.stop, self._lowest, self._highest
        scale = self.columns / (stop - start) if stop > start else 0.0
        for point in points:
            x, y = point
            if x < start:
                self._before = point if self._before is None or x >= self._before[0] else self._before
                continue
            if x > stop:
                self._after = point if self._after is None or x < self._after[0] else self._after
                continue
            column = int((x - start) * scale)
            low = lowest.get(column)
            if low is None or math.isnan(low[1]):
                lowest[column] = highest[column] = point
            elif y < low[1]:
                lowest[column] = point
            elif y >= highest[column][1]:
                highest[column] = point

    def points(self) -> list[Point]:
        """Return the points in the order of x."""
        inside = {*self._lowest.values(), *self._highest.values()}
        edges = [edge for edge in (self._before, self._after) if edge is not None]
        return sorted([*inside, *edges], key=lambda point: point[0])
