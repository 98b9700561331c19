"""Scans whose rows are instances of a type: the keys, and which rows have them, follow from its fields."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from runql.projections.checked import OnInvalid, checked_on_invalid
from runql.projections.projection import projection_of
from runql.projections.rows import PlainRows, RowKeys, TypedRows
from runql.resources.history.plan import ScanPlan

T = TypeVar("T")


def typed_plan(plan: ScanPlan, row: type[T], on_invalid: OnInvalid) -> tuple[ScanPlan, TypedRows[T]]:
    """Return the plan that reads the keys of a type, and what makes instances of the rows.

    Raises:
        ValueError: ``keys`` or ``match`` are given too, ``on_invalid`` is unknown, or a key is no metric name.
        TypeError: ``row`` has no fields.
    """
    if plan.keys is not None or plan.match != "all":
        raise ValueError(
            "give row, or keys and match: the fields of row are the keys, the required ones must be there"
        )
    chosen = checked_on_invalid(on_invalid)
    projection = projection_of("row", row)
    named = RowKeys.of(projection.shape)
    required = named.required if named.match == "any" else ()
    typed = replace(plan, keys=named.keys, match=named.match, required=required)
    return typed, TypedRows(projection, plan.path, chosen)


def plain_rows(on_invalid: OnInvalid) -> PlainRows:
    """Return what leaves rows as they are.

    Raises:
        ValueError: ``on_invalid`` is given, and rows of any kind are valid.
    """
    if checked_on_invalid(on_invalid) != "raise":
        raise ValueError("on_invalid is about the rows of a type: give row too")
    return PlainRows()
