"""Any rows, to any of the three libraries and back: nothing is lost, nothing raises, all three agree."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.profiles import examples

from runql.frames.batches import Batch, ColumnBatch, RowBatch
from runql.frames.dtypes import escape_surrogates
from runql.frames.row_readers import ColumnReader
from runql.frames.table import Table, TableBuilder
from runql.frames.to_arrow import to_arrow
from runql.frames.to_pandas import to_pandas
from runql.frames.to_polars import to_polars
from runql.values import JSONValue, UnreadableRowError, parse_json, parse_rows

# The first example imports the library.

INTEGERS = st.integers() | st.integers(2**53 - 2, 2**53 + 2) | st.integers(2**63 - 2, 2**64 + 2)
NUMBERS = INTEGERS | st.floats() | st.booleans()
# Names stay free of surrogates: two that differ only there would be one name once written as UTF-8.
TEXTS = st.text(max_size=5) | st.sampled_from(["NaN", "\ud800", "é\udfff"])
NAMES = st.sampled_from(["_step", "loss", "train/loss", "été", "損失", "a.b", ""])


def containers(inner: st.SearchStrategy[JSONValue]) -> st.SearchStrategy[JSONValue]:
    return st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3)


SCALARS: st.SearchStrategy[JSONValue] = st.none() | NUMBERS | TEXTS
VALUES = st.recursive(SCALARS, containers, max_leaves=6)
LISTS = st.lists(VALUES, max_size=3)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=3)
# One kind of value per column is the common case; a column of anything is the hard one.
KINDS: list[st.SearchStrategy[JSONValue]] = [
    INTEGERS,
    INTEGERS | st.none(),
    st.integers(0, 2**64 - 1) | st.none(),
    st.floats(),
    NUMBERS | st.none(),
    st.booleans() | st.none(),
    TEXTS,
    LISTS | st.none(),
    OBJECTS | st.none(),
    VALUES,
]


@st.composite
def row_lists(draw: st.DrawFn) -> list[dict[str, JSONValue]]:
    columns = {name: draw(st.sampled_from(KINDS)) for name in draw(st.sets(NAMES, max_size=4))}
    return draw(st.lists(st.fixed_dictionaries({}, optional=columns), max_size=6))


def agrees(sent: JSONValue, read: JSONValue) -> bool:
    """Whether ``read`` is ``sent``, or one of its documented promotions."""
    if isinstance(read, str):
        return same_text(sent, read)
    if sent is None or isinstance(sent, str):
        return sent is None and read is None
    if isinstance(sent, list):
        return (
            isinstance(read, list)
            and len(sent) == len(read)
            and all(agrees(one, other) for one, other in zip(sent, read, strict=True))
        )
    if isinstance(sent, dict):
        return (
            isinstance(read, dict)
            and sent.keys() <= read.keys()
            and all(agrees(sent.get(key), other) for key, other in read.items())
        )
    return same_number(sent, read)


def same_text(sent: JSONValue, read: str) -> bool:
    """Text is itself, up to what UTF-8 cannot hold; any other value is its JSON text, a small whole float's as an integer's."""
    if isinstance(sent, str):
        return read == escape_surrogates(sent)
    if sent is None:
        return False
    if isinstance(sent, float) and sent.is_integer() and abs(sent) < 2**53 and repr(sent) != "-0.0":
        return read == str(int(sent))
    return read == escape_surrogates(json.dumps(json.loads(json.dumps(sent)), ensure_ascii=False))


def same_number(sent: float, read: JSONValue) -> bool:
    if isinstance(read, float):
        return math.isnan(read) if math.isnan(sent) else float(sent) == read
    return isinstance(read, int) and sent == read


def assert_agree(rows: Sequence[Mapping[str, JSONValue]], read: Sequence[Mapping[str, JSONValue]]) -> None:
    assert len(read) == len(rows)
    for row, other in zip(rows, read, strict=True):
        assert row.keys() <= other.keys()
        for name, value in other.items():
            assert agrees(row.get(name), value), (name, row.get(name), value)


def with_columns(rows: list[dict[str, JSONValue]]) -> list[dict[str, JSONValue]]:
    """The rows of the table: none when no row has a key."""
    return rows if any(rows) else []


@given(row_lists())
def test_polars_gives_back_the_rows(rows: list[dict[str, JSONValue]]) -> None:
    assert_agree(with_columns(rows), to_polars(Table.from_rows(rows)).to_dicts())


@given(row_lists())
def test_arrow_gives_back_the_rows(rows: list[dict[str, JSONValue]]) -> None:
    assert_agree(with_columns(rows), to_arrow(Table.from_rows(rows)).to_pylist())


@given(row_lists())
def test_pandas_gives_back_the_rows(rows: list[dict[str, JSONValue]]) -> None:
    frame = to_pandas(Table.from_rows(rows))
    for name, series in frame.items():
        is_missing = series.isna().tolist()
        for row, value, missing in zip(rows, series.tolist(), is_missing, strict=True):
            sent = row.get(str(name))
            if missing:
                assert sent is None or (isinstance(sent, float) and math.isnan(sent))
            elif isinstance(value, list | dict):
                assert value is sent
            else:
                assert agrees(sent, value), (name, sent, value)


@given(row_lists(), st.sampled_from([(), ("_step",), ("_step", "other")]))
def test_all_libraries_agree_on_shape_and_names(
    rows: list[dict[str, JSONValue]], leading: tuple[str, ...]
) -> None:
    table = Table.from_rows(rows, leading=leading)
    names = list(dict.fromkeys((*leading, *(key for row in rows for key in row))))
    shape = (len(rows) if names else 0, len(names))
    assert list(table.columns) == names
    assert to_pandas(table).shape == to_polars(table).shape == to_arrow(table).shape == shape
    assert [*to_pandas(table).columns] == to_polars(table).columns == to_arrow(table).column_names == names


@given(row_lists(), st.data())
def test_pages_make_no_difference(rows: list[dict[str, JSONValue]], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(rows)))
    builder = TableBuilder()
    builder.extend(rows[:cut])
    for row in rows[cut:]:
        builder.append(row)
    assert repr(builder.build()) == repr(Table.from_rows(rows))


# What the reader of columns takes: one kind of scalar a column, here and there a value of another kind.
PLAIN: list[st.SearchStrategy[JSONValue]] = [
    st.integers(-3, 3),
    st.integers(2**53 - 1, 2**53 + 1) | st.integers(0, 3),
    st.sampled_from([0.5, 7.0, -0.0, 1e-7, 1e16, 2.0**53]) | st.integers(-1, 1),
    st.floats(),
    st.booleans(),
    st.sampled_from(["", "a", "NaN", ":", '"', "\\", "{}", "{", "损", "\ud800", "true", "1"]),
]
NESTED: list[JSONValue] = [[], {}, {"a": 1}, [1]]
STRANGE: st.SearchStrategy[JSONValue] = st.none() | SCALARS | st.sampled_from(NESTED)


@st.composite
def plain_batches(draw: st.DrawFn) -> list[list[dict[str, JSONValue]]]:
    """Batches of rows whose columns mostly hold one kind of scalar."""
    columns = {name: draw(st.sampled_from(PLAIN)) for name in draw(st.sets(NAMES, min_size=1, max_size=4))}
    rows = st.lists(st.fixed_dictionaries({}, optional=columns), max_size=4)
    batches = draw(st.lists(rows, max_size=4))
    for batch in batches:
        if batch and draw(st.integers(0, 3)) == 0:
            batch[draw(st.integers(0, len(batch) - 1))][draw(NAMES)] = draw(STRANGE)
    return batches


def spelled(row: Mapping[str, JSONValue], draw: st.DataObject) -> str:
    return json.dumps(
        row,
        ensure_ascii=draw.draw(st.booleans()),
        separators=draw.draw(st.sampled_from([(",", ":"), (", ", ": "), (" , ", " :")])),
    )


def size_of_array(texts: Sequence[str], draw: st.DataObject) -> int | None:
    """Bytes of an array of texts as some server may write it, perhaps with more counted in; None where it is not known."""
    if draw.draw(st.booleans()):
        return None
    separators = draw.draw(st.sampled_from([(",", ":"), (", ", ": ")]))
    array = json.dumps(texts, ensure_ascii=draw.draw(st.booleans()), separators=separators)
    return len(array.encode("utf-8", "surrogatepass")) + draw.draw(st.integers(0, 4))


@examples(400)
@given(plain_batches(), st.data())
def test_columns_read_from_texts_equal_rows_read_one_by_one(
    batches: list[list[dict[str, JSONValue]]], data: st.DataObject
) -> None:
    reader, quick, slow = ColumnReader(few=0), TableBuilder(), TableBuilder()
    for batch in batches:
        texts = [spelled(row, data) for row in batch]
        read = reader.read(texts, size_of_array(texts, data))
        rows = RowBatch([row for text in texts for row in parse_rows([text])])
        assert read.extent() == rows.extent()
        assert exactly(built(read)) == exactly(built(rows))
        assert read.between(1, 3).height == rows.between(1, 3).height
        quick.add(read)
        slow.add(rows)
    table, expected = quick.build(leading=["_step"]), slow.build(leading=["_step"])
    assert [column.dtype for column in table.columns.values()] == [
        column.dtype for column in expected.columns.values()
    ]
    assert table.height == expected.height
    assert exactly(table) == exactly(expected)
    assert to_polars(table).equals(to_polars(expected))
    assert to_arrow(table).equals(to_arrow(expected)) or has_nan(expected)
    pd.testing.assert_frame_equal(to_pandas(table), to_pandas(expected))


def built(batch: Batch) -> Table:
    """One batch as a table: its types follow from its own values."""
    builder = TableBuilder()
    builder.add(batch)
    return builder.build()


def exactly(table: Table) -> str:
    """Every column and value, floats by their bits."""
    return repr({name: (column.dtype, list(column.values)) for name, column in table.columns.items()})


@pytest.mark.parametrize("odd", ["", "null", " null", "7", "[]", '"text"', "no JSON", '{"a": 1}{"a": 2}'])
@pytest.mark.parametrize("sized", [True, False])
def test_what_is_no_row_is_no_row_of_a_frame(odd: str, sized: bool) -> None:
    plain = ['{"a": 0.5, "i": 1, "t": "x"}'] * 3
    reader = ColumnReader(few=0)
    for texts in ([*plain, odd], [odd, *plain], [odd]):
        size = len(json.dumps(texts, ensure_ascii=False, separators=(",", ":"))) if sized else None
        with pytest.raises(UnreadableRowError) as caught:
            reader.read(texts, size)
        assert texts[caught.value.row] == odd
        reader.read(plain)


@pytest.mark.parametrize("odd", ["null", "7", "[]", '"text"'])
def test_what_is_no_row_is_no_row_of_an_array(odd: str) -> None:
    plain = '{"a":0.5,"i":1,"t":"x"}'
    reader = ColumnReader(few=0)
    for rows in ([plain, odd], [odd, plain], [plain, odd, plain], [odd]):
        with pytest.raises(UnreadableRowError) as caught:
            reader.read_array(f"[{','.join(rows)}]".encode())
        assert rows[caught.value.row] == odd


def has_nan(table: Table) -> bool:
    return "nan" in exactly(table)


@pytest.mark.parametrize(
    "odd",
    [
        '{"a": 1.5, "a": 2.5}',
        '{"a": null}',
        '{"a": 1.5, "new": 1}',
        '{"a": "1"}',
        '{"a": true}',
        '{"a": 1.5, "t": 1}',
        '{"a": 1.5, "t": true}',
        '{"a": 1.5, "t": "NaN"}',
        '{"a": NaN}',
        '{"a": 9007199254740993}',
        '{"a": 1.5, "i": 7.0}',
        '{"a": 1.5, "i": 1e0}',
        '{"a": 1.5, "\\u0069": 1}',
        '{"a": 1.5,\n"i": 1}',
    ],
)
@pytest.mark.parametrize("sized", [True, False])
def test_a_strange_row_after_many_plain_ones_is_read_exactly(odd: str, sized: bool) -> None:
    plain = ['{"a": 0.5, "i": 1, "t": "x"}'] * 3
    reader, quick, slow = ColumnReader(few=0), TableBuilder(), TableBuilder()
    first = reader.read(plain)
    assert isinstance(first, ColumnBatch)
    for texts in (plain, [*plain, odd], plain):
        size = len(json.dumps(texts, ensure_ascii=False, separators=(",", ":"))) if sized else None
        quick.add(reader.read(texts, size))
        slow.add(RowBatch(parse_rows(texts)))
    assert exactly(quick.build()) == exactly(slow.build())


@pytest.mark.parametrize(
    "texts", [['{"a": 1}', '{"a": -3}'], ['{"a": 1}', '{"a": 2.0}'], ['{"a": 1}', '{"b": 1e0}']]
)
def test_a_batch_after_one_of_floats_has_its_own_types(texts: list[str]) -> None:
    reader = ColumnReader(few=0)
    assert isinstance(reader.read(['{"a": 0.5}', '{"a": 1.5, "b": 2.5}']), ColumnBatch)
    read = reader.read(texts)
    assert isinstance(read, ColumnBatch)
    assert exactly(built(read)) == exactly(built(RowBatch(parse_rows(texts))))


def test_a_size_that_tells_nothing_leaves_the_quotes_to_be_counted() -> None:
    reader = ColumnReader(few=0)
    texts = ['{"a": 0.5, "b": "x"}', '{"a": 1.5}']
    size = len(json.dumps(texts, separators=(",", ":")))
    for known_size in (None, size, size + 1, size + 10):
        assert isinstance(reader.read(texts, known_size), ColumnBatch)


@pytest.mark.parametrize("broken", ["{", "[1]", "5", '{"a": 1} {"a": 2}', '{"a": 01}'])
def test_what_is_no_row_is_an_error_of_either_reader(broken: str) -> None:
    reader = ColumnReader(few=0)
    reader.read(['{"a": 0.5}'])
    with pytest.raises(ValueError, match="JSON"):
        reader.read(['{"a": 0.5}', broken])


@given(VALUES)
def test_json_reads_what_the_standard_library_writes(value: JSONValue) -> None:
    for ascii_only in (True, False):
        assert repr(parse_json(json.dumps(value, ensure_ascii=ascii_only))) == repr(value)


@given(st.floats(allow_nan=False))
def test_floats_keep_their_bits(number: float) -> None:
    for text in (repr(number), f"{number:.25e}"):
        read = parse_json(text.replace("inf", "Infinity"))
        assert isinstance(read, float)
        assert read.hex() == number.hex()


@given(row_lists(), st.booleans())
def test_rows_read_together_equal_rows_read_alone(
    rows: list[dict[str, JSONValue]], has_control_character: bool
) -> None:
    texts = [json.dumps(row) for row in rows]
    if has_control_character:
        texts.append('{"note": "a\nb"}')
    assert repr(parse_rows(texts)) == repr([row for text in texts for row in parse_rows([text])])
