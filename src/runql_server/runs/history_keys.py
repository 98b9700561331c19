"""Keys of a run's history: types, last values and monotonicity of each, updated row by row."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from runql_server import lenient_json
from runql_server.lenient_json import JsonObject, JsonValue

_MOST_SETS = 200
"""Limit of stored key sets, for runs that log new names in each row."""

_MOST_LEVELS = 64
"""Below this depth only the type of a list or object is recorded, so values of any depth can be stored."""

# The newest SDK parses this part of a response strictly, without bare tokens.
_SPELLED = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


@dataclass
class KeyInfo:
    """One key: the count of each type, the last scalar value, and whether its numbers never decreased."""

    counts: dict[str, int] = field(default_factory=dict[str, int])
    members: dict[str, KeyInfo] = field(default_factory=dict[str, "KeyInfo"])
    items: KeyInfo | None = None
    previous: JsonValue = None
    monotonic: bool = True

    @property
    def total(self) -> int:
        """Number of rows with the key."""
        return sum(self.counts.values())

    def fold(self, value: JsonValue, levels: int = _MOST_LEVELS) -> None:
        """Update with another value, and with its members down to ``levels``."""
        kind = type_name(value)
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if isinstance(value, dict):
            if kind == "map" and levels:
                for name, member in value.items():
                    self.members.setdefault(name, KeyInfo()).fold(member, levels - 1)
        elif isinstance(value, list):
            if levels:
                self.items = self.items or KeyInfo()
                for item in value:
                    self.items.fold(item, levels - 1)
        elif value is not None:
            self.monotonic = self.monotonic and not _has_decreased(self.previous, value)
            self.previous = value

    def to_json(self) -> JsonObject:
        """Return the form of the API; ``from_json`` reads it."""
        counts: list[JsonValue] = []
        for kind, count in self.counts.items():
            entry: JsonObject = {"type": kind, "count": count}
            if kind == "map":
                entry["keys"] = {name: info.to_json() for name, info in self.members.items()}
            if kind == "list" and self.items is not None:
                entry["items"] = self.items.to_json()
            counts.append(entry)
        if self.previous is None:
            return {"typeCounts": counts}
        return {
            "typeCounts": counts,
            "previousValue": lenient_json.to_strict(self.previous),
            "monotonic": self.monotonic,
        }

    @classmethod
    def from_json(cls, document: JsonValue) -> KeyInfo:
        """Read the form of the API."""
        info = cls()
        if not isinstance(document, dict):
            return info
        previous = document.get("previousValue")
        info.previous = _SPELLED.get(previous, previous) if isinstance(previous, str) else previous
        info.monotonic = document.get("monotonic") is not False
        for entry in _list(document.get("typeCounts")):
            if isinstance(entry, dict):
                info.counts[str(entry["type"])] = _int(entry["count"])
                if "keys" in entry:
                    info.members = {
                        name: cls.from_json(member) for name, member in _dict(entry["keys"]).items()
                    }
                if "items" in entry:
                    info.items = cls.from_json(entry["items"])
        return info


class HistoryKeys:
    """The keys of one run's history, in the order of their first rows."""

    def __init__(self) -> None:
        self.keys: dict[str, KeyInfo] = {}
        self.sets: list[list[str]] = []
        self.rows: int = 0
        self.last_step: float = -1

    def fold(self, row: JsonObject, step: float) -> None:
        """Update with another row."""
        for name, value in row.items():
            info = self.keys.get(name)
            if info is None:
                info = self.keys[name] = KeyInfo()
            info.fold(value)
        names = sorted(row)
        if names not in self.sets and len(self.sets) < _MOST_SETS:
            self.sets.append(names)
        self.rows += 1
        self.last_step = max(self.last_step, step)

    def in_every_row(self, names: list[str]) -> bool:
        """Check whether every row has all of these keys, without reading the rows."""
        return all(name in self.keys and self.keys[name].total == self.rows for name in names)

    def numeric(self) -> dict[str, KeyInfo]:
        """Return the keys that ever had a number, by their paths, in the order of their first rows."""
        return dict(_numeric(self.keys, ""))

    def to_json(self) -> JsonObject:
        """Return the form of the API."""
        return {
            "keys": {name: info.to_json() for name, info in self.keys.items()},
            "sets": [list(names) for names in self.sets],
            "lastStep": self.last_step,
        }

    def to_string(self) -> str:
        """Return the stored form: the API's form and the number of rows."""
        return lenient_json.dump(self.to_json() | {"rows": self.rows})

    @classmethod
    def from_string(cls, text: str) -> HistoryKeys:
        """Read the stored form."""
        document = lenient_json.parse_object(text, what="history keys")
        result = cls()
        result.keys = {name: KeyInfo.from_json(info) for name, info in _dict(document["keys"]).items()}
        result.sets = [[str(name) for name in _list(names)] for names in _list(document["sets"])]
        result.rows = _int(document["rows"])
        last_step = document["lastStep"]
        result.last_step = last_step if isinstance(last_step, int | float) else -1
        return result


def _numeric(keys: dict[str, KeyInfo], prefix: str) -> Iterator[tuple[str, KeyInfo]]:
    for name, info in keys.items():
        if "number" in info.counts:
            yield prefix + name, info
        yield from _numeric(info.members, f"{prefix}{name}.")


def type_name(value: JsonValue) -> str:
    """Return the type name of the API; an object with ``_type`` has that type."""
    match value:
        case None:
            return "nil"
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "list"
        case dict():
            kind = value.get("_type")
            return kind if isinstance(kind, str) else "map"


def _has_decreased(before: JsonValue, after: JsonValue) -> bool:
    # An int may be too large for math.isnan.
    if not isinstance(after, int | float) or (isinstance(after, float) and math.isnan(after)):
        return True
    return isinstance(before, int | float) and after < before


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []


def _dict(value: JsonValue) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _int(value: JsonValue) -> int:
    return value if isinstance(value, int) else 0
