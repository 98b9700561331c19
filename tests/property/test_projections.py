"""A projection reads what the dict holds: the same values, one by one and in batches; what it refuses has another type."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, NotRequired, TypeVar

from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from tests.profiles import examples
from typing_extensions import TypedDict

from runql.errors import UnexpectedValueError
from runql.frames.batches import step_of
from runql.projections.checked import read_values
from runql.projections.projection import Projection, projection_of
from runql.projections.rows import RowKeys, TypedRows
from runql.values import JSONValue

T = TypeVar("T")
KEYS = ("f", "i", "b", "s", "train/loss")
SCALARS: st.SearchStrategy[JSONValue] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["1", "true", "half \ud800", "NaN"]),
)
OBJECT: JSONValue = {"f": 1.5}
VALUES: st.SearchStrategy[JSONValue] = st.one_of(SCALARS, st.lists(SCALARS, max_size=2), st.just(OBJECT))
NUMBERS: st.SearchStrategy[JSONValue] = st.one_of(
    st.booleans(), st.integers(), st.floats(), st.just(10**400), st.just(1.0)
)
ROWS = st.dictionaries(st.sampled_from((*KEYS, "other", "_step")), VALUES)


class Model(BaseModel):
    """Every kind of number, some of them optional."""

    f: float
    i: int | None = None
    b: bool = False
    s: str = ""
    loss: float | None = Field(default=None, alias="train/loss")


@dataclass
class Data:
    """The same as `Model`."""

    f: float
    i: int | None = None
    b: bool = False
    s: str = ""
    loss: Annotated[float | None, Field(alias="train/loss")] = None


class Typed(TypedDict):
    """The first keys of `Model`."""

    f: float
    i: NotRequired[int | None]
    b: NotRequired[bool]
    s: NotRequired[str]


class Numbers(BaseModel):
    """Numbers alone, which are not written as JSON to be checked."""

    f: float
    i: int | None
    b: bool


class Outer(BaseModel):
    """A nested type and a path into an object."""

    inner: Typed
    far: int = Field(default=0, alias="a.b")


def is_float(value: JSONValue) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_int(value: JSONValue) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_str(value: JSONValue) -> bool:
    return isinstance(value, str) and "\ud800" not in value


def fits(row: Mapping[str, JSONValue]) -> bool:
    """The rules for `Model`, written down again."""
    return (
        is_float(row.get("f"))
        and (row.get("i") is None or is_int(row["i"]))
        and ("b" not in row or isinstance(row["b"], bool))
        and ("s" not in row or is_str(row["s"]))
        and (row.get("train/loss") is None or is_float(row["train/loss"]))
    )


def equal(found: object, given: JSONValue) -> bool:
    if isinstance(found, float) and isinstance(given, (int, float)):
        try:
            return float(given) == found or (math.isnan(found) and math.isnan(given))
        except OverflowError:
            return math.isinf(found)
    return found == given


def read(projection: Projection[T], row: Mapping[str, JSONValue]) -> T | UnexpectedValueError:
    try:
        return read_values(projection, row, "e/p/r", "row")
    except UnexpectedValueError as error:
        return error


@examples(400)
@given(ROWS)
def test_a_row_fits_by_the_rules_and_has_the_values_of_the_dict(row: dict[str, JSONValue]) -> None:
    for kind in (Model, Data):
        found = read(projection_of("row", kind), row)
        assert isinstance(found, kind) == fits(row)
        if isinstance(found, (Model, Data)):
            for name in ("f", "i", "b", "s"):
                assert name not in row or equal(getattr(found, name), row[name])
            assert equal(found.loss, row.get("train/loss"))
        else:
            assert isinstance(found, UnexpectedValueError)
            assert found.key in KEYS
            assert repr(found.value) == repr(row.get(found.key))


@examples(400)
@given(ROWS)
def test_a_typed_dict_is_a_part_of_the_dict(row: dict[str, JSONValue]) -> None:
    found = read(projection_of("row", Typed), row)
    if not isinstance(found, UnexpectedValueError):
        assert all(equal(value, row[key]) for key, value in found.items())
        assert set(found) == {"f", "i", "b", "s"} & set(row)
    else:
        assert not fits({key: value for key, value in row.items() if key != "train/loss"})


def batched_as_alone(kind: type[BaseModel], rows: list[dict[str, JSONValue]]) -> None:
    projection = projection_of("row", kind)
    scan = TypedRows(projection, "e/p/r", "skip")
    made = list(scan.make(iter(rows)))
    alone = list(map(partial(read, projection), rows))
    assert list(map(repr, made)) == [repr(each) for each in alone if isinstance(each, kind)]
    assert [str(error) for _, error in scan.skipped] == [
        str(each) for each in (read_again(projection, row) for row in rows) if each is not None
    ]
    assert len(made) + len(scan.skipped) == len(rows)


@examples(200)
@given(st.lists(ROWS, max_size=8))
def test_batches_make_the_same_as_each_row_alone(rows: list[dict[str, JSONValue]]) -> None:
    batched_as_alone(Model, rows)


@examples(300)
@given(st.lists(st.fixed_dictionaries({"f": NUMBERS, "i": st.none() | NUMBERS, "b": NUMBERS}), max_size=8))
def test_batches_of_numbers_make_the_same_as_each_row_alone(rows: list[dict[str, JSONValue]]) -> None:
    batched_as_alone(Numbers, rows)


def read_again(projection: Projection[BaseModel], row: dict[str, JSONValue]) -> UnexpectedValueError | None:
    try:
        read_values(projection, row, "e/p/r", "row", step_of(row))
    except UnexpectedValueError as error:
        return error
    return None


@examples(200)
@given(ROWS, st.integers() | st.none(), st.booleans())
def test_objects_and_dotted_keys_are_the_same(
    row: dict[str, JSONValue], far: int | None, has_far: bool
) -> None:
    projection = projection_of("row", Outer)
    nested: dict[str, JSONValue] = {"inner": row}
    dotted: dict[str, JSONValue] = {f"inner.{key}": value for key, value in row.items()}
    if has_far:
        nested["a"], dotted["a.b"] = {"b": far}, far
    one, other = read(projection, nested), read(projection, dotted)
    if row:
        assert str(one) == str(other)
    assert RowKeys.of(projection.shape).keys == ("inner.f", "inner.i", "inner.b", "inner.s", "a.b")
    assert RowKeys.of(projection.shape).required == ("inner.f",)
