"""Unit tests of the lenient reading of JSON."""

from __future__ import annotations

import json
import math

import pytest

from runql.values import (
    JSONValue,
    ParsedConfig,
    as_json,
    dump_json,
    parse_config,
    parse_json,
    parse_object,
    parse_rows,
    restore_floats,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None),
        (b'{"a": [1, true]}', {"a": [1, True]}),
        ("Infinity", math.inf),
        ("[-Infinity, 1e400]", [-math.inf, math.inf]),
        ('"a\nb\tc\u0000"', "a\nb\tc\u0000"),
        (b'"a\nb"', "a\nb"),
        ('"\\ud83d\\ude00 \\ud800"', "😀 \ud800"),
        (str(2**64 + 1), 2**64 + 1),
        ("-" + "9" * 100, -int("9" * 100)),
        ("[" * 250 + "]" * 250, None),
    ],
)
def test_json_is_read_leniently(text: str | bytes, value: JSONValue) -> None:
    read = parse_json(text)
    assert read == value if value is not None or text == "null" else isinstance(read, list)


def test_bare_nan_is_a_float() -> None:
    read = parse_json("NaN")
    assert isinstance(read, float)
    assert math.isnan(read)


@pytest.mark.parametrize("text", ["", "{", "nan", "01", b"\xff", "{}x", "[" * 900, "9" * 5000])
def test_what_is_not_json_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError, match="not JSON"):
        parse_json(text)


def test_the_error_shows_the_first_80_characters_only() -> None:
    with pytest.raises(ValueError, match="not JSON") as caught:
        parse_json("start " + "x" * 200)
    assert "start " + "x" * 74 + "'…" in str(caught.value)
    assert "x" * 75 not in str(caught.value)


@pytest.mark.parametrize("text", [None, "", "null", "{}"])
def test_no_object_is_an_empty_object(text: str | None) -> None:
    assert parse_object(text) == {}


@pytest.mark.parametrize("text", ["[]", "1", '"text"', "{"])
def test_another_value_is_no_object(text: str) -> None:
    with pytest.raises(ValueError, match="JSON"):
        parse_object(text)


def test_config_entries_are_unwrapped_and_internal_ones_set_apart() -> None:
    text = """{
        "_wandb": {"value": {"cli_version": "0.21.4"}, "desc": null}, "wandb_version": 1,
        "lr": {"desc": "rate", "value": 0.1}, "none": {"value": null}, "model": {"value": {"value": 3}},
        "plain": 7, "object": {"layers": 2}, "list": [1]
    }"""
    assert parse_config(text) == ParsedConfig(
        values={
            "lr": 0.1,
            "none": None,
            "model": {"value": 3},
            "plain": 7,
            "object": {"layers": 2},
            "list": [1],
        },
        internal={"_wandb": {"cli_version": "0.21.4"}, "wandb_version": 1},
    )


def test_internal_entries_of_a_config_are_in_order() -> None:
    parsed = parse_config('{"wandb_version": 1, "lr": {"value": 0.1}, "_wandb": {"value": {}}}')
    assert list(parsed.internal) == ["_wandb", "wandb_version"]


def test_no_config_is_an_empty_config() -> None:
    assert parse_config(None) == ParsedConfig(values={}, internal={})


def test_both_spellings_of_non_finite_floats_are_read_in_rows() -> None:
    bare, spelled = parse_rows(
        ['{"a": NaN, "b": Infinity, "c": -Infinity}', '{"a": "NaN", "b": "Infinity", "c": "-Infinity"}']
    )
    assert repr(bare) == repr(spelled) == "{'a': nan, 'b': inf, 'c': -inf}"


def test_only_whole_top_level_texts_stand_for_floats() -> None:
    row = '{"note": "NaN loss", "inner": {"x": "NaN"}, "list": ["Infinity"], "lower": "nan"}'
    assert parse_rows([row]) == [
        {"note": "NaN loss", "inner": {"x": "NaN"}, "list": ["Infinity"], "lower": "nan"}
    ]


def test_rows_that_are_objects_already_are_restored() -> None:
    plain: dict[str, JSONValue] = {"_step": 1, "loss": 0.5}
    assert restore_floats(plain) is plain
    spelled: dict[str, JSONValue] = {"_step": 1, "loss": "-Infinity"}
    assert restore_floats(spelled) == {"_step": 1, "loss": -math.inf}
    assert spelled["loss"] == "-Infinity"


def test_one_odd_row_does_not_spoil_the_others() -> None:
    assert parse_rows(['{"_step": 0}', '{"note": "a\nb"}', '{"_step": 2}']) == [
        {"_step": 0},
        {"note": "a\nb"},
        {"_step": 2},
    ]


def test_no_rows() -> None:
    assert parse_rows([]) == []


@pytest.mark.parametrize(
    "texts", [["[1]"], ['{"a": 1}', "2"], ['{"a": 1', '"b": 2}'], ['{"a": 1}, {"b": 2}']]
)
def test_rows_must_be_objects_of_their_own(texts: list[str]) -> None:
    with pytest.raises(ValueError, match="JSON"):
        parse_rows(texts)


@pytest.mark.parametrize("ensure_ascii", [True, False])
def test_any_depth_is_written_as_json_writes_it(ensure_ascii: bool) -> None:
    shallow: JSONValue = {"é": [1, [], {}, {"b": [None, True, 2.5, "x"]}], "c": {}}
    expected = json.dumps(shallow, ensure_ascii=ensure_ascii)
    value = as_json(shallow)
    for _ in range(5_000):
        value = as_json([value, {}])
        expected = f"[{expected}, {{}}]"
    assert dump_json(value, ensure_ascii=ensure_ascii) == expected
