"""Chunks of curves in the database: the extremes of each key, kept until one of their rows changes."""

# ruff: noqa: S608 - table names come from a closed set; values are always bound

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

Stream = Literal["history", "events"]

LINES = 4096
"""Lines of a chunk."""

MOST_AXES = 8
"""Keys along the x axis whose chunks are kept for one run, besides those that every run has."""

Level = Literal["coarse", "fine"]
LINES_OF_BLOCK: Final[dict[Level, int]] = {"coarse": 256, "fine": 32}
"""Lines of a block, at each of two levels."""


@dataclass(frozen=True)
class Axis:
    """The rows of a run and the key along the x axis."""

    run: int
    stream: Stream
    x: str

    @property
    def parameters(self) -> dict[str, int | str]:
        """Parameters of a query."""
        return {"run": self.run, "stream": self.stream, "x": self.x}


@dataclass(frozen=True)
class Progress:
    """How many chunks are kept, from the first line on; ``revision`` counts the changes of rows."""

    chunks: int
    revision: int

    @property
    def lines(self) -> int:
        """The first line that is in no chunk."""
        return self.chunks * LINES


@dataclass(frozen=True)
class Chunk:
    """The extremes of one key in one chunk, and the range of x."""

    key: str
    number: int
    start: float
    stop: float
    not_finite: int
    coarse: array[float]
    fine: array[float]


def progress(connection: sqlite3.Connection, axis: Axis) -> Progress:
    """Return what is kept."""
    row = connection.execute(
        "SELECT chunks, revision FROM curve_progress WHERE run_id = :run AND stream = :stream AND x = :x",
        axis.parameters,
    ).fetchone()
    return Progress(0, -1) if row is None else Progress(row["chunks"], row["revision"])


def begin(connection: sqlite3.Connection, axis: Axis) -> None:
    """Note that chunks of these rows are about to be made, before rows are read. Needs a write transaction.

    Of a run's axes the chunks of ``MOST_AXES`` are kept: those of a complete one make room for another.
    """
    others = connection.execute(
        """SELECT x FROM curve_progress WHERE run_id = :run AND stream = :stream AND x != :x
           AND x NOT IN ('_step', '_runtime', '_timestamp') ORDER BY chunks, x""",
        axis.parameters,
    ).fetchall()
    for row in others[MOST_AXES - 1 :]:
        for table in ("curve_chunks", "curve_progress"):
            connection.execute(
                f"DELETE FROM {table} WHERE run_id = :run AND stream = :stream AND x = :x",
                axis.parameters | {"x": row["x"]},
            )
    connection.execute(
        "INSERT OR IGNORE INTO curve_progress VALUES (:run, :stream, :x, 0, 0)", axis.parameters
    )


def keep(
    connection: sqlite3.Connection, axis: Axis, before: Progress, chunks: Sequence[Chunk], count: int
) -> bool:
    """Keep the next ``count`` chunks; False where rows changed since ``before``. Needs a write transaction."""
    updated = connection.execute(
        """UPDATE curve_progress SET chunks = chunks + :count WHERE run_id = :run AND stream = :stream AND x = :x
           AND chunks = :chunks AND revision = :revision""",
        axis.parameters | {"count": count, "chunks": before.chunks, "revision": before.revision},
    )
    if updated.rowcount != 1:
        return False
    connection.executemany(
        "INSERT INTO curve_chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (axis.run, axis.stream, axis.x, each.key, each.number, each.start, each.stop, each.not_finite,
             each.coarse.tobytes(), each.fine.tobytes())
            for each in chunks
        ),
    )  # fmt: skip
    return True


def invalidate(connection: sqlite3.Connection, run: int, stream: Stream, line: int) -> None:
    """Drop the chunks from an overwritten line on. Needs a write transaction."""
    bound = {"run": run, "stream": stream, "chunk": line // LINES}
    connection.execute(
        """UPDATE curve_progress SET chunks = MIN(chunks, :chunk), revision = revision + 1
           WHERE run_id = :run AND stream = :stream""",
        bound,
    )
    connection.execute(
        "DELETE FROM curve_chunks WHERE run_id = :run AND stream = :stream AND chunk >= :chunk", bound
    )


def kept(
    connection: sqlite3.Connection, axis: Axis, key: str, *, start: float | None, stop: float | None
) -> list[sqlite3.Row]:
    """Return number, range and count of numbers that are not finite of each chunk that touches a range of x.

    The nearest chunk on either side is among them: the curve goes on to the edges of the range.
    """
    chunks = "FROM curve_chunks WHERE run_id = :run AND stream = :stream AND x = :x AND key = :key"
    return connection.execute(
        f"""SELECT chunk, x_start, x_stop, not_finite {chunks}
            AND x_stop >= COALESCE((SELECT MAX(x_stop) {chunks} AND x_stop < :start), :start, -9e999)
            AND x_start <= COALESCE((SELECT MIN(x_start) {chunks} AND x_start > :stop), :stop, 9e999)
            ORDER BY chunk""",
        axis.parameters | {"key": key, "start": start, "stop": stop},
    ).fetchall()


def blocks(connection: sqlite3.Connection, axis: Axis, key: str, chunk: int, level: Level) -> array[float]:
    """Return the blocks of one chunk."""
    row = connection.execute(
        f"""SELECT {level} AS blocks FROM curve_chunks
            WHERE run_id = :run AND stream = :stream AND x = :x AND key = :key AND chunk = :chunk""",
        axis.parameters | {"key": key, "chunk": chunk},
    ).fetchone()
    found = array("d")
    found.frombytes(row["blocks"])
    return found
