"""Reads the predicates that polars gives to a source; what is not understood is left to polars."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from runql.quick_dataclasses import dataclass
from runql.values import JSONValue

if TYPE_CHECKING:
    import polars as pl

Literal: TypeAlias = bool | int | float | str

_MIRRORED: Final = {"Lt": "Gt", "LtEq": "GtEq", "Gt": "Lt", "GtEq": "LtEq", "Eq": "Eq", "NotEq": "NotEq"}
_ARITHMETIC: Final = frozenset({"Plus", "Minus", "Multiply", "Divide", "TrueDivide"})
_STRICT_FUNCTIONS: Final = frozenset({"IsNotNull", "IsFinite", "IsInfinite", "IsNan", "IsNotNan"})
_EXACT: Final = 2**52


@dataclass(frozen=True, slots=True)
class Comparison:
    """A column that is compared with literals.

    Attributes:
        column: its name.
        operator: ``Eq``, ``Lt``, ``LtEq``, ``Gt``, ``GtEq``, ``In`` or ``Contains``.
        values: one literal, or several for ``In``.
    """

    column: str
    operator: str
    values: Sequence[Literal]


def comparisons(predicate: pl.Expr | None) -> list[Comparison]:
    """Return comparisons that hold for every row for which the predicate is true."""
    return [found for part in _conjunction(_tree(predicate)) for found in _compared(part)]


def required_columns(predicate: pl.Expr | None) -> set[str]:
    """Return columns that have a value in every row for which the predicate is true."""
    return _required(_tree(predicate))


def step_bounds(found: Sequence[Comparison], column: str) -> tuple[int, int | None]:
    """Return the first step and the step before which rows end, None for no end."""
    first, end = 0, None
    for each in found:
        if each.column != column or each.operator in ("In", "Contains"):
            continue
        (value,) = each.values
        if isinstance(value, (bool, str)) or not math.isfinite(value) or abs(value) > _EXACT:
            continue
        low, high = math.ceil(value), math.floor(value)
        if each.operator in ("Gt", "GtEq", "Eq"):
            first = max(first, high + 1 if each.operator == "Gt" else low)
        if each.operator in ("Lt", "LtEq", "Eq"):
            stop = low if each.operator == "Lt" else high + 1
            end = stop if end is None else min(end, stop)
    return first, end


def chosen_strings(found: Sequence[Comparison], column: str) -> list[str] | None:
    """Return the strings that a column can have, in order; None for any."""
    chosen: list[str] | None = None
    for each in found:
        if each.column != column or each.operator not in ("Eq", "In"):
            continue
        values = [value for value in each.values if isinstance(value, str)]
        if len(values) < len(each.values):
            continue
        chosen = values if chosen is None else [value for value in chosen if value in values]
    return None if chosen is None else list(dict.fromkeys(chosen))


def _tree(predicate: pl.Expr | None) -> JSONValue:
    if predicate is None:
        return None
    import warnings  # noqa: PLC0415 - only where a predicate arrives

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree: JSONValue = json.loads(predicate.meta.serialize(format="json"))
        except Exception:  # noqa: BLE001 - any expression that polars cannot write is left to polars
            return None
    return tree


def _conjunction(tree: JSONValue) -> Iterator[JSONValue]:
    match tree:
        case {"BinaryExpr": {"op": "And" | "LogicalAnd", "left": left, "right": right}}:
            yield from _conjunction(left)
            yield from _conjunction(right)
        case _:
            yield tree


def _compared(tree: JSONValue) -> Iterator[Comparison]:
    match tree:
        case {
            "BinaryExpr": {"op": str(operator), "left": {"Column": str(name)}, "right": {"Literal": value}}
        }:
            yield from _single(name, operator, value)
        case {
            "BinaryExpr": {"op": str(operator), "left": {"Literal": value}, "right": {"Column": str(name)}}
        }:
            yield from _single(name, _MIRRORED.get(operator, ""), value)
        case {"BinaryExpr": {"op": "Or" | "LogicalOr", "left": left, "right": right}}:
            yield from _either([*_conjunction(left)], [*_conjunction(right)])
        case {
            "Function": {
                "input": [{"Column": str(name)}, {"Literal": low}, {"Literal": high}],
                "function": {"Boolean": {"IsBetween": {"closed": str(closed)}}},
            }
        }:
            yield from _single(name, "GtEq" if closed in ("Both", "Left") else "Gt", low)
            yield from _single(name, "LtEq" if closed in ("Both", "Right") else "Lt", high)
        case {
            "Function": {
                "input": [{"Column": str(name)}, {"Literal": _} as listed],
                "function": {"Boolean": {"IsIn": {"nulls_equal": False}}},
            }
        }:
            values = _listed(listed)
            if values is not None:
                yield Comparison(name, "In", values)
        case {
            "Function": {"input": [{"Column": str(name)}, {"Literal": value}], "function": {"ListExpr": kind}}
        }:
            if kind == "Contains" or (isinstance(kind, dict) and "Contains" in kind):
                yield from _single(name, "Contains", value)
        case _:
            return


def _single(name: str, operator: str, literal: JSONValue) -> Iterator[Comparison]:
    if operator not in ("Eq", "Lt", "LtEq", "Gt", "GtEq", "Contains"):
        return
    match literal:
        case {"Scalar": dict(typed)} | {"Dyn": dict(typed)} if len(typed) == 1:
            ((kind, value),) = typed.items()
            known = kind in ("String", "Boolean", "Float64", "Float", "Int", "Str") or kind.startswith(
                ("Int", "UInt")
            )
            if known and isinstance(value, (bool, int, float, str)):
                yield Comparison(name, operator, [value])
        case _:
            return


def _either(left: Sequence[JSONValue], right: Sequence[JSONValue]) -> Iterator[Comparison]:
    """Yield the choice of values of a column that both alternatives choose."""
    chosen = [
        {each.column: each for part in parts for each in _compared(part) if each.operator in ("Eq", "In")}
        for parts in (left, right)
    ]
    for name in chosen[0].keys() & chosen[1].keys():
        yield Comparison(name, "In", [*chosen[0][name].values, *chosen[1][name].values])


def _listed(literal: JSONValue) -> list[Literal] | None:
    """Return the values of a list that is a literal; None where there are others than str and numbers, or too many."""
    import polars as pl  # noqa: PLC0415 - optional: an expression of it is here, so it is installed

    try:
        expression = pl.Expr.deserialize(io.StringIO(json.dumps(literal)), format="json")
        found: list[object] = pl.select(expression).to_series().to_list()
    except Exception:  # noqa: BLE001 - as in `_tree`
        return None
    cells: list[object] = [*found[0]] if len(found) == 1 and isinstance(found[0], list) else found  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - the items of a list of objects
    values = [value for value in cells if isinstance(value, (bool, int, float, str))]
    # A null in the list matches no row.
    return values if len(values) == sum(value is not None for value in cells) else None


def _required(tree: JSONValue) -> set[str]:
    match tree:
        case {"BinaryExpr": {"op": "And" | "LogicalAnd", "left": left, "right": right}}:
            return _required(left) | _required(right)
        case {"BinaryExpr": {"op": "Or" | "LogicalOr", "left": left, "right": right}}:
            return _required(left) & _required(right)
        case {"BinaryExpr": {"op": str(operator), "left": left, "right": right}} if operator in _MIRRORED:
            return _strict(left) | _strict(right)
        case {"Function": {"input": [one], "function": {"Boolean": str(name)}}} if name in _STRICT_FUNCTIONS:
            return _strict(one)
        case {"Function": {"input": [one, *_], "function": {"Boolean": {"IsBetween": _}}}}:
            return _strict(one)
        case {"Function": {"input": [one, _], "function": {"Boolean": {"IsIn": {"nulls_equal": False}}}}}:
            return _strict(one)
        case _:
            return set()


def _strict(tree: JSONValue) -> set[str]:
    """Return the columns whose null makes the expression null."""
    match tree:
        case {"Column": str(name)}:
            return {name}
        case {"BinaryExpr": {"op": str(operator), "left": left, "right": right}} if operator in _ARITHMETIC:
            return _strict(left) | _strict(right)
        case _:
            return set()
