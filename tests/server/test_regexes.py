"""Patterns of clients: linear in the string, as Python reads them where RE2 does, and refused where it does not."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.patience import PATIENCE
from tests.profiles import examples

from runql_server.running import RunningServer
from runql_server.seed import SeedRun
from runql_server.storage import regexes
from runql_server.storage.regexes import PatternError

Query = Callable[..., dict[str, Any]]
RUNS = 'query($filters: JSONString) { project(name: "p") { runs(filters: $filters) { edges { node { name } } } } }'

CATASTROPHIC = ["(a+)+$", "(a|a)*$", "(a|aa)+$", "(.*a){20}$", "(a*)*b", "^(([a-z])+.)+[A-Z]([a-z])+$"]


def found(query: Query, pattern: str, options: str = "") -> dict[str, Any]:
    wanted = {
        "$or": [{"config.text": {"$regex": pattern, "$options": options}}, {"notes": {"$regex": pattern}}]
    }
    return query(RUNS, filters=json.dumps(wanted))


@pytest.mark.parametrize("pattern", CATASTROPHIC)
def test_patterns_that_hang_python_end_while_others_are_served(
    server: RunningServer, query: Query, pattern: str
) -> None:
    # Backtracking needs 2**n steps for these: no machine ends them.
    server.seed("p", [SeedRun(name="r", config={"text": "a" * 100_000 + "!"}, notes="a" * 100_000 + "!")])
    answers: list[dict[str, Any]] = []
    searching = threading.Thread(target=lambda: answers.append(found(query, pattern)))
    searching.start()
    assert query("{ viewer { username } }")["data"]["viewer"]["username"] == "local"
    searching.join(PATIENCE)
    assert "errors" not in answers[0]


@pytest.mark.parametrize(
    "pattern",
    ["(?=a)", "(?!a)", "(?<=a)b", "(?<!a)b", r"(a)\1", "(?P<n>a)(?P=n)", "(?>a)", "a++", "(?(1)a|b)", r"\Z"],
)
def test_what_re2_lacks_is_refused_with_the_key(server: RunningServer, query: Query, pattern: str) -> None:
    server.seed("p", [SeedRun(name="r", config={"text": "aa"})])
    (error,) = found(query, pattern)["errors"]
    assert "$regex of 'config.text' is not a regular expression" in error["message"]
    assert "no lookaround and no backreferences" in error["message"]


@pytest.mark.parametrize(
    "pattern", ["a{1001}", "(" * 5_000, "((a{100}){100}){100}", "x" * 10_001, "[", "*", "\\"]
)
def test_a_pattern_that_is_too_large_or_wrong_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError) as caught:
        regexes.compiled(pattern, "")
    assert len(str(caught.value)) < 400


ATOMS = st.sampled_from(
    ["a", "B", "é", "Ü", ".", "^", "[a-c]", "[^a]", r"\d", r"\s", r"\.", "(?:a|b)", "(b)", "#", " ", "\n"]
)
PATTERNS = st.lists(st.tuples(ATOMS, st.sampled_from(["", "", "*", "+", "?", "{2}", "*?"])), max_size=5).map(
    lambda parts: "".join(atom + count for atom, count in parts)
)
FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE}


@examples(400)
@given(PATTERNS, st.text("aAbBcé Üü#.\n1", max_size=8), st.sets(st.sampled_from("imsx")))
def test_a_pattern_means_what_it_means_in_python(pattern: str, text: str, letters: set[str]) -> None:
    flags = re.RegexFlag(0)
    for letter in letters:
        flags |= FLAGS[letter]
    try:
        expected = re.search(pattern, text, flags) is not None
    except re.error:
        assume(False)
        return
    try:
        compiled = regexes.compiled(pattern, "".join(letters))
    except PatternError:
        # Python counts an anchor, RE2 does not.
        assume(False)
        return
    assert compiled.is_in(text) is expected


@pytest.mark.parametrize(
    ("pattern", "bare"),
    [
        ("a b # c\n d", "abd"),
        (r"a\ b\#", r"a\ b\#"),
        ("[ #]] x", "[ #]]x"),
        ("[]# ] x", "[]# ]x"),
        ("[^]# ] x", "[^]# ]x"),
        ("# only", ""),
        ("a\\", "a\\"),
    ],
)
def test_layout_is_dropped_outside_of_classes_and_escapes(pattern: str, bare: str) -> None:
    assert regexes.without_layout(pattern) == bare


def test_nul_characters_are_searched_and_lone_surrogates_refused() -> None:
    assert regexes.compiled("a\0b", "").is_in("xa\0by")
    with pytest.raises(PatternError, match="surrogate"):
        regexes.compiled("\ud800", "")
