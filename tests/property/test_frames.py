"""Any rows, to any of the three libraries and back: nothing is lost, nothing raises, all three agree."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from runql.frames.dtypes import encodable
from runql.frames.table import Table, TableBuilder
from runql.frames.to_arrow import to_arrow
from runql.frames.to_pandas import to_pandas
from runql.frames.to_polars import to_polars
from runql.values import JSONValue, parse_json, parse_rows

# The first example imports the library.
UNTIMED = settings(deadline=None)

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
    """Text is itself, up to what UTF-8 cannot hold; any other value is its JSON text."""
    if isinstance(sent, str):
        return read == encodable(sent)
    if sent is None:
        return False
    return read == encodable(json.dumps(json.loads(json.dumps(sent)), ensure_ascii=False))


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


@UNTIMED
@given(row_lists())
def test_polars_gives_back_the_rows(rows: list[dict[str, JSONValue]]) -> None:
    assert_agree(with_columns(rows), to_polars(Table.from_rows(rows)).to_dicts())


@UNTIMED
@given(row_lists())
def test_arrow_gives_back_the_rows(rows: list[dict[str, JSONValue]]) -> None:
    assert_agree(with_columns(rows), to_arrow(Table.from_rows(rows)).to_pylist())


@UNTIMED
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


@UNTIMED
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


@UNTIMED
@given(row_lists(), st.data())
def test_pages_make_no_difference(rows: list[dict[str, JSONValue]], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(rows)))
    builder = TableBuilder()
    builder.extend(rows[:cut])
    for row in rows[cut:]:
        builder.append(row)
    assert repr(builder.build()) == repr(Table.from_rows(rows))


@UNTIMED
@given(VALUES)
def test_json_reads_what_the_standard_library_writes(value: JSONValue) -> None:
    for ascii_only in (True, False):
        assert repr(parse_json(json.dumps(value, ensure_ascii=ascii_only))) == repr(value)


@UNTIMED
@given(st.floats(allow_nan=False))
def test_floats_keep_their_bits(number: float) -> None:
    for text in (repr(number), f"{number:.25e}"):
        read = parse_json(text.replace("inf", "Infinity"))
        assert isinstance(read, float)
        assert read.hex() == number.hex()


@UNTIMED
@given(row_lists(), st.booleans())
def test_rows_read_together_equal_rows_read_alone(
    rows: list[dict[str, JSONValue]], has_control_character: bool
) -> None:
    texts = [json.dumps(row) for row in rows]
    if has_control_character:
        texts.append('{"note": "a\nb"}')
    assert repr(parse_rows(texts)) == repr([row for text in texts for row in parse_rows([text])])
