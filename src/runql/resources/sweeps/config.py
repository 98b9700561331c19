"""A sweep's configuration: parsing it, and the order of runs by its metric."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final

from runql.errors import MissingExtraError, UnreadableValueError
from runql.resources.runs.query import ORDER_COLUMNS, ORDER_PREFIXES
from runql.values import JSONValue, parse_json, parse_object

MOST_NODES: Final = 1_000_000
"""Values of a configuration, each counted as often as an alias repeats it."""

_TIMESTAMP: Final = "tag:yaml.org,2002:timestamp"
_FLOAT: Final = "tag:yaml.org,2002:float"
# PyYAML reads YAML 1.1, in which 1e-5 is a string because it has no point.
_POINTLESS_FLOAT: Final = re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+\Z")


def parse_sweep_config(text: str) -> dict[str, JSONValue]:
    """Parse a configuration: JSON, else YAML.

    Numbers such as ``1e-5`` are numbers, dates stay strings, keys become strings.

    Raises:
        UnreadableValueError: it is neither, or no mapping.
        MissingExtraError: it is YAML, and PyYAML is not installed.
    """
    if text.lstrip().startswith("{"):
        try:
            return parse_object(text)
        except ValueError:
            pass  # YAML has braces too
    value = _read_yaml(text)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UnreadableValueError(f"a sweep's configuration must be a mapping, read {text[:80]!r}")
    return value


def metric_order(config: Mapping[str, JSONValue]) -> str | None:
    """The order in which the best run comes first; None when the configuration names no metric."""
    metric = config.get("metric")
    name = metric.get("name") if isinstance(metric, dict) else None
    if not isinstance(metric, dict) or not isinstance(name, str) or not name:
        return None
    return run_order(f"-{name}" if metric.get("goal") == "maximize" else f"+{name}")


def run_order(key: str) -> str:
    """A metric or run column as an order of runs: descending without a sign; a metric is taken from the summary."""
    sign, name = (key[0], key[1:]) if key[:1] in {"+", "-"} else ("-", key)
    known = name in ORDER_COLUMNS or name.startswith(ORDER_PREFIXES)
    return f"{sign}{name if known else f'summary_metrics.{name}'}"


def _read_yaml(text: str) -> JSONValue:
    try:
        import yaml  # type: ignore[import-untyped]  # noqa: PLC0415 - optional, and its stubs are another package
    except ImportError as error:
        raise MissingExtraError(
            "yaml", extra="yaml", needed_for="the configuration of this sweep, which is YAML,"
        ) from error
    try:
        loader = yaml.SafeLoader(text)
        loader.yaml_implicit_resolvers = _resolvers(yaml.SafeLoader.yaml_implicit_resolvers)
        # By way of JSON: what only YAML has (keys that are numbers, sets, bytes) becomes a string.
        return parse_json(json.dumps(_checked_size(loader.get_single_data()), default=str))
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise UnreadableValueError(
            f"a sweep's configuration is neither JSON nor YAML ({error}): {text[:80]!r}"
        ) from error


def _checked_size(value: object) -> object:
    """Return a value of YAML unless its aliases, which JSON has not, make it large or let it contain itself."""
    pending, seen = [value], 0
    while pending:
        each = pending.pop()
        seen += 1
        if seen + len(pending) > MOST_NODES:
            raise ValueError(f"with its aliases it has more than {MOST_NODES:,} values")
        if isinstance(each, dict):
            pending += each.values()
        elif isinstance(each, (list, tuple, set)):
            pending += each
    return value


def _resolvers(
    given: Mapping[str, Sequence[tuple[str, re.Pattern[str]]]],
) -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    """The rules that turn plain scalars into other types, by first character: no dates, and all floats."""
    kept = {first: [rule for rule in rules if rule[0] != _TIMESTAMP] for first, rules in given.items()}
    for first in "+-0123456789":
        kept.setdefault(first, []).append((_FLOAT, _POINTLESS_FLOAT))
    return kept
