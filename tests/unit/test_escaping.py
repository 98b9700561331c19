"""Strings of a server in messages: one line, nothing that a terminal obeys, bounded; attributes keep them as they are."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.unit.test_errors import SAMPLES

from runql import errors, limits
from runql.errors import GraphQLProblem, RunqlError
from runql.escaping import MOST_IN_MESSAGE, one_line

MARK = 60
"""Characters that the mark of a cut takes at most."""

HOSTILE = {
    "lines": "a\r\nERROR root: forged\u2028b\u2029c\x85d\x0be",
    "terminal": "\x1b[2J\x1b]0;title\x07\x9b31m\x08\x7f",
    "direction": "user\u202egpj.exe\u202c \u2066a\u2069 \u200f\u061c",
    "invisible": "a\u200bb\ufeffc\U000e0041\u00ad",
    "surrogates": "\ud800 \udfff",
    "null": "a\0b",
    "long": "x" * 3_000_000,
    "long and hostile": "\x1b" * 1_000_000 + "end",
}


def is_safe(message: str) -> bool:
    message.encode()
    return message.isprintable() and len(message) <= MOST_IN_MESSAGE + MARK


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("kind", SAMPLES, ids=lambda kind: kind.__name__)
def test_no_class_shows_a_hostile_string_as_it_is(kind: type[RunqlError], name: str) -> None:
    """Each str that an error was made of, whether it stands in its arguments or its attributes, becomes hostile."""
    hostile = HOSTILE[name]
    error = copy.deepcopy(SAMPLES[kind])
    error.args = tuple(spoiled(each, hostile) for each in error.args)
    for attribute, value in vars(error).items():
        if attribute != "doing":
            vars(error)[attribute] = spoiled(value, hostile)
    assert is_safe(str(error))
    held = [*error.args, *vars(error).values()]
    assert any(hostile in each for each in held if isinstance(each, (str, tuple, list, dict)))


def spoiled(value: object, hostile: str) -> object:
    if isinstance(value, str):
        return value + hostile + value
    if isinstance(value, dict):
        return dict.fromkeys([hostile], hostile)
    return (hostile,) if isinstance(value, tuple) else value


MADE: dict[str, Callable[[str], RunqlError]] = {
    "ProjectNotFoundError": lambda name: errors.ProjectNotFoundError(name, name),
    "RunNotFoundError": lambda name: errors.RunNotFoundError("e", "p", name),
    "SweepNotFoundError": lambda name: errors.SweepNotFoundError("e", name, "s"),
    "FileNotFoundInRunError": lambda name: errors.FileNotFoundInRunError("e/p/r", name),
    "EntryNotFoundError": lambda name: errors.EntryNotFoundError(name, name),
    "MismatchedResponseError": lambda name: errors.MismatchedResponseError("run e/p/r", name),
    "SchemaDriftError": lambda name: errors.SchemaDriftError("GetRun", [name]),
    "UnsafeNameError": lambda name: errors.UnsafeNameError({name: name}),
    "UnsafeNameError of many": lambda name: errors.UnsafeNameError({name: name, "b": name}),
    "LocalFileError": lambda name: errors.LocalFileError("cannot save", OSError(2, name)),
    "QueryError": lambda name: errors.QueryError(name, status=200, problems=[GraphQLProblem(name)]),
    "TransportError": lambda name: errors.TransportError("nothing", operation=name),
    "CorruptHistoryError": lambda name: errors.CorruptHistoryError(name, 1, name),
    "FrameValueError": lambda name: errors.FrameValueError("e/p/r", name, name, "Int64"),
    "UnexpectedValueError": lambda name: errors.UnexpectedValueError(
        "e/p/r", "config", name, name, "int", [name]
    ),
    "ReferenceUnavailableError": lambda name: errors.ReferenceUnavailableError("a", {name: name}, name),
    "ArtifactDamagedError": lambda name: errors.ArtifactDamagedError("a", [name], [], [name]),
    "IncompleteHistoriesError": lambda name: errors.IncompleteHistoriesError([], [name], name),
    "ResponseLimitError": lambda name: limits.ResponseLimitError(name, limit="row_bytes", most=1),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("kind", MADE)
def test_nor_does_one_that_is_made_of_it(kind: str, name: str) -> None:
    assert is_safe(str(MADE[kind](HOSTILE[name])))


def test_attributes_keep_it() -> None:
    for name in HOSTILE.values():
        assert errors.RunNotFoundError("e", "p", name).run_id == name
        assert (
            errors.QueryError("no", status=200, problems=[GraphQLProblem(name)]).problems[0].message == name
        )


def test_what_is_readable_stays() -> None:
    for text in ("", "loss of Zürich – 実験 🎉", "tab-less \\n", "a" * 80):
        assert one_line(text, 80) == text
    assert one_line("a\nb\x1b[0m\u202e") == r"a\nb\x1b[0m\u202e"


def test_the_start_and_the_end_of_a_long_string_stay() -> None:
    assert one_line("a" * 100 + "b" * 100 + "c" * 100, 30) == "a" * 20 + "…[270 more characters]…" + "c" * 10


@given(st.text(), st.integers(0, 50))
@example("\n" * 100, 3)
def test_the_length_is_bounded_and_everything_printable(text: str, most: int) -> None:
    shown = one_line(text, most)
    assert shown.isprintable()
    assert len(shown) <= most + MARK
    assert one_line(text, 12 * len(text)).isprintable()
