"""Filters and orders of runs as typed expressions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, Generic, Literal, NoReturn, TypeAlias, TypeVar

from runql.arguments import shown
from runql.values import JSONInput

T = TypeVar("T", bool, int, float, str, datetime)
State: TypeAlias = Literal[
    "running", "finished", "crashed", "failed", "killed", "pending", "preempting", "preempted"
]


_TYPES: Final[tuple[object, ...]] = (bool, int, float, str)


class Filter(Mapping[str, JSONInput]):
    """A condition that runs meet; combine several with ``&``, ``|`` and ``~``. It is the mapping that is sent."""

    def __init__(self, document: Mapping[str, JSONInput]) -> None:
        self._document = dict(document)

    def __getitem__(self, key: str) -> JSONInput:
        return self._document[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._document)

    def __len__(self) -> int:
        return len(self._document)

    def __and__(self, other: Filter) -> Filter:
        return all_of(self, other)

    def __or__(self, other: Filter) -> Filter:
        return any_of(self, other)

    def __invert__(self) -> Filter:
        return Filter({"$nor": [self._document]})

    def __bool__(self) -> NoReturn:
        raise TypeError(
            "a filter is neither true nor false: combine filters with &, | and ~, each in parentheses"
        )

    def __repr__(self) -> str:
        return json.dumps(self._document, default=dict)


class Field(Generic[T]):
    """A field of runs whose values have the type ``T``.

    Comparisons refuse NaN when the filter is used, and naive datetimes at once.
    """

    def __init__(self, key: str, order_key: str | None = None) -> None:
        self._key, self._order_key = key, order_key or key

    def eq(self, value: T | None) -> Filter:
        """Match an equal value; None matches a run without one."""
        return Filter({self._key: None if value is None else _sent(value)})

    def __eq__(self, value: T | None) -> Filter:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride] — a comparison makes a filter
        return self.eq(value)

    def __ne__(self, value: T | None) -> Filter:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride] — a comparison makes a filter
        return self.ne(value)

    __hash__ = None  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType] — as for every class whose == is no equality

    def ne(self, value: T | None) -> Filter:
        """Match other values, and runs without one; None matches a run with a value."""
        return self._compared("$ne", value)

    def __lt__(self, value: T) -> Filter:
        return self._compared("$lt", value)

    def __le__(self, value: T) -> Filter:
        return self._compared("$lte", value)

    def __gt__(self, value: T) -> Filter:
        return self._compared("$gt", value)

    def __ge__(self, value: T) -> Filter:
        return self._compared("$gte", value)

    def between(self, low: T, high: T) -> Filter:
        """Match values from ``low`` to ``high``, both included."""
        return Filter({self._key: {"$gte": _sent(low), "$lte": _sent(high)}})

    def is_in(self, *values: T) -> Filter:
        """Match a value that is one of these."""
        return Filter({self._key: {"$in": [_sent(value) for value in values]}})

    def exists(self) -> Filter:
        """Match runs with a value."""
        return Filter({self._key: {"$exists": True}})

    def matches(self: Field[str], pattern: str) -> Filter:
        """Match a str that contains the regular expression; its syntax is the server's."""
        return Filter({self._key: {"$regex": pattern}})

    def asc(self) -> str:
        """Return the order from low to high."""
        return f"+{self._order_key}"

    def desc(self) -> str:
        """Return the order from high to low."""
        return f"-{self._order_key}"

    def __bool__(self) -> NoReturn:
        raise TypeError(f"{self._key} is a field, neither true nor false: compare it, such as field.exists()")

    def _compared(self, operator: str, value: T | None) -> Filter:
        return Filter({self._key: {operator: None if value is None else _sent(value)}})


class StateField:
    """The state of a run."""

    def eq(self, value: State) -> Filter:
        """Match a run in this state."""
        return Filter({"state": value})

    def is_in(self, *values: State) -> Filter:
        """Match a run in one of these states."""
        return Filter({"state": {"$in": list(values)}})

    def other(self, value: str) -> Filter:
        """Match a state that `State` does not name."""
        return Filter({"state": value})


class TagsField:
    """The tags of a run."""

    def contains(self, tag: str) -> Filter:
        """Match a run that has the tag."""
        return Filter({"tags": tag})


def config(key: str, type: type[T]) -> Field[T]:  # noqa: A002 - the word of the field
    """Return a config entry; dots in ``key`` lead into nested entries or belong to the key."""
    _check(key, type)
    return Field(f"config.{key}", f"config.{key}.value")


def summary(key: str, type: type[T]) -> Field[T]:  # noqa: A002 - the word of the field
    """Return a summary value; dots in ``key`` lead into nested values or belong to the key."""
    _check(key, type)
    return Field(f"summary_metrics.{key}")


def all_of(*filters: Filter) -> Filter:
    """Match runs that meet every condition."""
    return Filter({"$and": list(filters)})


def any_of(*filters: Filter) -> Filter:
    """Match runs that meet at least one condition."""
    return Filter({"$or": list(filters)})


def _check(key: object, kind: object) -> None:
    if not isinstance(key, str) or not key:
        raise ValueError(f"the key must be a str that is not empty, not {shown(key)}")
    if not any(kind is each for each in _TYPES):
        raise TypeError(f"the type of {shown(key)} must be bool, int, float or str, not {shown(kind)}")


def _sent(value: bool | float | str | datetime) -> JSONInput:
    if not isinstance(value, datetime):
        return value
    if value.utcoffset() is None:
        raise ValueError(f"{value!r} has no time zone: use datetime.now(UTC) or value.replace(tzinfo=UTC)")
    return value.astimezone(UTC).replace(tzinfo=None).isoformat()


state: Final = StateField()
tags: Final = TagsField()
id: Final[Field[str]] = Field("name")  # noqa: A001 - the word of a run
display_name: Final[Field[str]] = Field("display_name")
created_at: Final[Field[datetime]] = Field("created_at")
heartbeat_at: Final[Field[datetime]] = Field("heartbeat_at")
sweep: Final[Field[str]] = Field("sweep")
group: Final[Field[str]] = Field("group")
job_type: Final[Field[str]] = Field("job_type")
user: Final[Field[str]] = Field("username")
