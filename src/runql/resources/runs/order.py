"""The value that a list of runs is ordered by, read from runs in the full shape."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

from runql.callers import level_outside_runql
from runql.errors import UnorderedError, UnorderedWarning, UnreadableValueError
from runql.values import SPELLED_FLOATS, JSONValue, parse_config, parse_object, parse_summary
from runql_graphql.fragments import FullRunFields, RunFields


def ordered_value(order: str, fields: FullRunFields) -> JSONValue:
    """The value of a run that an order such as ``-summary_metrics.loss`` or ``+config.lr.value`` compares.

    None when the run has none.
    """
    prefix, _, key = order[1:].partition(".")
    if prefix == "summary_metrics":
        return _value_at(parse_summary(fields.summary_metrics), key.split("."))
    stored = _value_at(parse_object(fields.config), key.split("."))
    if stored is not None:
        return stored
    # A nested value is stored as `a.value.b`; some servers take `a.b.value` for it.
    return _value_at(parse_config(fields.config).values, key.removesuffix(".value").split("."))


def is_by_value(order: str) -> bool:
    """Whether the order compares values that a run may lack, not a column that each run has."""
    return order[1:].startswith(("summary_metrics.", "config."))


def is_rankable(value: JSONValue) -> bool:
    """Whether a value can be compared: NaN, infinities, lists and objects cannot."""
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, (int, str)) and value not in SPELLED_FLOATS


def warn_if_unordered(
    path: str, order: str, runs: Sequence[RunFields | FullRunFields], *, strict: bool = False
) -> None:
    """Warn when no run of a first page has the value that the list is ordered by, or raise. It skips light runs.

    Raises:
        UnorderedError: with ``strict``, in place of the warning.
    """
    full = [fields for fields in runs if isinstance(fields, FullRunFields)]
    if not full or not is_by_value(order):
        return
    try:
        found = any(ordered_value(order, fields) is not None for fields in full)
    except UnreadableValueError:
        # The caller gets this error when reading the value itself.
        return
    if not found and strict:
        raise UnorderedError(path, order, f"the first {len(full)} runs")
    if not found:
        warnings.warn(
            f"none of the first {len(full)} runs of {path} has {order[1:]}, so their order means nothing. Check the "
            "spelling against Run.summary and Run.config, or filter by {'$exists': True}",
            UnorderedWarning,
            stacklevel=level_outside_runql(),
        )


def _value_at(held: JSONValue, parts: Sequence[str]) -> JSONValue:
    """The value at a dotted name. Keys may hold dots themselves: the longest key that is present counts."""
    if not parts:
        return held
    if not isinstance(held, dict):
        return None
    for length in range(len(parts), 0, -1):
        key = ".".join(parts[:length])
        if key in held and (found := _value_at(held[key], parts[length:])) is not None:
            return found
    return None
