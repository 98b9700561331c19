"""The keys along the x axis of a run's curves: those that every run has, and any key with numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from runql_server import lenient_json
from runql_server.lenient_json import JsonObject, JsonValue
from runql_server.runs.history_keys import HistoryKeys
from runql_server.runs.runs import Run

AXES: Final = ("_step", "_runtime", "_timestamp")
"""Keys that every run has."""

LONGEST: Final = 2000
"""Characters of a key along the x axis: requests name it in their address."""


@dataclass(frozen=True)
class AxisFacts:
    """What a chart says about its x axis: whether its numbers never go back, and how many rows have none."""

    rising: bool = True
    rows_without: int = 0


def known(keys: HistoryKeys | None) -> list[str]:
    """List the keys that can be an x axis, those that every run has first."""
    numeric = [] if keys is None else sorted(keys.numeric())
    return [*AXES, *(key for key in numeric if key not in AXES and len(key) <= LONGEST)]


def facts(keys: HistoryKeys | None, x: str) -> AxisFacts | None:
    """Return the facts of an x axis; ``None`` for a key without numbers."""
    info = None if keys is None else keys.numeric().get(x)
    if keys is None or info is None:
        return AxisFacts() if x in AXES else None
    # Steps never go back, but a resumed process logs some again; the server gives a row without a step its line.
    is_step = x == "_step"
    rows_without = 0 if is_step else max(0, keys.rows - info.counts["number"])
    return AxisFacts(is_step or info.monotonic, rows_without)


def defined(run: Run, keys: Iterable[str]) -> dict[str, str]:
    """Return the ``step_metric`` of each key that ``define_metric`` gave one.

    The SDK keeps its definitions in the config: a list whose members name their step metric by its place.
    """
    definitions = _definitions(lenient_json.parse_object(run.config_text, what="config"))
    exact = {name: step for name, is_pattern, step in definitions if not is_pattern}
    starts = [(name.removesuffix("*"), step) for name, is_pattern, step in definitions if is_pattern]
    found: dict[str, str] = {}
    for key in keys:
        step = exact.get(key) or next((step for start, step in starts if key.startswith(start)), "")
        if step and step != key:
            found[key] = step
    return found


def usable(steps: Mapping[str, str], axes: Iterable[str]) -> dict[str, str]:
    """Return those steps that were logged as numbers."""
    logged = set(axes)
    return {key: step for key, step in steps.items() if step in logged}


def _definitions(config: JsonObject) -> list[tuple[str, bool, str]]:
    """Return name, whether it is a pattern, and step metric of each definition that has one."""
    sdk = config.get("_wandb")
    value = sdk.get("value") if isinstance(sdk, dict) else None
    listed = value.get("m") if isinstance(value, dict) else None
    entries = [each if isinstance(each, dict) else {} for each in listed] if isinstance(listed, list) else []
    return list(_with_step(entries))


def _with_step(entries: list[JsonObject]) -> Iterator[tuple[str, bool, str]]:
    for entry in entries:
        name, pattern = entry.get("1"), entry.get("2")
        step = entry.get("4") or _name_at(entries, entry.get("5"))
        if isinstance(step, str) and step:
            if isinstance(name, str) and name:
                yield name, False, step
            elif isinstance(pattern, str) and pattern.endswith("*"):
                yield pattern, True, step


def _name_at(entries: list[JsonObject], place: JsonValue) -> JsonValue:
    is_place = isinstance(place, int) and not isinstance(place, bool) and 0 < place <= len(entries)
    return entries[place - 1].get("1") if is_place and isinstance(place, int) else None
