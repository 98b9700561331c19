"""Rows as instances of a type: the keys to request, and the rows that have them, made in batches."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, Generic, Literal, Protocol, TypeAlias, TypeVar

from runql.arguments import shown
from runql.errors import UnexpectedValueError
from runql.projections.checked import OnInvalid, read_values
from runql.projections.projection import Projection
from runql.projections.shapes import Shape
from runql.quick_dataclasses import dataclass
from runql.values import JSONValue, refuse_surrogates

Row: TypeAlias = dict[str, JSONValue]
T = TypeVar("T")
R_co = TypeVar("R_co", covariant=True)

BATCH_ROWS: Final = 1024
"""Rows that pydantic checks with one call; where one of them does not fit, each is checked alone."""

STEP: Final = "_step"


@dataclass(frozen=True, slots=True)
class RowKeys:
    """The keys of a row type, as a scan requests them.

    Attributes:
        keys: each once.
        required: those that a row must have; `_step`, which every row has, is not among them.
    """

    keys: tuple[str, ...]
    required: tuple[str, ...]

    @classmethod
    def of(cls, shape: Shape) -> RowKeys:
        """Return the keys that a row type names.

        Raises:
            ValueError: one is no metric name, or a field is read from one of several keys.
        """
        _refuse_choices(shape)
        needed: dict[str, bool] = {}
        for key, required in shape.leaves():
            needed[_checked(key)] = needed.get(key, False) or required
        # Every row has a step: it says nothing about which rows are meant.
        keys = tuple(key for key in needed if key != STEP) or (STEP,)
        return cls(keys, tuple(key for key in keys if needed[key] and key != STEP))

    @property
    def match(self) -> Literal["all", "any"]:
        """Rows that have all keys, where all are required; else those that have any, of which some are left out."""
        return "all" if len(self.required) == len(self.keys) or self.keys == (STEP,) else "any"


class RowMaker(Protocol[R_co]):
    """Makes the rows that a scan returns."""

    @property
    def skipped(self) -> list[tuple[Row, UnexpectedValueError]]:
        """Rows that were left out."""
        ...

    def begin(self) -> None:
        """Forget what was left out."""
        ...

    def make(self, rows: Iterator[Row]) -> Iterator[R_co]:
        """Return what the scan returns for each row."""
        ...


class PlainRows:
    """Rows as they are."""

    def __init__(self) -> None:
        self.skipped: list[tuple[Row, UnexpectedValueError]] = []

    def __repr__(self) -> str:
        return "PlainRows()"

    def begin(self) -> None:
        """Nothing is left out."""

    def make(self, rows: Iterator[Row]) -> Iterator[Row]:
        """Return the rows."""
        return rows


class TypedRows(Generic[T]):
    """Rows as instances of a type.

    Attributes:
        skipped: rows that do not fit, with ``on_invalid="skip"``.
    """

    def __init__(self, projection: Projection[T], run: str, on_invalid: OnInvalid) -> None:
        self._projection = projection
        self._run = run
        self._on_invalid = on_invalid
        self.skipped: list[tuple[Row, UnexpectedValueError]] = []

    def __repr__(self) -> str:
        kind = self._projection.kind
        return f"TypedRows({kind.__module__}.{kind.__qualname__}, {self._on_invalid!r})"

    def begin(self) -> None:
        """Forget what was left out."""
        self.skipped = []

    def make(self, rows: Iterable[Row]) -> Iterator[T]:
        """Return an instance for each row.

        Raises:
            UnexpectedValueError: a row does not fit; the rows before it were returned.
        """
        remaining = iter(rows)
        while batch := list(islice(remaining, BATCH_ROWS)):
            made = self._projection.read_rows(batch)
            yield from self._one_by_one(batch) if made is None else made

    def _one_by_one(self, rows: Sequence[Row]) -> Iterator[T]:
        for row in rows:
            try:
                made = read_values(self._projection, row, self._run, "row", _step_of(row))
            except UnexpectedValueError as error:
                if self._on_invalid == "raise":
                    raise
                self.skipped.append((row, error))
            else:
                yield made


def _step_of(row: Row) -> int | None:
    step = row.get(STEP)
    if isinstance(step, float) and math.isfinite(step):
        return int(step)
    return step if isinstance(step, int) and not isinstance(step, bool) else None


def _checked(key: str) -> str:
    if not key or key != key.strip() or not key.isprintable():
        raise ValueError(
            f"row has a key that is no metric name, {shown(key)}: a name is a str that is not empty, without blanks "
            "around it or control characters"
        )
    refuse_surrogates(key, "a key of row")
    return key


def _refuse_choices(shape: Shape) -> None:
    for each in shape.fields:
        if len(each.paths) > 1:
            names = ", ".join(".".join(path) for path in each.paths)
            raise ValueError(
                f"row has a field of several keys ({names}), and a scan requests one: give it one alias"
            )
        if each.inner is not None:
            _refuse_choices(each.inner)
