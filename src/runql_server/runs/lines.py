"""Line streams of a run (history, events, console): writes from an offset, counts, and reads slices."""

# ruff: noqa: S608 - table names come from a closed set; values are always bound

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from runql_server import lenient_json
from runql_server.errors import RequestError
from runql_server.lenient_json import JsonObject
from runql_server.runs import curve_chunks, history_exports, run_values
from runql_server.runs.history_keys import HistoryKeys

Stream = Literal["history", "events", "log_lines"]

_FURTHEST = 2**31
"""Line counts must fit a GraphQL Int."""


@dataclass(frozen=True)
class HistoryRow:
    """One parsed history line."""

    line: int
    step: float | int
    text: str
    values: JsonObject


def line_count(connection: sqlite3.Connection, stream: Stream, run: int) -> int:
    """Return the offset of the next line."""
    query = f"SELECT COALESCE(MAX(line) + 1, 0) FROM {stream} WHERE run_id = ?"
    return int(connection.execute(query, (run,)).fetchone()[0])


def parse_history(strings: Sequence[str], offset: int) -> list[HistoryRow]:
    """Parse the rows of a chunk; a row without ``_step`` has its line number as step."""
    rows: list[HistoryRow] = []
    for line, text in enumerate(strings, start=offset):
        values = lenient_json.parse_object(text, what=f"history line {line}")
        rows.append(HistoryRow(line, _step_of(values, line), text, values))
    return rows


def write_history(connection: sqlite3.Connection, run: int, rows: Sequence[HistoryRow]) -> None:
    """Write parsed rows, overwriting their lines, and update the history keys. Needs a transaction."""
    if not rows:
        return
    stored = _json_lines(connection, "history", run, rows[0].line, rows[-1].line + 1)
    changed = [row for row in rows if stored.get(row.line) != row.text]
    if not changed:
        return
    end = line_count(connection, "history", run)
    connection.executemany(
        "INSERT OR REPLACE INTO history (run_id, line, step, text) VALUES (?, ?, ?, ?)",
        ((run, row.line, row.step, row.text) for row in changed),
    )
    if changed[0].line >= end:
        keys = load_history_keys(connection, run) or HistoryKeys()
        for row in changed:
            keys.fold(row.values, row.step)
    else:
        # A retry never changes lines; other overwrites do, and counts of the old rows cannot be subtracted.
        history_exports.invalidate(connection, run, changed[0].line)
        curve_chunks.invalidate(connection, run, "history", changed[0].line)
        keys = recompute_history_keys(connection, run)
    _store_history_keys(connection, run, keys)


def renumber(rows: Sequence[HistoryRow], offset: int) -> list[HistoryRow]:
    """Return the rows, renumbered from another line on."""
    return [
        HistoryRow(line, _step_of(row.values, line), row.text, row.values)
        for line, row in enumerate(rows, start=offset)
    ]


def copy_history(connection: sqlite3.Connection, source: int, target: int, *, up_to: float) -> int:
    """Copy rows up to a step to a run without rows, and return their count. Needs a write transaction."""
    copied = connection.execute(
        """INSERT INTO history (run_id, line, step, text)
           SELECT :target, ROW_NUMBER() OVER (ORDER BY step, line) - 1, step, text
           FROM history WHERE run_id = :source AND step <= :up_to""",
        {"source": source, "target": target, "up_to": up_to},
    ).rowcount
    if copied:
        _store_history_keys(connection, target, recompute_history_keys(connection, target))
    return copied


def cut_history(connection: sqlite3.Connection, run: int, *, after: float) -> None:
    """Remove the rows behind a step, as a rewind does. Needs a write transaction."""
    query = "SELECT MIN(line) FROM history WHERE run_id = ? AND step > ?"
    first: int | None = connection.execute(query, (run, after)).fetchone()[0]
    if first is None:
        return
    connection.execute("DELETE FROM history WHERE run_id = ? AND line >= ?", (run, first))
    history_exports.invalidate(connection, run, first)
    curve_chunks.invalidate(connection, run, "history", first)
    _store_history_keys(connection, run, recompute_history_keys(connection, run))


def write_events(connection: sqlite3.Connection, run: int, strings: Sequence[str], offset: int) -> None:
    """Write system metric rows, and store the newest value of each metric. Needs a transaction."""
    if offset < line_count(connection, "events", run):
        curve_chunks.invalidate(connection, run, "events", offset)
    write_lines(connection, "events", run, strings, offset)
    row = connection.execute("SELECT system_metrics FROM runs WHERE id = ?", (run,)).fetchone()
    newest = lenient_json.parse_object(row["system_metrics"] or "{}", what="system metrics")
    for line, text in enumerate(strings, start=offset):
        values = lenient_json.parse_object(text, what=f"events line {line}")
        newest.update((name, value) for name, value in values.items() if name.startswith("system."))
    if newest:
        connection.execute(
            "UPDATE runs SET system_metrics = ? WHERE id = ?", (lenient_json.dump(newest), run)
        )


def write_lines(
    connection: sqlite3.Connection,
    stream: Literal["events", "log_lines"],
    run: int,
    strings: Sequence[str],
    offset: int,
) -> None:
    """Write unparsed lines, overwriting existing ones. Needs a transaction."""
    connection.executemany(
        f"INSERT OR REPLACE INTO {stream} (run_id, line, text) VALUES (?, ?, ?)",
        ((run, line, text) for line, text in enumerate(strings, start=offset)),
    )


def load_history_keys(connection: sqlite3.Connection, run: int) -> HistoryKeys | None:
    """Load the keys of the run's history; ``None`` when it has no rows."""
    row = connection.execute("SELECT state FROM history_keys WHERE run_id = ?", (run,)).fetchone()
    return None if row is None else HistoryKeys.from_string(row["state"])


def recompute_history_keys(connection: sqlite3.Connection, run: int) -> HistoryKeys:
    """Compute the keys from all rows, and store them."""
    keys = HistoryKeys()
    query = "SELECT line, step, text FROM history WHERE run_id = ? ORDER BY line"
    for row in connection.execute(query, (run,)):
        keys.fold(lenient_json.parse_object(row["text"], what=f"history line {row['line']}"), row["step"])
    return keys


def _store_history_keys(connection: sqlite3.Connection, run: int, keys: HistoryKeys) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO history_keys (run_id, state) VALUES (?, ?)", (run, keys.to_string())
    )


def check_offset(offset: int, count: int, what: str) -> int:
    """Refuse an offset from which ``count`` lines cannot be numbered; return it."""
    if not 0 <= offset < _FURTHEST - count:
        raise RequestError(f"{what}: offset must be a line number below 2^31, got {offset} for {count} lines")
    return offset


def tail(connection: sqlite3.Connection, stream: Stream, run: int, count: int) -> list[str]:
    """Return the last ``count`` lines, oldest first."""
    query = f"SELECT text FROM {stream} WHERE run_id = ? ORDER BY line DESC LIMIT ?"
    return [row["text"] for row in connection.execute(query, (run, count))][::-1]


def _step_of(values: JsonObject, line: int) -> float | int:
    step = values.get("_step")
    if isinstance(step, bool) or not isinstance(step, int | float):
        return line
    number = run_values.sql_number(step)
    # A step that is not finite is no point on an axis, and JSON has no form for it in historyKeys.lastStep.
    return number if math.isfinite(number) else line


def _json_lines(
    connection: sqlite3.Connection, stream: Stream, run: int, start: int, stop: int
) -> dict[int, str]:
    query = f"SELECT line, text FROM {stream} WHERE run_id = ? AND line >= ? AND line < ?"
    return {row["line"]: row["text"] for row in connection.execute(query, (run, start, stop))}
