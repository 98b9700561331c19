"""Reads histories: slices by step, downsampled slices, rows that have all requested keys."""

# ruff: noqa: S608 - the composed SQL has constant parts only: values are always bound

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from runql_server import lenient_json
from runql_server.errors import RequestError
from runql_server.lenient_json import JsonObject, JsonValue
from runql_server.runs import lines, run_values
from runql_server.runs.sampling import MOST_SAMPLES, check_samples, downsample, positions


@dataclass(frozen=True)
class Steps:
    """A half-open range of steps; ``closed`` includes ``stop``."""

    start: int | float | None = None
    stop: int | float | None = None
    closed: bool = False

    @property
    def condition(self) -> str:
        """SQL condition with parameters ``:start`` and ``:stop``."""
        above = "" if self.start is None else " AND step >= :start"
        below = "" if self.stop is None else f" AND step {'<=' if self.closed else '<'} :stop"
        return above + below

    def parameters(self, run: int) -> dict[str, int | float | None]:
        """Return the parameters of the condition and of ``run_id = :run``."""
        bounds = {"start": self.start, "stop": self.stop}
        return {"run": run} | {
            name: None if v is None else run_values.sql_number(v) for name, v in bounds.items()
        }


@dataclass(frozen=True)
class Spec:
    """One request for sampled rows that have all the keys."""

    keys: list[str]
    samples: int
    steps: Steps


EVERY_STEP = Steps()


def sampled_json(connection: sqlite3.Connection, run: int, steps: Steps, samples: int) -> list[str]:
    """Return rows as JSON strings in step order, downsampled to ``samples``."""
    query = f"SELECT text FROM history WHERE run_id = :run{steps.condition} ORDER BY step, line LIMIT :most"
    parameters = steps.parameters(run)
    found = [row["text"] for row in connection.execute(query, parameters | {"most": samples + 1})]
    if len(found) <= samples:
        return found
    return _json_rows_at(connection, run, downsample(_lines(connection, run, steps), samples))


def sampled_events(connection: sqlite3.Connection, run: int, samples: int) -> list[str]:
    """Return system metric rows as JSON strings, downsampled to ``samples``."""
    rows = connection.execute("SELECT text FROM events WHERE run_id = ? ORDER BY line", (run,)).fetchall()
    return [rows[index]["text"] for index in positions(len(rows), samples)]


def parse_spec(text: str) -> Spec:
    """Parse the JSON string of one spec; ``maxStep`` is inclusive, the x axis is ignored.

    A spec without keys requests nothing: the SDK sends ``{}`` when it reads a sweep.
    """
    document = lenient_json.parse_object(text, what="specs")
    keys = document.get("keys", [])
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise RequestError("specs: keys must be a list of texts")
    samples = document.get("samples")
    if samples is not None and (not isinstance(samples, int) or isinstance(samples, bool)):
        raise RequestError("specs: samples must be a whole number")
    steps = Steps(_bound(document, "minStep"), _bound(document, "maxStep"), closed=True)
    return Spec([str(key) for key in keys], check_samples(samples), steps)


def sampled_rows(connection: sqlite3.Connection, run: int, spec: Spec) -> list[JsonObject]:
    """Return rows that have every requested key, reduced to those keys, downsampled to the spec's samples.

    The rows become part of the response's JSON, so numbers that strict JSON lacks become strings.
    """
    keys = lines.load_history_keys(connection, run)
    if keys is None or not spec.keys:
        return []
    if keys.in_every_row(spec.keys):
        return _pick_keys(sampled_json(connection, run, spec.steps, spec.samples), spec.keys)
    query = f"SELECT text FROM history WHERE run_id = :run{spec.steps.condition} ORDER BY step, line"
    strings = [row["text"] for row in connection.execute(query, spec.steps.parameters(run))]
    return downsample(_pick_keys(strings, spec.keys), spec.samples)


def live_rows(
    connection: sqlite3.Connection, run: int, keys: list[str], *, from_line: int
) -> list[JsonObject]:
    """Return every row from a line on that has all the keys, reduced to those keys; earlier rows are exported."""
    parameters = {"run": run, "line": from_line}
    if keys == ["_step"]:
        # Newer SDKs request this for the whole history before a scan; the step column alone is enough.
        query = "SELECT step FROM history WHERE run_id = :run AND line >= :line ORDER BY step, line"
        return [{"_step": row["step"]} for row in connection.execute(query, parameters)]
    if from_line == 0 or not keys:
        return sampled_rows(connection, run, Spec(keys, MOST_SAMPLES, EVERY_STEP))
    query = "SELECT text FROM history WHERE run_id = :run AND line >= :line ORDER BY step, line"
    return downsample(
        _pick_keys([row["text"] for row in connection.execute(query, parameters)], keys), MOST_SAMPLES
    )


def _pick_keys(strings: list[str], keys: list[str]) -> list[JsonObject]:
    rows: list[JsonObject] = []
    for text in strings:
        row = lenient_json.parse_object(text, what="history")
        picked = (
            {key: row[key] for key in keys}
            if all(key in row for key in keys)
            else lenient_json.pick(row, keys)
        )
        if len(picked) == len(set(keys)):
            rows.append({key: lenient_json.to_strict(value) for key, value in picked.items()})
    return rows


def _lines(connection: sqlite3.Connection, run: int, steps: Steps) -> list[int]:
    query = f"SELECT line FROM history WHERE run_id = :run{steps.condition} ORDER BY step, line"
    return [row["line"] for row in connection.execute(query, steps.parameters(run))]


def _json_rows_at(connection: sqlite3.Connection, run: int, wanted: list[int]) -> list[str]:
    query = "SELECT line, text FROM history WHERE run_id = ? AND line IN (SELECT value FROM json_each(?))"
    found = {row["line"]: row["text"] for row in connection.execute(query, (run, lenient_json.dump(wanted)))}
    return [found[line] for line in wanted]


def _bound(document: JsonObject, name: str) -> int | float | None:
    value: JsonValue = document.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RequestError(f"specs: {name} must be a number")
    return value
