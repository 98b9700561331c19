"""Unit tests of tables and of the frames made from them."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Sequence

import polars as pl
import pyarrow as pa
import pytest

from runql.errors import MissingExtraError
from runql.frames.batches import FEW, STEP, ColumnBatch
from runql.frames.columns import Column
from runql.frames.dtypes import MAX_DEPTH, MAX_FIELDS, DType, ListType, ScalarType, StructType, infer
from runql.frames.table import Table, TableBuilder
from runql.frames.to_arrow import to_arrow
from runql.frames.to_pandas import to_pandas
from runql.frames.to_polars import to_polars
from runql.values import JSONValue

IMAGE: dict[str, JSONValue] = {"_type": "image-file", "path": "media/a.png", "width": 28}
CAPTIONED: dict[str, JSONValue] = {"_type": "image-file", "path": "media/b.png", "caption": "七"}
NAN = math.nan
TYPES: list[tuple[list[JSONValue], DType | None]] = [
    ([], ScalarType.NULL),
    ([None, None], ScalarType.NULL),
    ([True, None], ScalarType.BOOL),
    ([1, None, 2], ScalarType.INT64),
    ([1, True], ScalarType.INT64),
    ([-(2**63), 2**63 - 1], ScalarType.INT64),
    ([0, 2**63], ScalarType.UINT64),
    ([2**64 - 1], ScalarType.UINT64),
    ([-1, 2**63], ScalarType.FLOAT64),
    ([-1, 2**63 + 1], ScalarType.STRING),
    ([10**20], ScalarType.FLOAT64),
    ([10**20 + 1], ScalarType.STRING),
    ([10**400], ScalarType.STRING),
    ([0.5, 10**400], ScalarType.STRING),
    ([0.5, 2**53 + 1], ScalarType.FLOAT64),
    ([*range(9_000), 0.5], ScalarType.FLOAT64),
    ([True, 0.5], ScalarType.FLOAT64),
    (["a", None], ScalarType.STRING),
    (["a", 1, 0.5, True, {}, []], ScalarType.STRING),
    ([[], {}], ScalarType.STRING),
    ([1, [1]], ScalarType.STRING),
    ([[]], ListType(ScalarType.NULL)),
    ([[1], [], [0.5, None]], ListType(ScalarType.FLOAT64)),
    ([[1, "a"]], ListType(ScalarType.STRING)),
    ([{}, {}], ScalarType.JSON),
    ([{"x": 1}, {}, {"y": {"z": 0.5}, "x": 0.5}], None),
]
SHAPES: list[tuple[list[dict[str, JSONValue]], tuple[str, ...], tuple[int, int]]] = [
    ([], (), (0, 0)),
    ([], ("_step", "loss"), (0, 2)),
    ([{}, {}], ("_step",), (2, 1)),
    ([{}, {}], (), (0, 0)),
    ([{"_step": 0, "a": 1}, {"_step": 1, "b": 0.5}], ("_step",), (2, 3)),
]


def column(*values: JSONValue) -> Table:
    return Table.from_rows([{"a": value} for value in values])


@pytest.mark.parametrize(("values", "dtype"), TYPES)
def test_types_follow_from_every_value(values: list[JSONValue], dtype: DType | None) -> None:
    inner = StructType((("z", ScalarType.FLOAT64),))
    assert infer(values) == (dtype or StructType((("x", ScalarType.FLOAT64), ("y", inner))))


def test_a_late_column_is_kept_with_none_before() -> None:
    table = Table.from_rows(
        [{"_step": step} | ({"late": 0.5} if step == 9_000 else {}) for step in range(9_500)]
    )
    assert table.height == 9_500
    assert list(table.columns["late"].values) == [None] * 9_000 + [0.5] + [None] * 499
    assert to_polars(table)["late"].drop_nulls().to_list() == [0.5]


def test_leading_columns_come_first_and_always_exist() -> None:
    rows: list[dict[str, JSONValue]] = [{"b": 1, "_step": 0}, {"a": 2, "_step": 1}]
    leading = ("run_id", "_step")
    assert list(Table.from_rows(rows, leading=leading).columns) == ["run_id", "_step", "b", "a"]
    assert list(Table.from_rows(rows, leading=leading, order="sorted").columns) == [
        "run_id",
        "_step",
        "a",
        "b",
    ]
    assert list(Table.from_rows(rows).columns) == ["b", "_step", "a"]


def test_a_builder_takes_pages_and_is_empty_once_built() -> None:
    builder = TableBuilder()
    builder.extend([{"a": 1}, {"a": 2}])
    builder.append({"b": 3})
    builder.extend([])
    builder.extend([{"a": 4, "b": 5}])
    assert builder.height == 4
    table = builder.build()
    assert {name: list(column.values) for name, column in table.columns.items()} == {
        "a": [1, 2, None, 4],
        "b": [None, None, 3, 5],
    }
    assert builder.height == 0
    assert builder.build().columns == {}


def test_ready_columns_make_a_table() -> None:
    table = Table.from_columns([Column.inferred("a", [1, 0.5]), Column("b", ScalarType.INT64, [1, None])])
    assert to_polars(table).schema == {"a": pl.Float64, "b": pl.Int64}


@pytest.mark.parametrize(("name", "values"), [("a", [1, 2]), ("b", [1])])
def test_ready_columns_must_fit(name: str, values: Sequence[JSONValue]) -> None:
    with pytest.raises(ValueError, match=f"'{name}'|named"):
        Table.from_columns([Column.inferred("a", [1, 2]), Column.inferred(name, values)])


def test_mixtures_become_text_and_keep_every_value() -> None:
    table = column("text", 1, 0.1, NAN, True, None, {"x": "é"}, [1, None], 7.0, -0.0, 1e16)
    expected = ["text", "1", "0.1", "NaN", "true", None, '{"x": "é"}', "[1, null]", "7", "-0.0", "1e+16"]
    assert list(table.columns["a"].values) == expected
    assert to_polars(table)["a"].to_list() == expected
    assert to_arrow(table)["a"].to_pylist() == expected
    assert to_pandas(table)["a"].tolist() == expected


def test_nan_is_a_value_and_missing_is_null() -> None:
    table = column(NAN, None, math.inf, -math.inf, 1)
    assert repr(to_polars(table)["a"].to_list()) == "[nan, None, inf, -inf, 1.0]"
    assert repr(to_arrow(table)["a"].to_pylist()) == "[nan, None, inf, -inf, 1.0]"
    assert repr(to_pandas(table)["a"].tolist()) == "[nan, nan, inf, -inf, 1.0]"


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1, 2], "int64"),
        ([1, None], "float64"),
        ([2**53, -(2**53), None], "float64"),
        ([2**53 + 1, None], "Int64"),
        ([-(2**53) - 1, None], "Int64"),
        ([2**64 - 1], "uint64"),
        ([2**64 - 1, None], "UInt64"),
        ([0.5, None], "float64"),
        ([None], "float64"),
        ([True], "bool"),
        ([True, None], "boolean"),
        (["a", None], "object"),
        ([[1], None], "object"),
        ([IMAGE], "object"),
    ],
)
def test_pandas_dtypes(values: list[JSONValue], dtype: str) -> None:
    series = to_pandas(column(*values))["a"]
    assert str(series.dtype) == dtype
    assert series.isna().tolist() == [value is None for value in values]
    assert series.dropna().tolist() == [value for value in values if value is not None]


@pytest.mark.parametrize("values", [[2**63 - 1, -(2**63), None], [2**64 - 1, 0, None], [2**53 + 1, None]])
def test_integers_near_the_limits_are_exact_everywhere(values: list[JSONValue]) -> None:
    table = column(*values)
    assert to_polars(table)["a"].to_list() == values
    assert to_arrow(table)["a"].to_pylist() == values
    assert to_pandas(table)["a"].dropna().tolist() == [value for value in values if value is not None]


def test_integers_beyond_64_bits_keep_their_digits() -> None:
    table = column(10**30 + 1, 1)
    assert to_polars(table)["a"].to_list() == [str(10**30 + 1), "1"]


def test_media_objects_are_structs_with_the_union_of_fields() -> None:
    table = column(IMAGE, None, CAPTIONED)
    union = [
        {**IMAGE, "caption": None},
        None,
        {**CAPTIONED, "width": None},
    ]
    assert to_polars(table)["a"].to_list() == union
    assert to_arrow(table)["a"].to_pylist() == union
    assert to_pandas(table)["a"].tolist() == [IMAGE, None, CAPTIONED]
    assert to_polars(table).schema["a"] == pl.Struct(
        {"_type": pl.String, "path": pl.String, "width": pl.Int64, "caption": pl.String}
    )


def test_empty_lists_and_objects_are_kept() -> None:
    table = Table.from_rows([{"list": [], "object": {}, "inner": {"x": {}}, "lists": [[], None]}, {}])
    expected: dict[str, JSONValue] = {"list": [], "object": "{}", "inner": {"x": "{}"}, "lists": [[], None]}
    missing: dict[str, JSONValue] = dict.fromkeys(expected)
    assert to_polars(table).to_dicts() == [expected, missing]
    assert to_arrow(table).to_pylist() == [expected, missing]
    assert to_pandas(table)["object"].tolist() == [{}, None]


def test_objects_with_ever_new_members_stay_json() -> None:
    objects: list[JSONValue] = [{f"member{number}": number} for number in range(MAX_FIELDS + 1)]
    table = column(*objects)
    assert to_polars(table)["a"][7] == '{"member7": 7}'
    assert to_pandas(table)["a"][7] == {"member7": 7}


def in_list(value: JSONValue) -> JSONValue:
    return [value]


def in_object(value: JSONValue) -> JSONValue:
    return {"a": value}


@pytest.mark.parametrize("wrap", [in_list, in_object])
def test_deep_nesting_stays_json(wrap: Callable[[JSONValue], JSONValue]) -> None:
    deep: JSONValue = 1
    for _ in range(MAX_DEPTH + 200):
        deep = wrap(deep)
    table = column(deep)
    assert to_polars(table).to_dicts() == to_arrow(table).to_pylist()
    assert to_pandas(table)["a"].tolist() == [deep]


def test_unicode_names_and_lone_surrogates() -> None:
    table = Table.from_rows([{"損失/é": "\ud800 é", "\udfff": {"\ud801": ["\ud802"]}}])
    expected = {"損失/é": "\\ud800 é", "\\udfff": {"\\ud801": ["\\ud802"]}}
    assert to_polars(table).to_dicts() == [expected]
    assert to_arrow(table).to_pylist() == [expected]
    assert list(to_pandas(table).columns) == list(expected)


@pytest.mark.parametrize(("rows", "leading", "shape"), SHAPES)
def test_all_libraries_have_the_same_shape(
    rows: list[dict[str, JSONValue]], leading: tuple[str, ...], shape: tuple[int, int]
) -> None:
    table = Table.from_rows(rows, leading=leading)
    assert to_pandas(table).shape == to_polars(table).shape == to_arrow(table).shape == shape
    assert [*to_pandas(table).columns] == to_polars(table).columns == to_arrow(table).column_names


def test_arrow_types() -> None:
    rows: list[dict[str, JSONValue]] = [
        {"i": 1, "u": 2**63, "f": 0.5, "b": True, "t": "x", "n": None, "l": [1], "s": {"x": 1}, "j": {}}
    ]
    struct: pa.DataType = pa.struct([pa.field("x", pa.int64())])
    expected: dict[str, pa.DataType] = {
        "i": pa.int64(),
        "u": pa.uint64(),
        "f": pa.float64(),
        "b": pa.bool_(),
        "t": pa.string(),
        "n": pa.null(),
        "l": pa.list_(pa.int64()),
        "s": struct,
        "j": pa.string(),
    }
    assert to_arrow(Table.from_rows(rows)).schema == pa.schema(expected)


@pytest.mark.parametrize(
    ("library", "extra", "convert"),
    [("pandas", "pandas", to_pandas), ("polars", "polars", to_polars), ("pyarrow", "arrow", to_arrow)],
)
def test_a_missing_library_names_its_extra(
    library: str, extra: str, convert: Callable[[Table], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=rf"needs {library}.*runql\[{extra}\]") as caught:
        convert(column(1))
    assert caught.value.extra == extra


def test_no_value_is_too_deep_for_a_frame() -> None:
    value: JSONValue = 1
    for level in range(5_000):
        value = {"a": value} if level % 2 else [value]
    table = Table.from_rows([{"deep": value}])
    assert to_pandas(table)["deep"].iloc[0] is value
    for cells in (to_polars(table)["deep"].to_list(), to_arrow(table).column("deep").to_pylist()):
        # Deeper than 24 levels, lists and objects are JSON inside of the levels above.
        inside = re.findall(r"[\[{]", str(cells))
        assert len(inside) == 1 + 5_000


@pytest.mark.parametrize("height", [1, 5, FEW, FEW + 1, 3 * FEW])
@pytest.mark.parametrize("dtype", [pl.Int64, pl.Float64])
def test_a_step_that_two_rows_have_is_seen_in_few_rows_and_in_many(
    height: int, dtype: type[pl.DataType]
) -> None:
    steps = pl.Series(range(height), dtype=dtype)
    twice = pl.concat([steps, steps.tail(1)])
    assert ColumnBatch({STEP: steps}, height).has_each_step_once()
    assert not ColumnBatch({STEP: twice}, height + 1).has_each_step_once()
    assert not ColumnBatch({STEP: twice.extend_constant(None, 1)}, height + 2).has_each_step_once()
