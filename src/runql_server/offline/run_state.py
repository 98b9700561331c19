"""What the records of one file say about its run, up to the last record that was read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from runql_server import lenient_json
from runql_server.errors import RequestError
from runql_server.lenient_json import JsonObject, JsonValue
from runql_server.offline.console import OUTPUT, Console
from runql_server.offline.fields import (
    Fields,
    flag,
    inner,
    items,
    messages,
    nanoseconds,
    seconds,
    strings,
    text,
    whole,
)
from runql_server.offline.messages import Record, Written
from runql_server.offline.telemetry import Metrics, environment_document, merge, telemetry_config
from runql_server.offline.trees import Config, Summary

INTERNAL: Final = "_wandb"
_LARGEST: Final = 2**63
_EXACT: Final = 2**53
_STEP: Final = ("_step",)
_DEEPEST: Final = 200
_MOST_PENDING: Final = 10_000
"""Values of the summary that wait for the next write."""
_PASSED: Final = frozenset({"header", "footer", "final", "request", "noop_link_artifact", "alert"})
"""Kinds that hold nothing for a data directory."""


@dataclass(frozen=True)
class Earlier:
    """What an earlier file of the same run left: where a resumed run goes on."""

    config: JsonObject = field(default_factory=dict[str, JsonValue])
    next_step: int = 0
    log_lines: int = 0


@dataclass
class Batch:
    """Rows since the last write, as the file stream would carry them."""

    history: list[str] = field(default_factory=list[str])
    events: list[str] = field(default_factory=list[str])
    files: list[str] = field(default_factory=list[str])
    artifacts: list[Fields] = field(default_factory=list[Fields])
    used: list[Fields] = field(default_factory=list[Fields])
    size: int = 0


class RunState:
    """One run as its records tell it. `take` reads a record; `batch` holds what is to be written next."""

    def __init__(self) -> None:
        self.run: Fields = {}
        self.producer: str = ""
        self.exit_code: int | None = None
        self.not_complete: bool = False
        self.is_preempting: bool = False
        self.batch: Batch = Batch()
        self.console: Console = Console()
        self.earlier: Earlier = Earlier()
        self.left_out: Counter[str] = Counter()
        self.last_time: float = 0.0
        self.config_changed: bool = False
        self.summary_changed: bool = False
        self._config = Config()
        self._summary = Summary()
        self._new_summary: dict[tuple[str, ...], Written] = {}
        self._telemetry: Fields = {}
        self._metrics = Metrics()
        self._environment: Fields = {}
        self._next_step = 0

    @property
    def start_time(self) -> float:
        """Seconds since 1970."""
        return seconds(self.run, "start_time") or 0.0

    def resume(self, earlier: Earlier) -> None:
        """Go on where an earlier file of the run ended. Call it after the first run record."""
        self.earlier = earlier
        self._next_step = earlier.next_step
        self.console.start = earlier.log_lines
        for key, value in earlier.config.items():
            if key != INTERNAL:
                self._config.tree.setdefault(key, value)
        self.config_changed = True

    def take(self, record: Record) -> None:
        """Read one record."""
        fields = record.fields
        match record.kind:
            case "history":
                self._take_history(fields)
            case "summary":
                self._change_summary(fields)
            case "config":
                self._change_config(fields)
            case "output_raw":
                self._take_output(fields)
            case "stats":
                self._take_stats(fields)
            case "run":
                self._take_run(fields)
            case "telemetry":
                self._take_telemetry(fields)
            case "metric":
                self._metrics.define(fields)
                self.config_changed = True
            case "environment":
                merge(self._environment, fields)
                self.config_changed = True
            case "files":
                self.batch.files += [text(each, "path") for each in messages(fields, "files")]
            case "artifact":
                self.batch.artifacts.append(fields)
            case "use_artifact":
                self.batch.used.append(fields)
            case "exit":
                self.exit_code = whole(fields, "exit_code")
                self.not_complete = flag(fields, "not_complete")
            case "preempting":
                self.is_preempting = True
            case "header":
                self.producer = text(inner(fields, "version_info"), "producer").partition("+")[0]
            case kind:
                if kind not in _PASSED:
                    numbers = ", ".join(map(str, record.unknown))
                    self.left_out[kind or f"unknown ({numbers or 'empty'})"] += 1

    def config(self) -> JsonObject:
        """Return the config in the stored form, with `_wandb` as the SDK uploads it."""
        telemetry: Fields = {**self._telemetry}
        if self.producer:
            telemetry["12"] = self.producer
        own = self._config.tree.get(INTERNAL)
        internal: JsonObject = dict(own) if isinstance(own, dict) else {}
        for key, number in (("cli_version", "5"), ("python_version", "4")):
            if text(telemetry, number):
                internal[key] = text(telemetry, number)
        internal["t"] = telemetry_config(telemetry)
        internal["m"] = self._metrics.config()
        if self._environment:
            internal["e"] = {text(self._environment, "writerId") or "offline": self.environment()}
        self._add_branch_point(internal)
        tree = {**self._config.tree, INTERNAL: internal}
        return {key: {"value": value} for key, value in tree.items()}

    def environment(self) -> JsonObject:
        """Return what `wandb-metadata.json` holds; empty before the first record of it."""
        return environment_document(self._environment)

    def summary(self) -> JsonObject:
        """Return the summary."""
        self._apply_summary()
        return self._summary.document()

    def _add_branch_point(self, internal: JsonObject) -> None:
        point = inner(self.run, "branch_point")
        if text(point, "run"):
            step = point.get("value", 0.0)
            internal["branch_point"] = {
                "run_id": text(point, "run"),
                "step": int(step) if isinstance(step, float) and step.is_integer() else 0,
            }

    def _take_run(self, fields: Fields) -> None:
        self.run = {**self.run, **fields}
        self._change_config(inner(fields, "config"))
        self._change_summary(inner(fields, "summary"))
        self._take_telemetry(inner(fields, "telemetry"))

    def _take_telemetry(self, fields: Fields) -> None:
        merge(self._telemetry, fields)
        self.config_changed = True

    def _change_config(self, fields: Fields) -> None:
        for item in items(fields, "update"):
            value = self._parsed(item, "config")
            if value is not None:
                self._config.set(item.path, value[0])
        for item in items(fields, "remove"):
            self._config.remove(item.path)
        self.config_changed = True

    def _change_summary(self, fields: Fields) -> None:
        for item in items(fields, "update"):
            # The last row alone says which step is the last: the record of a row may be cut off behind this one.
            if item.path != _STEP:
                # The SDK writes the summary with each row. Of a key's values the last one before a write counts.
                self._new_summary.pop(item.path, None)
                self._new_summary[item.path] = item
        removed = items(fields, "remove")
        if removed or len(self._new_summary) > _MOST_PENDING:
            self._apply_summary()
        for item in removed:
            self._summary.remove(item.path)
        self.summary_changed = True

    def _apply_summary(self) -> None:
        for item in self._new_summary.values():
            value = self._parsed(item, "summary")
            if value is not None:
                self._summary.set(item.path, value[0])
        self._new_summary.clear()

    def _take_history(self, fields: Fields) -> None:
        row = Summary()
        for item in items(fields, "item"):
            value = self._parsed(item, "history")
            if value is not None:
                row.set(item.path, value[0])
        document = row.document()
        self._set_step(document, whole(inner(fields, "step"), "num"))
        line = lenient_json.dump(document)
        self.batch.history.append(line)
        self.batch.size += len(line)
        self._note_time(document.get("_timestamp"))

    def _set_step(self, row: JsonObject, recorded: int) -> None:
        """Steps grow: one that is behind the last gets the next number, as those of a resumed run do."""
        step = row.get("_step")
        wanted = step if isinstance(step, int) and not isinstance(step, bool) else recorded
        number = max(wanted, self._next_step)
        row["_step"] = number
        self._next_step = number + 1
        self._summary.set(_STEP, number)
        self.summary_changed = True

    def _take_stats(self, fields: Fields) -> None:
        moment = seconds(fields, "timestamp") or 0.0
        row: JsonObject = {"_wandb": True, "_timestamp": moment}
        since = (nanoseconds(fields, "timestamp") or 0) - (nanoseconds(self.run, "start_time") or 0)
        row["_runtime"] = since / 1e9
        for item in items(fields, "item"):
            value = self._parsed(item, "stats")
            if value is not None:
                row[f"system.{item.path[0]}"] = value[0]
        line = lenient_json.dump(row)
        self.batch.events.append(line)
        self.batch.size += len(line)
        self._note_time(moment)

    def _take_output(self, fields: Fields) -> None:
        output = text(fields, "line")
        moment = seconds(fields, "timestamp") or self.start_time
        self.console.write(output, error=whole(fields, "output_type") != OUTPUT, seconds=moment)
        self.batch.size += len(output)
        self._note_time(moment)

    def _note_time(self, moment: JsonValue) -> None:
        if isinstance(moment, int | float):
            self.last_time = max(self.last_time, float(moment))

    def _parsed(self, item: Written, what: str) -> tuple[JsonValue] | None:
        """Return the value of an item, or None for one that is no JSON, which the SDK leaves out, too."""
        if len(item.path) > _DEEPEST:
            self.left_out[f"values of {what} that are nested too deeply"] += 1
            return None
        try:
            value = lenient_json.parse(item.json, what=what)
            return (value if isinstance(value, str) else _stored_number(value),)
        except (RequestError, RecursionError):
            self.left_out[f"values of {what} that are no JSON"] += 1
            return None


def run_tags(run: Fields) -> list[str]:
    """Return the tags of a run record."""
    return strings(run, "tags")


def _stored_number(value: JsonValue) -> JsonValue:
    """Write numbers as the SDK does before it uploads them.

    Whole numbers beyond 64 bits become floats, and floats below 2^53 without a fraction become whole numbers.
    """
    if isinstance(value, float):
        # The zero with a sign has no whole number.
        is_whole = value.is_integer() and abs(value) < _EXACT and str(value) != "-0.0"
        return int(value) if is_whole else value
    if isinstance(value, dict):
        return {key: _stored_number(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_stored_number(member) for member in value]
    if isinstance(value, int) and not -_LARGEST <= value < _LARGEST:
        try:
            return float(value)
        except OverflowError:
            return float("inf") if value > 0 else float("-inf")
    return value
