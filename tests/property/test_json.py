"""Whatever JSON the server sends is read bit for bit, and whatever else it sends does no worse than a `ValueError`."""

from __future__ import annotations

import contextlib
import json
import math
import struct

from hypothesis import example, given
from hypothesis import strategies as st

from runql.errors import AnswerError, SchemaDriftError
from runql.transport.codec import answer_error, read_response
from runql.transport.wire import Response
from runql.values import JSONValue, parse_config, parse_json, parse_object, parse_rows, restore_floats
from runql_graphql.operations import get_run_state

FLOATS = st.floats(allow_nan=True, allow_infinity=True)
SCALARS: st.SearchStrategy[JSONValue] = st.one_of(
    st.none(), st.booleans(), st.integers(), FLOATS, st.text(st.characters())
)


def grown(inner: st.SearchStrategy[JSONValue]) -> st.SearchStrategy[JSONValue]:
    return st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4))


VALUES: st.SearchStrategy[JSONValue] = st.recursive(SCALARS, grown, max_leaves=12)
ROWS = st.dictionaries(st.text(max_size=5), VALUES, max_size=4)
STATE = get_run_state(entity="e", project="p", run="r")


def exactly_written(value: JSONValue) -> str:
    """A string that differs where ``==`` does not: NaN, -0.0, 1 and 1.0 and True."""
    return repr(value)


def bits(value: float) -> bytes:
    return struct.pack("<d", value)


@given(VALUES, st.booleans())
@example(-0.0, False)
@example(2**64 + 1, False)
@example("\ud800", True)
def test_json_is_read_as_it_was_written(value: JSONValue, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    assert exactly_written(parse_json(text)) == exactly_written(value)
    assert exactly_written(parse_json(text.encode("utf-8", "surrogatepass"))) == exactly_written(value)


@given(FLOATS.filter(math.isfinite))
@example(5e-324)
@example(1.7976931348623157e308)
@example(0.1 + 0.2)
def test_finite_floats_keep_their_bits(value: float) -> None:
    read = parse_json(json.dumps(value))
    assert isinstance(read, float)
    assert bits(read) == bits(value)


@given(st.lists(ROWS, max_size=5))
def test_rows_read_together_are_the_rows_read_alone(rows: list[dict[str, JSONValue]]) -> None:
    texts = [json.dumps(row) for row in rows]
    together = parse_rows(texts)
    assert exactly_written([*together]) == exactly_written(
        [*(restore_floats(parse_object(text)) for text in texts)]
    )


@given(st.lists(st.text(st.sampled_from('{}[],:"a1 '), max_size=8), max_size=4))
@example(["1}, {", "{}"])
@example(["{}, {}", ""])
@example(['{"a": 1', '"b": 2}'])
def test_texts_that_are_no_rows_do_not_become_rows_together(texts: list[str]) -> None:
    try:
        rows = [value for text in texts if isinstance(value := parse_json(text), dict)]
        alone = rows if len(rows) == len(texts) else None
    except ValueError:
        alone = None
    try:
        together = parse_rows(texts)
    except ValueError:
        together = None
    assert exactly_written(together if together is None else [*together]) == exactly_written(
        alone if alone is None else [*alone]
    )


@given(st.one_of(st.text(), st.binary(), st.text(st.sampled_from('{}[],:"\\u0eNaInfity-1 '))))
def test_other_text_does_no_worse_than_a_value_error(text: str | bytes) -> None:
    with contextlib.suppress(ValueError):
        parse_json(text)
    if isinstance(text, str):
        with contextlib.suppress(ValueError):
            parse_config(text)
        with contextlib.suppress(ValueError):
            parse_rows([text])


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=4))
def test_configs_are_unwrapped_to_what_was_wrapped(values: dict[str, JSONValue]) -> None:
    wrapped = {key: {"value": value, "desc": None} for key, value in values.items()}
    parsed = parse_config(json.dumps(wrapped))
    assert exactly_written({**parsed.values, **parsed.internal}) == exactly_written(
        {key: values[key] for key in (*parsed.values, *parsed.internal)}
    )
    assert parsed.values.keys() | parsed.internal.keys() == values.keys()


PROJECT: JSONValue = {"project": {"run": None}}
PROBLEMS = st.fixed_dictionaries({"message": VALUES, "path": VALUES})
ANSWERS = st.one_of(
    VALUES,
    st.fixed_dictionaries(
        {"data": VALUES | st.just(PROJECT), "errors": VALUES | st.lists(PROBLEMS, max_size=2)}
    ),
    st.fixed_dictionaries({"error": VALUES}),
)
BODIES = st.binary(max_size=40) | ANSWERS.map(lambda body: json.dumps(body).encode())


@given(st.sampled_from([200, 204, 302, 400, 401, 403, 404, 408, 429, 500, 503]), BODIES)
def test_every_answer_is_a_model_or_one_of_our_errors(status: int, content: bytes) -> None:
    response = Response(status, content, {"retry-after": "1"}, attempts=2)
    with contextlib.suppress(AnswerError, SchemaDriftError):
        read_response(STATE, response)
    error = answer_error("Op", response)
    assert (error.status, error.operation, error.attempts) == (status, "Op", 2)
    assert str(error)
