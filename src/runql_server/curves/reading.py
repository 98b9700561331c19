"""Reads curves: makes missing chunks a few at a time, and thins what there is to the pixels of a page."""

from __future__ import annotations

import math
import sqlite3
import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from runql_server.curves import extremes, rows
from runql_server.curves.extremes import Point
from runql_server.runs import curve_chunks, lines
from runql_server.runs.curve_chunks import LINES, LINES_OF_BLOCK, Axis, Level, Progress
from runql_server.storage.store import Store

CHUNKS_AT_ONCE = 8
"""Chunks that one request makes: a page asks again for the rest, and shows how far it is."""

_MOST_EXACT_CHUNKS = 5
"""Chunks whose rows are read for a narrow range of x; above that, extremes are exact enough for any screen."""


@dataclass(frozen=True)
class Curve:
    """Points of one key in the order of x; ``not_finite`` counts the NaN and infinities in the range.

    ``overlaps`` says that x goes back between chunks whose rows are not read: each block then has a wide range of x, and
    its extremes are those of its rows, not of a column of pixels.
    """

    key: str
    points: list[Point]
    not_finite: int
    overlaps: bool = False


@dataclass(frozen=True)
class Window:
    """The range of x that a page shows, and how many pixels wide it is."""

    start: float | None
    stop: float | None
    pixels: int


class ChunkMaker:
    """Makes missing chunks, for each run one request after another: many charts ask for the same rows at once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._guard = threading.Lock()
        self._locks: weakref.WeakValueDictionary[int, threading.Lock] = weakref.WeakValueDictionary()

    def advance(self, axis: Axis) -> Progress:
        """Make the next chunks of complete lines, and keep them; return what is kept afterwards."""
        seen, is_behind = self._look(axis)
        if not is_behind:
            return seen
        with self._lock_of(axis.run):
            now, is_behind = self._look(axis)
            # Another request has made some meanwhile.
            return now if now != seen or not is_behind else self._made(axis)

    def _lock_of(self, run: int) -> threading.Lock:
        # It lives as long as somebody makes chunks of this run or waits for them.
        with self._guard:
            return self._locks.setdefault(run, threading.Lock())

    def _look(self, axis: Axis) -> tuple[Progress, bool]:
        with self._store.reading() as connection:
            seen = curve_chunks.progress(connection, axis)
            # Changes of rows are counted from the first look on, for histories shorter than a chunk, too.
            is_new = seen.revision < 0 and lines.line_count(connection, axis.stream, axis.run) > 0
            return seen, is_new or bool(_next_chunks(connection, axis, seen))

    def _made(self, axis: Axis) -> Progress:
        with self._store.writing() as connection:
            curve_chunks.begin(connection, axis)
        with self._store.reading() as connection:
            before = curve_chunks.progress(connection, axis)
            numbers = _next_chunks(connection, axis, before)
            made = [each for number in numbers for each in rows.make(connection, axis, number)]
        with self._store.writing() as connection:
            curve_chunks.keep(connection, axis, before, made, len(numbers))
            return curve_chunks.progress(connection, axis)


def _next_chunks(connection: sqlite3.Connection, axis: Axis, before: Progress) -> range:
    complete = lines.line_count(connection, axis.stream, axis.run) // LINES
    return range(before.chunks, min(complete, before.chunks + CHUNKS_AT_ONCE))


def read(connection: sqlite3.Connection, axis: Axis, keys: Sequence[str], window: Window) -> list[Curve]:
    """Read curves: from the kept chunks, and from the rows after them unless there are too many.

    Rows that wait for chunks are not read: `ChunkMaker.advance` first, until no more than a chunk is missing.
    """
    kept = curve_chunks.progress(connection, axis)
    chunks = {
        key: curve_chunks.kept(connection, axis, key, start=window.start, stop=window.stop) for key in keys
    }
    few = {key for key, found in chunks.items() if len(found) <= _MOST_EXACT_CHUNKS}
    numbers = {each["chunk"] for key in few for each in chunks[key]}
    exact: dict[str, list[Point]] = {key: [] for key in keys}
    for number in sorted(numbers):
        _collect(connection, axis, number * LINES, {key: exact[key] for key in few})
    if lines.line_count(connection, axis.stream, axis.run) - kept.lines < LINES:
        _collect(connection, axis, kept.lines, exact)
    return [
        _curve(connection, axis, key, window, [] if key in few else chunks[key], exact[key]) for key in keys
    ]


def _collect(connection: sqlite3.Connection, axis: Axis, start: int, into: dict[str, list[Point]]) -> None:
    for row in rows.read(connection, axis, start, start + LINES):
        x = rows.at(row, axis.x)
        if x is None or not math.isfinite(x):
            continue
        for key, points in into.items():
            y = rows.at(row, key)
            if y is not None:
                points.append((x, y if math.isfinite(y) else math.nan))


def _curve(
    connection: sqlite3.Connection,
    axis: Axis,
    key: str,
    window: Window,
    chunks: Sequence[sqlite3.Row],
    exact: list[Point],
) -> Curve:
    edges = [x for x, _ in exact] + [each[name] for each in chunks for name in ("x_start", "x_stop")]
    if not edges:
        return Curve(key, [], 0)
    start = min(edges) if window.start is None else window.start
    stop = max(edges) if window.stop is None else window.stop
    pixels = extremes.Pixels(start, stop, window.pixels)
    numbers = [each["chunk"] for each in chunks]
    blocks = len(numbers) * LINES // LINES_OF_BLOCK["coarse"]
    # Blocks of chunks that share a range of x are wider than a pixel, however many they are.
    overlaps = _overlap(chunks)
    level: Level = "coarse" if blocks >= 2 * window.pixels and not overlaps else "fine"
    for number in numbers:
        pixels.add(extremes.points(curve_chunks.blocks(connection, axis, key, number, level)))
    pixels.add(exact)
    not_finite = sum(each["not_finite"] for each in chunks)
    not_finite += sum(1 for x, y in exact if start <= x <= stop and math.isnan(y))
    return Curve(key, pixels.points(), not_finite, overlaps)


def _overlap(chunks: Sequence[sqlite3.Row]) -> bool:
    return any(after["x_start"] < before["x_stop"] for before, after in pairwise(chunks))
