"""A run as its readers see it, member by member, without what differs between two servers."""

from __future__ import annotations

import json
import math
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml  # type: ignore[import-untyped]  # its stubs are a package of their own

import runql
from runql_server.lenient_json import JsonInput, JsonValue

MADE_DOCUMENTS: Final = ("config.yaml", "wandb-metadata.json", "wandb-summary.json")
"""Files that `wandb sync` makes: compared as what they say, since the order of their keys is random."""
Read: TypeAlias = "None | bool | int | float | str | bytes | list[Read] | tuple[Read, ...] | dict[str, Read]"
ABSENT: Final = "absent"
SYNC_FEATURE: Final = 76
"""A mark in the telemetry, which the process of `wandb sync` sets for itself."""


def members(run: runql.Run) -> dict[str, Any]:  # Any: compared as they are
    """Return what a run has, by member.

    Left out: ids and times of the server, the path of the program `wandb` that a synced run names as its own, and display
    names that the server makes up.
    """
    with tempfile.TemporaryDirectory() as folder:
        run.files().download(folder)
        files = {file.name: (Path(folder) / file.name).read_bytes() for file in run.files()}
    return {
        "state": run.state,
        "config": comparable_config(run.rawconfig),
        "summary": comparable(run.summary_metrics),
        "rows": [comparable(row) for row in run.scan_history()],
        "events": [comparable(row) for row in run.history(stream="events", samples=500, pandas=False)],
        "system metrics": comparable(run.system_metrics),
        "log": [(line.number, line.level, line.content) for line in run.console_logs()],
        "history keys": comparable(run.history_keys),
        "tags": run.tags,
        "notes": run.notes,
        "group": run.group,
        "job type": run.job_type,
        "commit": run.commit,
        "metadata": comparable(run.metadata),
        "files": {name: made(name, content) for name, content in files.items()},
        "logged artifacts": _by_name(run.logged_artifacts()),
        "used artifacts": _by_name(run.used_artifacts()),
    }


def _by_name(artifacts: Iterable[runql.Artifact]) -> list[dict[str, Any]]:
    return sorted(map(about, artifacts), key=lambda each: str(each["name"]))


def about(artifact: runql.Artifact) -> dict[str, Any]:  # Any: as above
    """Return what a version has, with its lineage and the bytes of its files."""
    maker = artifact.logged_by()
    return {
        "name": artifact.name,
        "type": artifact.type,
        "digest": artifact.digest,
        "aliases": sorted(artifact.aliases),
        "description": artifact.description,
        "metadata": dict(artifact.metadata),
        "size": artifact.size,
        "entries": {path: (entry.digest, entry.size, entry.ref) for path, entry in artifact.entries.items()},
        "maker": None if maker is None else maker.id,
    }


def made(name: str, content: bytes) -> object:
    """Return what a file says, if sync makes it; else its bytes."""
    if name not in MADE_DOCUMENTS:
        return content
    text = content.decode()
    document = yaml.safe_load(text) if name.endswith(".yaml") else json.loads(text)
    return comparable_config(numbers(document)) if name == "config.yaml" else comparable(document)


def numbers(value: JsonValue) -> JsonValue:
    """Read numbers such as 5e-324, which Go writes without a point and YAML 1.1 reads as a str."""
    if isinstance(value, dict):
        return {key: numbers(member) for key, member in value.items()}
    if isinstance(value, list):
        return [numbers(member) for member in value]
    return (
        float(value) if isinstance(value, str) and re.fullmatch(r"-?\d+(\.\d+)?e[-+]?\d+", value) else value
    )


def comparable_config(config: JsonInput) -> Any:  # Any: as above
    """Return a config; in `_wandb` the sync's own marks are left out, and orders that are random are sorted."""
    found: dict[str, Any] = comparable(config)
    wrapped: dict[str, Any] = found.get("_wandb") or {}
    internal: dict[str, Any] = wrapped.get("value", wrapped)
    if "t" in internal:
        telemetry: dict[str, Any] = internal["t"]
        internal["t"] = {key: in_order(value) for key, value in telemetry.items() if key != "12"}
        internal["t"]["3"] = [each for each in telemetry.get("3", []) if each != SYNC_FEATURE]
        internal["t"]["3"].sort(key=str)
    if "e" in internal:
        # Sync names the environment by an id of its own process.
        environments: dict[str, Any] = internal["e"]
        internal["e"] = list(environments.values())
    if "m" in internal:
        internal["m"] = comparable_metrics(internal["m"])
    return found


def in_order(value: JsonValue) -> JsonValue:
    """Sort a list of numbers."""
    return sorted(value, key=str) if isinstance(value, list) else value


def comparable_metrics(metrics: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return definitions by name; the number of a step's metric is replaced by its name."""
    names = [each.get("1") or each.get("2") for each in metrics]
    made: list[dict[str, Any]] = []
    for each in metrics:
        step = {"5": names[each["5"] - 1]} if "5" in each else {}
        made.append({key: in_order(value) for key, value in each.items()} | step)
    return sorted(made, key=lambda each: str(each.get("1") or each.get("2")))


def comparable(value: JsonInput) -> Any:  # Any: as above
    """Replace NaN by a word, because it is equal to nothing; keep the sign of zero and the type of numbers."""
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else f"{value!r}" if value == 0.0 else value
    if isinstance(value, bool | int):
        return (type(value).__name__, value) if isinstance(value, bool) else value
    if isinstance(value, Mapping):
        return {key: comparable(member) for key, member in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [comparable(member) for member in value]
    return value


def different(here: Read, there: Read, place: str = "") -> dict[str, tuple[Read, Read]]:
    """What differs, by place, such as ``config/lr``; lists of the same length are compared item by item."""
    pairs: dict[str, tuple[Read, Read]] = {}
    if isinstance(here, dict) and isinstance(there, dict):
        pairs = {str(key): (here.get(key, ABSENT), there.get(key, ABSENT)) for key in here | there}
    elif isinstance(here, list | tuple) and isinstance(there, list | tuple) and len(here) == len(there):
        pairs = {str(index): pair for index, pair in enumerate(zip(here, there, strict=True))}
    elif here != there:
        return {place.removeprefix("/"): (here, there)}
    found: dict[str, tuple[Read, Read]] = {}
    for key, pair in pairs.items():
        found |= different(*pair, f"{place}/{key}")
    return found
