"""Errors of the filter language: each says what to write, and where."""

from __future__ import annotations

from unittest.mock import patch

import pytest

from runql.cli.filter_language import FilterError, parse_filter

MISTAKES = {
    "": "it is empty",
    "lr < 0.1": "write config.lr or summary.lr",
    'name == "x"': "display_name for the name that is shown, or id",
    "config == 1": "Write config.lr",
    "config.a": "compare it",
    "tags": "tags.contains('x')",
    'tags == "x"': "'x' in tags",
    'state < "failed"': "states have no order",
    'state == "done"': "a run's state is one of",
    "config.a == true": "write True",
    "config.a == foo": "'foo' for a str",
    "config.a == config.b": "not with another field",
    "config.a = 1": "write '=='",
    "config.a == 1 && config.b == 2": "write 'and'",
    "config.a == 1 || config.b == 2": "write 'or'",
    "! config.a == 1": "write 'not'",
    "config.a == 1 & config.b == 2": "put comparisons in parentheses",
    "config.learning-rate == 1": 'config["learning-rate"]',
    "config.lambda == 1": 'config["learning-rate"]',
    "config.ﬁt == 1": "Python reads this name as 'fit'",
    "config[1] == 1": "a key in brackets is a str",
    "config.a < None": "neither more nor less",
    "config.a < True": "true or false, not more or less",
    "config.a == 1e999": "finite",
    "config.a == 1j": "a number, a str in quotes",
    'config.a == f"{x}"': "a number, a str in quotes",
    'config.a in ("x", 1)': "compared with str",
    "config.a in ()": "matches no run",
    'config.a in "xy"': "a list of values",
    'created_at > "soon"': "no date",
    "created_at > 5": "compared with datetime",
    "created_at.year == 5": "has no entries",
    "config.a.between(1)": "between takes two values",
    "config.a.exists(1)": "exists takes no value",
    "config.a.upper()": "write one of eq, ne",
    "config.a.eq(value=1)": "no argument has a name",
    "config('a', list) == 1": "config('key', float)",
    "config('a', float) == 'x'": "compared with float",
    '__import__("os").system("x")': "this is no field",
    'open("x")': "there is no function 'open'",
    "lambda: 1": "this is no condition",
    "(config.a == 1": "was never closed",
    "config.a == 1; state": "invalid syntax",
    "1 < 2": "this is no field",
    "()" * 2000: "this cannot be called",
    "not " * 5000 + "config.a == 1": "too deeply",
    "(" * 5000 + "config.a == 1" + ")" * 5000: "too many nested parentheses",
    '{"state": "x",}': "as JSON",
    '{"a": NaN}': "NaN is no JSON",
    '{"a": 1, "a": 2}': "there twice",
    '{"summary.a": 1}': "summary_metrics.a",
    '{"$and": {}}': "needs a list",
}


@pytest.mark.parametrize("text", MISTAKES, ids=lambda text: text[:30])
def test_a_mistake_says_what_to_write(text: str) -> None:
    with pytest.raises(FilterError) as raised:
        parse_filter(text)
    assert MISTAKES[text] in str(raised.value)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("config.lr < 0.1 and lr > 2", 20),
        ("config.日本 == 1 and lr > 2", 21),
        ('"\x1b[1m" == config.a and lr > 2', 26),
        ("config.a = 1", 9),
        ("config.a ==", 11),
        ('{"state": "x",}', 14),
    ],
)
def test_the_caret_is_below_the_mistake(text: str, place: int) -> None:
    with pytest.raises(FilterError) as raised:
        parse_filter(text)
    assert raised.value.below(80)[1] == " " * (2 + place) + "^"


def test_a_long_filter_is_shown_around_the_mistake() -> None:
    many = " and ".join(f"config.k{place} == {place}" for place in range(50))
    with pytest.raises(FilterError) as raised:
        parse_filter(f"{many} and lr == 1 and {many}")
    line, caret = raised.value.below(40)
    assert len(line) <= 40
    assert line[2] == line[-1] == "…"
    assert line[len(caret) - 1 :].startswith("lr == 1")


def test_a_mistake_in_a_filter_of_several_lines_names_the_line() -> None:
    with pytest.raises(FilterError, match="line 2, column 7") as raised:
        parse_filter("(config.a == 1\n  and lr > 2)")
    assert raised.value.below(80) == ["    and lr > 2)", "        ^"]


def test_nothing_is_evaluated() -> None:
    with patch("builtins.eval") as evaluate, patch("builtins.exec") as execute:
        parse_filter("config.a.between(1, 2) and not summary['x'] in (1, 2)")
        with pytest.raises(FilterError):
            parse_filter("exit()")
    assert not evaluate.called
    assert not execute.called
