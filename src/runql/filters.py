"""Filters and orders of runs as typed expressions."""

from __future__ import annotations

import builtins
import json
import math
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, Generic, Literal, Never, NoReturn, TypeAlias, TypeVar, get_args

from runql.arguments import checked_str, shown
from runql.values import Filters, JSONInput

T = TypeVar("T", bool, int, float, str, datetime)
V = TypeVar("V", bool, int, float, str)
State: TypeAlias = Literal[
    "running", "finished", "crashed", "failed", "killed", "pending", "preempting", "preempted"
]
"""The states that a server gives to runs."""

_STATES: Final[tuple[str, ...]] = get_args(State)
_RUNS_ALONE: Final = frozenset(
    {"display_name", "duration", "group", "heartbeat_at", "host", "job_type", "notes", "sweep", "username"}
)
_TYPES: Final[tuple[object, ...]] = (bool, int, float, str)


class NotABool:
    """What a filter and a field are in place of a bool; a checker reports it, and Python raises TypeError."""


class Order(str):
    """An order of runs: the str ``+`` or ``-`` and a key, as `Field.asc` and `Field.desc` make it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Order({str(self)!r})"


class Filter(Mapping[str, JSONInput]):
    """A condition that runs meet; combine several with ``&``, ``|`` and ``~``. It is the mapping that is sent.

    ``Filter({...})`` makes one of a filter in the server's language.
    """

    def __init__(self, document: Filters) -> None:
        if not isinstance(document, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] — callers may be untyped
            raise TypeError(f"a filter is made of a dict, not {type(document).__name__}")
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
        return Filter({"$nor": [self]})

    def __bool__(self) -> NotABool:
        raise TypeError(
            "a filter is neither true nor false: combine filters with &, | and ~, each in parentheses"
        )

    def __repr__(self) -> str:
        return json.dumps(self._document, default=dict)


class Field(Generic[T]):  # noqa: PLW1641 - what has a == that is no equality has no hash
    """A field of runs whose values have the type ``T``; comparing it makes a `Filter`, and ordering by it an `Order`.

    Raises:
        TypeError: a value has another type.
        ValueError: a value is NaN or infinite, or a datetime has no time zone.
    """

    def __init__(self, key: str, type: type[T], order_key: str | None = None) -> None:  # noqa: A002 - the word of the field
        self._key, self._order_key = key, order_key or key
        self._type: builtins.type[T] = type

    def __repr__(self) -> str:
        return f"<Field {self._key}: {self._type.__name__}>"

    def eq(self, value: T | None) -> Filter:
        """Match an equal value; None matches a run without one."""
        return Filter({self._key: None if value is None else self._sent(value)})

    def __eq__(self, value: T | None) -> Filter:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride] — a comparison makes a filter
        return self.eq(value)

    def __ne__(self, value: T | None) -> Filter:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride] — a comparison makes a filter
        return self.ne(value)

    def ne(self, value: T | None) -> Filter:
        """Match other values, and runs without one; None matches a run with a value."""
        return Filter({self._key: {"$ne": None if value is None else self._sent(value)}})

    def __lt__(self, value: T) -> Filter:
        return self._ranked("$lt", value)

    def __le__(self, value: T) -> Filter:
        return self._ranked("$lte", value)

    def __gt__(self, value: T) -> Filter:
        return self._ranked("$gt", value)

    def __ge__(self, value: T) -> Filter:
        return self._ranked("$gte", value)

    def between(self, low: T, high: T) -> Filter:
        """Match values from ``low`` to ``high``, both included."""
        return all_of(self >= low, self <= high)

    def is_in(self, *values: T) -> Filter:
        """Match a value that is one of these."""
        _some(self._key, values)
        return Filter({self._key: {"$in": [self._sent(value) for value in values]}})

    def exists(self) -> Filter:
        """Match runs with a value."""
        return Filter({self._key: {"$exists": True}})

    def matches(self: Field[str], pattern: str) -> Filter:
        """Match a str that contains the regular expression; its syntax is the server's."""
        if self._type is not str:  # pyright: ignore[reportUnnecessaryComparison] — callers may be untyped
            raise TypeError(f"{self._key} holds no str: it matches no regular expression")
        return Filter({self._key: {"$regex": checked_str("pattern", pattern)}})

    def asc(self) -> Order:
        """Return the order from low to high."""
        return Order(f"+{self._order_key}")

    def desc(self) -> Order:
        """Return the order from high to low."""
        return Order(f"-{self._order_key}")

    def __bool__(self) -> NotABool:
        raise TypeError(
            f"{self._key} is a field, neither true nor false: compare it, such as field.exists(), or order by field.desc()"
        )

    def _ranked(self, operator: str, value: T) -> Filter:
        if self._type is bool:
            raise TypeError(f"{self._key} is true or false, not more or less: use .eq(True) or .eq(False)")
        return Filter({self._key: {operator: self._sent(value)}})

    def _sent(self, value: bool | float | str | datetime) -> JSONInput:
        if not _fits(value, self._type):
            raise TypeError(f"{self._key} is compared with {self._type.__name__}, not {shown(value)}")
        if isinstance(value, datetime):
            if value.utcoffset() is None:
                raise ValueError(
                    f"{value!r} has no time zone: use datetime.now(UTC) or value.replace(tzinfo=UTC)"
                )
            return value.astimezone(UTC).replace(tzinfo=None).isoformat()
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError(f"{self._key} is compared with {value}: JSON has finite numbers only")
        return value


class StateField:  # noqa: PLW1641 - as `Field`
    """The state of a run."""

    def eq(self, value: State) -> Filter:
        """Match a run in this state."""
        return Filter({"state": _known(value)})

    def ne(self, value: State) -> Filter:
        """Match a run in another state."""
        return Filter({"state": {"$ne": _known(value)}})

    def __eq__(self, value: State) -> Filter:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride] — a comparison makes a filter
        return self.eq(value)

    def __ne__(self, value: State) -> Filter:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride] — a comparison makes a filter
        return self.ne(value)

    def is_in(self, *values: State) -> Filter:
        """Match a run in one of these states."""
        _some("state", values)
        return Filter({"state": {"$in": [_known(value) for value in values]}})

    def other(self, value: str) -> Filter:
        """Match a state that `State` does not name."""
        return Filter({"state": checked_str("state", value)})

    def asc(self) -> Order:
        """Return the order of the states' names."""
        return Order("+state")

    def desc(self) -> Order:
        """Return the opposite order of the states' names."""
        return Order("-state")

    def __bool__(self) -> NotABool:
        raise TypeError("state is a field, neither true nor false: compare it, such as state.eq('finished')")


class TagsField:  # noqa: PLW1641 - as `Field`
    """The tags of a run."""

    def contains(self, tag: str) -> Filter:
        """Match a run that has the tag."""
        return Filter({"tags": checked_str("tag", tag)})

    def contains_any(self, *tags: str) -> Filter:
        """Match a run that has at least one of the tags."""
        _some("tags", tags)
        return Filter({"tags": {"$in": [checked_str("tag", tag) for tag in tags]}})

    def __eq__(self, value: Never) -> NoReturn:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride] — it always raises
        raise TypeError("tags are several: use tags.contains('x') or tags.contains_any('x', 'y')")

    def __ne__(self, value: Never) -> NoReturn:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride] — it always raises
        raise TypeError("tags are several: use ~tags.contains('x')")

    def __bool__(self) -> NotABool:
        raise TypeError("tags is a field, neither true nor false: use tags.contains('x')")


def config(key: str, type: type[V]) -> Field[V]:  # noqa: A002 - the word of the field
    """Return a config entry; dots in ``key`` lead into nested entries or belong to the key."""
    _check(key, type)
    return Field(f"config.{key}", type, f"config.{key}.value")


def summary(key: str, type: type[V]) -> Field[V]:  # noqa: A002 - the word of the field
    """Return a summary value; dots in ``key`` lead into nested values or belong to the key."""
    _check(key, type)
    return Field(f"summary_metrics.{key}", type)


def all_of(*filters: Filter) -> Filter:
    """Match runs that meet every condition."""
    return Filter({"$and": _conditions("all_of", filters)})


def any_of(*filters: Filter) -> Filter:
    """Match runs that meet at least one condition."""
    return Filter({"$or": _conditions("any_of", filters)})


def _conditions(name: str, filters: tuple[Filter, ...]) -> list[Filter]:
    if not filters:
        raise ValueError(f"{name} needs at least one filter")
    for each in filters:
        if not isinstance(each, Filter):  # pyright: ignore[reportUnnecessaryIsInstance] — callers may be untyped
            raise TypeError(
                f"a filter is combined with filters, not {shown(each)}: compare a field, or use Filter({{...}})"
            )
    return list(filters)


def _check(key: object, kind: object) -> None:
    if not (name := checked_str("the key", key)):
        raise ValueError("the key must be a str that is not empty")
    if name.startswith("summary_metrics."):
        raise ValueError(f"the key {shown(name)} has a prefix of the server's language: leave it out")
    if not any(kind is each for each in _TYPES):
        raise TypeError(f"the type of {shown(key)} must be bool, int, float or str, not {shown(kind)}")


def refuse_run_fields(filters: Filters | None, of: str) -> None:
    """Refuse a filter expression that names what runs alone have, where others than runs are listed.

    Raises:
        ValueError: the error names the field.
    """
    for field in _fields(filters) if isinstance(filters, Filter) else ():
        if field in _RUNS_ALONE or field.startswith(("config.", "summary_metrics.")):
            raise ValueError(
                f"filters: {field!r} is a field of runs, and this lists {of}: give a dict of their fields"
            )


def _fields(value: JSONInput) -> Iterator[str]:
    """Yield the fields that a filter names, at any depth."""
    if isinstance(value, Mapping):
        for key, member in value.items():
            if key.startswith("$"):
                yield from _fields(member)
            else:
                yield key
    elif isinstance(value, list):
        for member in value:
            yield from _fields(member)


def _fits(value: object, kind: object) -> bool:
    """Whether a field of this type is compared with the value: an int is a float, a bool is no number."""
    if isinstance(value, bool):
        return kind is bool
    if isinstance(value, int):
        return kind is int or kind is float
    return isinstance(value, kind) if isinstance(kind, type) else False


def _some(name: str, values: tuple[object, ...]) -> None:
    if not values:
        raise ValueError(f"{name} is compared with no value, which matches no run: give at least one")


def _known(value: object) -> str:
    if value not in _STATES:
        raise ValueError(
            f"a run's state is one of {', '.join(_STATES)}, not {shown(value)}: use state.other for another"
        )
    return str(value)


state: Final = StateField()
tags: Final = TagsField()
id: Final[Field[str]] = Field("name", str)  # noqa: A001 - the word of a run
"""The id of a run, which the server calls its name."""
display_name: Final[Field[str]] = Field("display_name", str)
"""The name that the user interface shows, `Run.name`."""
created_at: Final[Field[datetime]] = Field("created_at", datetime)
updated_at: Final[Field[datetime]] = Field("updated_at", datetime)
heartbeat_at: Final[Field[datetime]] = Field("heartbeat_at", datetime)
duration: Final[Field[float]] = Field("duration", float)
"""Seconds from the creation to the last heartbeat."""
sweep: Final[Field[str]] = Field("sweep", str)
"""The short id of the sweep."""
group: Final[Field[str]] = Field("group", str)
job_type: Final[Field[str]] = Field("job_type", str)
host: Final[Field[str]] = Field("host", str)
notes: Final[Field[str]] = Field("notes", str)
user: Final[Field[str]] = Field("username", str)
"""The user name of the owner."""
