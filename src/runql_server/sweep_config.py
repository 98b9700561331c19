"""What a sweep's configuration says: its search method, its metric, and how many runs it will take."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import prod

import yaml  # type: ignore[import-untyped]  # its stubs are a package of their own

from runql_server import jsontext
from runql_server.errors import RequestError
from runql_server.jsontext import JsonValue


@dataclass(frozen=True)
class SweepConfig:
    """The parts of a configuration that the server acts on.

    Attributes:
        method: the search method; the SDK refuses a configuration without one, other clients may not.
        metric: name of the summary value that is searched over, None without one.
        maximize: whether more of it is better.
        expected_runs: how many runs the search will take, None when it has no end.
    """

    method: str
    metric: str | None
    maximize: bool
    expected_runs: int | None


def parse(text: str) -> SweepConfig:
    """Read the YAML text of a configuration.

    Raises:
        RequestError: it is not YAML, or not a mapping.
    """
    try:
        # By way of JSON: what YAML alone has (dates, sets, bytes) becomes text.
        document = jsontext.parse(json.dumps(yaml.safe_load(text), default=str), what="config")
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise RequestError(f"config: not YAML: {error}") from error
    if not isinstance(document, dict):
        raise RequestError("config: a sweep's configuration must be a mapping")
    metric, method, cap = document.get("metric"), document.get("method"), document.get("run_cap")
    name, goal = (metric.get("name"), metric.get("goal")) if isinstance(metric, dict) else (None, None)
    grid = _combinations(document.get("parameters")) if method == "grid" else None
    limits = [limit for limit in (cap, grid) if isinstance(limit, int) and not isinstance(limit, bool)]
    return SweepConfig(
        method=method if isinstance(method, str) else "",
        metric=name if isinstance(name, str) else None,
        maximize=goal == "maximize",
        expected_runs=min(limits, default=None),
    )


def _combinations(parameters: JsonValue) -> int | None:
    """How many points a grid has; None when a parameter does not list its values."""
    if not isinstance(parameters, dict):
        return None
    counts = [_choices(parameter) for parameter in parameters.values()]
    return None if None in counts else prod(count for count in counts if count is not None)


def _choices(parameter: JsonValue) -> int | None:
    match parameter:
        case {"values": list(values)}:
            return len(values)
        case {"value": _}:
            return 1
        case {"parameters": nested}:
            return _combinations(nested)
        case _:
            return None
