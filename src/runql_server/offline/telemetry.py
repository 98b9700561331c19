"""The part `_wandb` of a run's config: the SDK's telemetry, the metrics' definitions, the environment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from runql_server.lenient_json import JsonObject, JsonValue
from runql_server.offline.fields import Fields, flag, inner, text, whole
from runql_server.offline.messages import Plain, Written

_DEFINED: Final = 3
_SIZES: Final = frozenset({"total", "used", "memoryTotal", "swapTotalBytes", "ramTotalBytes"})
"""Whole numbers of 64 bits, which protobuf's JSON writes as strings."""


def merge(target: Fields, change: Fields) -> None:
    """Merge a message as protobuf does: lists grow, messages merge, other fields are replaced."""
    for name, value in change.items():
        before = target.get(name)
        if isinstance(value, dict) and isinstance(before, dict):
            merge(before, value)
        elif isinstance(value, list) and isinstance(before, list):
            before.extend(value)
        else:
            target[name] = copied(value)


def copied(value: Plain) -> Plain:
    """Copy lists and messages, so that a merge changes no record."""
    if isinstance(value, dict):
        return {name: copied(member) for name, member in value.items()}
    return [copied(member) for member in value] if isinstance(value, list) else value


def telemetry_config(telemetry: Fields) -> JsonObject:
    """Return the telemetry as the config holds it: by field numbers, flags as lists of the set ones."""
    return {number: _encoded(value) for number, value in telemetry.items()}


def _encoded(value: Plain) -> JsonValue:
    if isinstance(value, Written):
        return value.json
    if isinstance(value, dict):
        if all(isinstance(member, bool) for member in value.values()):
            return [int(number) for number, member in value.items() if member]
        return {number: _encoded(member) for number, member in value.items()}
    return [_encoded(member) for member in value] if isinstance(value, list) else value


class Metrics:
    """The definitions of metrics, in the order of their first definition."""

    def __init__(self) -> None:
        self._defined: dict[tuple[str, str], Fields] = {}

    def define(self, record: Fields) -> None:
        """Take a definition; one that the SDK derived from a pattern is not stored, as in a synced run."""
        if flag(record, "expanded_from_glob"):
            return
        key = (text(record, "name"), text(record, "glob_name"))
        known = self._defined.get(key)
        if known is None or flag(inner(record, "control"), "overwrite"):
            known = self._defined[key] = {}
        merge(known, record)
        step = text(record, "step_metric")
        if step:
            self._defined.setdefault((step, ""), {"name": step})

    def config(self) -> list[JsonValue]:
        """Return the definitions as the config holds them."""
        places = {name: place for place, (name, _) in enumerate(self._defined, start=1) if name}
        return [self._config_of(record, places) for record in self._defined.values()]

    def _config_of(self, record: Fields, places: dict[str, int]) -> JsonObject:
        is_pattern = bool(text(record, "glob_name"))
        options = [
            int(number)
            for number, is_set in inner(record, "options").items()
            if is_set and not (is_pattern and int(number) == _DEFINED)
        ]
        made: JsonObject = {"2" if is_pattern else "1": text(record, "glob_name") or text(record, "name")}
        place = places.get(text(record, "step_metric"))
        if place is not None:
            made["5"] = place
        made["6"] = list[JsonValue](options)
        made["7"] = [int(number) for number, is_set in inner(record, "summary").items() if is_set]
        if whole(record, "goal"):
            made["8"] = whole(record, "goal")
        return made


def environment_document(environment: Fields) -> JsonObject:
    """Return the environment as `wandb-metadata.json` and the config hold it."""
    document: JsonObject = {}
    for name, value in environment.items():
        if name == "startedAt" and isinstance(value, dict):
            document[name] = _moment(whole(value, "seconds"), whole(value, "nanos"))
        elif name in {"disk", "slurm"} and isinstance(value, list):
            document[name] = {
                text(each, "key"): _document(each.get("value", ""))
                for each in value
                if isinstance(each, dict)
            }
        else:
            document[name] = _document(value)
    return document


def _document(value: Plain) -> JsonValue:
    if isinstance(value, Written):
        return value.json
    if isinstance(value, dict):
        return {name: str(member) if name in _SIZES else _document(member) for name, member in value.items()}
    return [_document(member) for member in value] if isinstance(value, list) else value


def _moment(seconds: int, nanos: int) -> str:
    try:
        whole_part = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    except (OverflowError, ValueError, OSError):
        return ""
    fraction = f"{nanos:09d}".removesuffix("000").removesuffix("000") if nanos else ""
    return f"{whole_part}.{fraction}Z" if fraction else f"{whole_part}Z"
