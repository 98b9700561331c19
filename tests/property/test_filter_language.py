"""A filter as a string is the filter that the same expression of the builder makes; anything else is a `FilterError`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from tests.profiles import examples

from runql import filters as builder
from runql.cli.filter_language import FilterError, parse_filter
from runql.filters import Filter, all_of, any_of

Pair: TypeAlias = tuple[str, Filter]
"""A filter in the language, and the builder's."""

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
CHARACTERS = st.characters(codec="utf-8")
STRINGS = st.text(CHARACTERS, max_size=8)
KEYS = st.text(CHARACTERS, min_size=1, max_size=8).filter(lambda key: not key.startswith("summary_metrics."))
VALUES: st.SearchStrategy[bool | int | float | str] = st.one_of(
    st.booleans(), st.integers(-(2**70), 2**70), FLOATS, STRINGS
)
SIGNS = ("==", "!=", "<", "<=", ">", ">=")


def typed(place: str, key: str, kind: type[Any]) -> Any:
    """The builder's field of a key."""
    return builder.config(key, kind) if place == "config" else builder.summary(key, kind)


def compared(field: Any, sign: str, value: object) -> Filter:
    """What the builder makes of a comparison."""
    made = {
        "==": lambda: field == value,
        "!=": lambda: field != value,
        "<": lambda: field < value,
        "<=": lambda: field <= value,
        ">": lambda: field > value,
        ">=": lambda: field >= value,
    }[sign]()
    assert isinstance(made, Filter)
    return made


@st.composite
def spelled_keys(draw: st.DrawFn) -> tuple[str, Any]:
    """Return a spelling of a key without a type, and the builder's function of a type."""
    place = draw(st.sampled_from(["config", "summary"]))
    if draw(st.booleans()):
        names = draw(st.lists(st.sampled_from(["lr", "opt", "größe", "_x", "matches", "value"]), min_size=1))
        return f"{place}.{'.'.join(names)}", partial(typed, place, ".".join(names))
    key = draw(KEYS)
    return f"{place}[{key!r}]", partial(typed, place, key)


@st.composite
def key_comparisons(draw: st.DrawFn) -> Pair:
    spelled, make = draw(spelled_keys())
    value = draw(VALUES)
    signs = SIGNS[:2] if isinstance(value, bool) else SIGNS
    sign = draw(st.sampled_from(signs))
    made = compared(make(type(value)), sign, value)
    if draw(st.booleans()):
        return f"{spelled} {sign} {value!r}", made
    mirrored = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(sign, sign)
    return f"{value!r} {mirrored} {spelled}", made


@st.composite
def typed_keys(draw: st.DrawFn) -> Pair:
    value = draw(VALUES)
    key = draw(KEYS)
    kind = type(value).__name__
    return f"summary({key!r}, {kind}).eq({value!r})", compared(
        typed("summary", key, type(value)), "==", value
    )


@st.composite
def methods(draw: st.DrawFn) -> Pair:
    spelled, make = draw(spelled_keys())
    number = st.one_of(st.integers(), FLOATS)
    low, high = draw(number), draw(number)
    pattern = draw(STRINGS)
    listed = [low, high]
    cases: list[Pair] = [
        (f"{spelled}.exists()", make(str).exists()),
        (f"{spelled}.between({low!r}, {high!r})", make(float).between(low, high)),
        (f"{low!r} <= {spelled} < {high!r}", all_of(make(float) >= low, make(float) < high)),
        (f"{spelled} in ({low!r}, {high!r})", make(float).is_in(low, high)),
        (f"{spelled} not in {listed!r}", ~make(float).is_in(low, high)),
        (f"{spelled}.is_in({low!r}, {high!r})", make(float).is_in(low, high)),
        (f"{spelled}.matches({pattern!r})", make(str).matches(pattern)),
        (f"{spelled} is None", make(str).eq(None)),
        (f"{spelled} != None", make(str).ne(None)),
    ]
    return draw(st.sampled_from(cases))


@st.composite
def columns(draw: st.DrawFn) -> Pair:
    value = draw(STRINGS)
    moment = draw(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 - as `datetimes` takes them
    return draw(
        st.sampled_from(
            [
                ('state == "finished"', builder.state == "finished"),
                ('state != "crashed"', builder.state != "crashed"),
                ('state in ("failed", "killed")', builder.state.is_in("failed", "killed")),
                (f"state.other({value!r})", builder.state.other(value)),
                (f"{value!r} in tags", builder.tags.contains(value)),
                (f"{value!r} not in tags", ~builder.tags.contains(value)),
                (f"tags.contains_any({value!r}, 'x')", builder.tags.contains_any(value, "x")),
                (f"group == {value!r}", builder.group == value),
                ("sweep is not None", builder.sweep != None),  # noqa: E711 - a comparison makes a filter
                (f"created_at > {moment.isoformat()!r}", builder.created_at > moment),
                (
                    f"heartbeat_at <= {moment.replace(tzinfo=None).isoformat()!r}",
                    builder.heartbeat_at <= moment,
                ),
                ("duration >= 3600", builder.duration >= 3600),
            ]
        )
    )


def combined(parts: st.SearchStrategy[Pair]) -> st.SearchStrategy[Pair]:
    several = st.lists(parts, min_size=2, max_size=4)
    both = st.tuples(parts, parts)
    return st.one_of(
        several.map(
            lambda pairs: (" and ".join(f"({text})" for text, _ in pairs), all_of(*(f for _, f in pairs)))
        ),
        several.map(
            lambda pairs: (" or ".join(f"({text})" for text, _ in pairs), any_of(*(f for _, f in pairs)))
        ),
        several.map(
            lambda pairs: (f"all_of({', '.join(text for text, _ in pairs)})", all_of(*(f for _, f in pairs)))
        ),
        several.map(
            lambda pairs: (f"any_of({', '.join(text for text, _ in pairs)})", any_of(*(f for _, f in pairs)))
        ),
        both.map(lambda pair: (f"({pair[0][0]}) & ({pair[1][0]})", pair[0][1] & pair[1][1])),
        both.map(lambda pair: (f"({pair[0][0]}) | ({pair[1][0]})", pair[0][1] | pair[1][1])),
        parts.map(lambda pair: (f"not ({pair[0]})", ~pair[1])),
        parts.map(lambda pair: (f"~({pair[0]})", ~pair[1])),
        parts.map(
            lambda pair: (f"Filter({plain(pair[1])!r}) & ({pair[0]})", Filter(plain(pair[1])) & pair[1])
        ),
    )


def plain(made: Filter) -> Any:
    """The filter as plain dicts and lists."""
    return json.loads(repr(made))


FILTERS = st.recursive(
    st.one_of(key_comparisons(), typed_keys(), methods(), columns()), combined, max_leaves=6
)


@examples(400)
@given(FILTERS)
def test_a_filter_in_the_language_is_the_builders(pair: Pair) -> None:
    text, made = pair
    assert plain(parse_filter(text)) == plain(made)


@examples(100)
@given(FILTERS, st.sampled_from(["", " ", "\n"]))
def test_the_builders_document_in_json_is_the_same_filter(pair: Pair, space: str) -> None:
    _, made = pair
    assert plain(parse_filter(f"{space}{made!r}{space}")) == plain(made)


PIECES = st.sampled_from(
    [
        *(
            "config",
            "summary",
            "state",
            "tags",
            "created_at",
            "lr",
            "é",
            "Filter",
            "all_of",
            "lambda",
            "import",
        ),
        *(".lr", '["a"]', "[1]", "==", "<", "in", "not", "and", "&", "~", "=", "(", ")", "()", "{", "}", ","),
        *(
            '"x"',
            "1",
            "1e999",
            "None",
            "True",
            "f'{a}'",
            "b'x'",
            "#",
            "\n",
            "\0",
            "\\",
            "'",
            " ",
            "…",
            "日本",
            "\x1b",
        ),
        *(
            "*a",
            "**a",
            "x for x in y",
            ":=",
            "@",
            "9" * 5000,
            "\ud800",
            "ﬁ",
            "__class__",
            '{"a": NaN}',
            '{"a": 1, "a": 2}',
        ),
    ]
)


@examples(600)
@given(st.lists(PIECES, max_size=9).map(" ".join), st.integers(1, 100))
def test_what_cannot_be_read_is_an_error_with_a_place(text: str, width: int) -> None:
    error: FilterError | None = None
    try:
        assert isinstance(parse_filter(text), Filter)
    except FilterError as raised:
        error = raised
    if error is not None:
        assert 1 <= error.column <= len(error.source) + 1
        assert str(error).isprintable()
        lines = error.below(width)
        assert all(line.isprintable() for line in lines)
        if width >= 30:
            assert all(cell_len(line) <= width for line in lines)


@examples(300)
@given(FILTERS, st.data())
def test_the_caret_is_below_what_was_damaged(pair: Pair, data: st.DataObject) -> None:
    text, _ = pair
    mistake = data.draw(st.sampled_from(["nofield == 1", "config.a = 1", "config.a == 1 == ", "1 < 2"]))
    with pytest.raises(FilterError) as raised:
        parse_filter(f"({text}) and {mistake}")
    error = raised.value
    line, caret = error.below(10_000)
    assert cell_len(caret) - 1 == cell_len(line) - cell_len(line[len(line) - _tail(error) :])
    assert error.column > len(text) + len("() and")


def _tail(error: FilterError) -> int:
    """Characters of the shown line from the mistake on: every mistake here is ASCII."""
    return len(error.source) - error.column + 1
