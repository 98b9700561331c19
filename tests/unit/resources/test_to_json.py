"""The JSON form of what is put into a summary or config."""

from __future__ import annotations

import json
import math
from collections import OrderedDict, deque
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from enum import Enum, IntEnum
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runql.resources.records.to_json import replace_in_place, to_json_value
from runql.values import JSONValue, parse_object

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


class Level(IntEnum):
    """An enum that is a number, too."""

    HIGH = 3


class Kind(Enum):
    """An enum."""

    A = object()


class Tensor:
    """What torch's tensors have in common with numpy's arrays."""

    dtype = "torch.float32"

    def __init__(self, *shape: int) -> None:
        self.shape = shape

    def tolist(self) -> object:
        plain: object = 0.5
        for size in reversed(self.shape):
            plain = [plain] * size
        return plain


class Endless:
    """A scalar that has no form in Python, as numpy's longdouble."""

    shape = ()
    dtype = "float128"

    def tolist(self) -> object:
        return self


@given(JSON_VALUES)
def test_json_stays_what_it_is(value: JSONValue) -> None:
    assert repr(to_json_value(value)) == repr(value)


@given(st.dictionaries(st.text(max_size=5), JSON_VALUES, max_size=4))
def test_an_object_comes_back_from_its_text(values: dict[str, JSONValue]) -> None:
    assert repr(parse_object(json.dumps(to_json_value(values)))) == repr(values)


FORMS: list[tuple[object, JSONValue]] = [
    (np.float32(0.1), float(np.float32(0.1))),
    (np.float64(0.1), 0.1),
    (np.uint64(2**64 - 1), 2**64 - 1),
    (np.bool_(False), False),
    (np.str_("a"), "a"),
    (np.array(2.5), 2.5),
    (np.array([[[7]]]), 7),
    (np.array([]), []),
    (np.array([math.nan, 1.0]), [math.nan, 1.0]),
    (np.arange(32), list(range(32))),
    (np.array([{"a": 1}, None], dtype=object), [{"a": 1}, None]),
    (np.datetime64("2026-07-01T12:00:00.123456789"), "2026-07-01T12:00:00.123456789"),
    (pd.Series([1, 2]), [1, 2]),
    (pd.Timestamp("2026-07-01"), "2026-07-01T00:00:00"),
    (Tensor(), 0.5),
    (Tensor(1, 1), 0.5),
    (Tensor(2, 2), [[0.5, 0.5], [0.5, 0.5]]),
    (date(2026, 7, 1), "2026-07-01"),
    (time(12, 30), "12:30:00"),
    (datetime(2026, 7, 1, tzinfo=UTC), "2026-07-01T00:00:00+00:00"),
    (b"caf\xc3\xa9", "café"),
    (bytearray(b"x"), "x"),
    (frozenset({"b", "a"}), ["a", "b"]),
    ({"a": 1}.keys(), ["a"]),
    (Level.HIGH, "HIGH"),
    (Kind.A, "A"),
    ((1, (2,)), [1, [2]]),
    (OrderedDict[str, object](a={1}), {"a": [1]}),
    (MappingProxyType({"a": None}), {"a": None}),
    (json.dumps, "json.dumps"),
    (OrderedDict, "collections.OrderedDict"),
    (math.inf, math.inf),
]


@pytest.mark.parametrize(("value", "stored"), FORMS)
def test_each_kind_has_its_form(value: object, stored: JSONValue) -> None:
    found = to_json_value(value)
    assert repr(found) == repr(stored)
    assert type(found) is type(stored)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (object(), r"x cannot be stored: object has no JSON form"),
        ({"a": [1, object()]}, r"x\['a'\]\[1\] cannot be stored"),
        (1j, "complex has no JSON form"),
        ({1: 2}, "x cannot be stored: keys must be str, not 1"),
        (np.array(["2026-07-01"], dtype="datetime64[ns]"), "convert dates and durations in arrays"),
        (np.timedelta64(1, "s"), "convert dates and durations in arrays"),
        (Endless(), "float128 has no form in Python"),
    ],
)
def test_what_has_no_form_is_a_type_error(value: object, text: str) -> None:
    with pytest.raises(TypeError, match=text):
        to_json_value(value, "x")


@pytest.mark.parametrize("array", [np.zeros(33), np.zeros((3, 11)), Tensor(40)])
def test_a_large_array_is_a_value_error_that_says_what_to_do(array: object) -> None:
    with pytest.raises(ValueError, match=r"x has (33|40) elements.*wandb\.h5.*as an artifact"):
        to_json_value(array, "x")


def test_bytes_that_are_no_text_are_a_value_error() -> None:
    with pytest.raises(ValueError, match=r"x\['a'\] cannot be stored: the bytes are not UTF-8"):
        to_json_value({"a": b"\xff"}, "x")


def test_what_holds_itself_is_a_value_error() -> None:
    held: dict[str, Any] = {}  # Any: it holds itself
    held["again"] = [held]
    with pytest.raises(ValueError, match="x contains itself"):
        to_json_value(held, "x")


def test_settling_keeps_the_objects_inside() -> None:
    scalar: Any = np.float32(0.5)  # Any: not JSON yet
    inner: dict[str, JSONValue] = {"a": scalar}
    listed: list[JSONValue] = [inner, scalar]
    held: dict[str, JSONValue] = {"list": listed, "scalar": scalar}
    stored = to_json_value(held)
    assert isinstance(stored, Mapping)
    replace_in_place(held, stored)
    assert held["list"] is listed
    assert listed[0] is inner
    assert [type(inner["a"]), type(listed[1]), type(held["scalar"])] == [float] * 3


def test_any_sequence_and_any_mapping_is_stored_as_list_and_dict() -> None:
    given = MappingProxyType({"a": range(2), "b": deque(["x"]), "c": MappingProxyType({"d": (1,)})})
    assert to_json_value(given) == {"a": [0, 1], "b": ["x"], "c": {"d": [1]}}
