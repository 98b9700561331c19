"""The axes of a sweep's page, and the runs that a visitor chose by their values there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from starlette.datastructures import QueryParams

from runql_server import lenient_json
from runql_server.lenient_json import JsonValue
from runql_server.pages.rendering import visible

_LONGEST_LABEL: Final = 60
_MOST_CHOICES: Final = 100
_PARTS: Final = ("min.", "max.", "is.")


@dataclass
class Axis:
    """One axis: numbers have a lowest and a highest, other values are chosen one by one.

    ``id`` names the axis in the address: ``min.lr``, ``max.lr``, ``is.lr``.
    """

    id: str
    label: str
    values: Sequence[JsonValue]
    numbers: Sequence[float]
    low: float | None = None
    high: float | None = None
    chosen: dict[str, None] = field(default_factory=dict[str, None])

    @property
    def lowest(self) -> str:
        """The least number, as a hint."""
        return f"{min(self.numbers):.4g}"

    @property
    def highest(self) -> str:
        """The greatest number, as a hint."""
        return f"{max(self.numbers):.4g}"

    @property
    def given(self) -> tuple[str, str]:
        """Lowest and highest of the range, as the fields of the form have them."""
        return _field(self.low), _field(self.high)

    @property
    def range(self) -> tuple[float | None, float | None] | None:
        """The chosen range of numbers."""
        return None if self.low is None and self.high is None else (self.low, self.high)

    @property
    def offered(self) -> list[str]:
        """The choices that the form has room for, those chosen first."""
        others = [each for each in self._choices if each not in self.chosen]
        return [*self.chosen, *others[: max(0, _MOST_CHOICES - len(self.chosen))]]

    @property
    def left_out(self) -> int:
        """How many choices the form has no room for."""
        return len(self._choices | self.chosen.keys()) - len(self.offered)

    @property
    def _choices(self) -> dict[str, None]:
        return dict.fromkeys(sorted(written(value) for value in self.values if value is not None))

    def holds(self, row: int) -> bool:
        """Whether a run is in the range; one without a value is in none."""
        value = self.values[row]
        if self.chosen:
            return value is not None and written(value) in self.chosen
        if self.range is None:
            return True
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


def written(value: JsonValue) -> str:
    """Write a value as the form has it; a form changes line ends."""
    return _as_sent(value if isinstance(value, str) else lenient_json.dump(value))


def read(
    names: Sequence[str], rows: Sequence[Sequence[JsonValue]], query: QueryParams
) -> tuple[list[Axis], list[str]]:
    """Return the axes with what the address chooses, and what it asks for in vain; each run has a row of values."""
    axes: dict[str, Axis] = {}
    for index, name in enumerate(names):
        label = visible(name, _LONGEST_LABEL)
        known = _as_sent(label)
        if known in axes or known.startswith("~"):
            known = f"~{index}"
        values = [row[index] for row in rows]
        axes[known] = Axis(known, label, values, _numbers(values))
    problems = [problem for problem in (_choose(axes, *pair) for pair in query.multi_items()) if problem]
    problems += [
        f"{axis.label}: the lowest, {axis.low:g}, is above the highest, {axis.high:g}"
        for axis in axes.values()
        if axis.low is not None and axis.high is not None and axis.low > axis.high
    ]
    return list(axes.values()), problems


def _numbers(values: Sequence[JsonValue]) -> list[float]:
    """Return the values when all of them are numbers; else nothing."""
    given = [value for value in values if value is not None]
    found: list[float] = [
        value for value in given if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    return found if len(found) == len(given) else []


def _choose(axes: dict[str, Axis], name: str, value: str) -> str | None:
    """Take one part of the address; return what is wrong with it."""
    part, dot, known = name.partition(".")
    if f"{part}{dot}" not in _PARTS or not value:
        return None
    axis, shown = axes.get(_as_sent(known)), visible(name, 80)
    if axis is None:
        return f"{shown}: this sweep has no such axis"
    if part == "is":
        if axis.numbers:
            return f"{shown}: its values are numbers, which have min and max"
        axis.chosen[_as_sent(value)] = None
        return None
    if not axis.numbers:
        return f"{shown}: not all of its values are numbers"
    number = _number(value)
    if number is None:
        return f"{shown}: a finite number, not {visible(value, 80)!r}"
    if part == "min":
        axis.low = number
    else:
        axis.high = number
    return None


def _number(given: str) -> float | None:
    try:
        number = float(given)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _field(number: float | None) -> str:
    return "" if number is None else repr(number).removesuffix(".0")


def _as_sent(name: str) -> str:
    return name.replace("\r\n", "\n").replace("\r", "\n")
