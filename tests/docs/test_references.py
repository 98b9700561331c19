"""What docstrings and documents name between backquotes is there: members, errors, and keywords of calls."""

from __future__ import annotations

import inspect
import re
from typing import Final

import pytest
from tests.docs import references

import runql
from runql import errors
from runql_server.testing import RunningServer


def test_every_reference_leads_somewhere() -> None:
    assert [f"{each.place}: `{each.span}`: {each.reason}" for each in references.missing()] == []


def test_the_references_are_found() -> None:
    spans = [span for _, page in references.documents() for span in references.SPAN.findall(page)]
    assert sum(references.refer(span) is not None for span in spans) > 200
    named = [span for each in references.docstrings() for span in references.SPAN.findall(each.content)]
    assert len(named) > 1000


FOUND: Final[list[tuple[str, object]]] = [
    ("Run.scan_history", runql.Run.scan_history),
    ("runql.Run.history", runql.Run.history),
    ("api.run(path).history", runql.Run.history),
    ("runql.errors", errors),
    ("PaginationError", runql.PaginationError),
    ("runql_server.testing.RunningServer", RunningServer),
]


@pytest.mark.parametrize(("span", "found"), FOUND)
def test_a_span_refers_to_what_it_names(span: str, found: object) -> None:
    assert references.refer(span) is found


@pytest.mark.parametrize(
    "span",
    [
        'run.config["lr"]',
        "Api(deadline=60, retries=3)",
        "runs.scan_histories(keys, match='any').collect()",
        "wandb.Api.runs",
        "Run.displayName",
        "project.run.systemMetrics",
        "docs/a.md",
        "config.lr < 0.1",
    ],
)
def test_what_is_there_or_is_not_ours_passes(span: str) -> None:
    references.refer(span)


@pytest.mark.parametrize(
    ("span", "reason"),
    [
        ("Runs.load_histories", "Runs has no load_histories"),
        ("runs.load_histories(keys)", "no class has a member load_histories|Runs has no load_histories"),
        ("runql.PagingError", "runql has no PagingError"),
        ("PagingError", "there is no error PagingError"),
        ("runql.resources.nothing.Run", "runql.resources has no nothing"),
        ("run.scan_history(key='a')", r"Run.scan_history takes no key="),
        ("Api(timeout_seconds=3)", "Api takes no timeout_seconds="),
        ("api.run(path).nothing", "Run has no nothing"),
        ("read_everything()", "no class has a member read_everything"),
        ("a_word_that_nothing_takes=True", "nothing takes a_word_that_nothing_takes="),
        ("Server.nothing", "RunningServer has no nothing"),
    ],
)
def test_what_is_not_there_is_found(span: str, reason: str) -> None:
    scope = {"Server": RunningServer}
    with pytest.raises(references.UnresolvedError, match=reason):
        references.refer(span, scope)


@pytest.mark.parametrize(
    "docstring",
    [
        "Read it; see [the run][runql.Run.histories_of].",
        "Read it.\n\n    Raises:\n        PagingError: a page is missing.\n    ",
        "Read it.\n\n    Raises:\n        ValueError, PagingError: a page is missing.\n    ",
        "Read it, as ``Run.histories_of`` does.",
    ],
)
def test_a_stale_docstring_is_found(docstring: str) -> None:
    [fault] = references.check(docstring, "a.py:1", {})
    assert fault.place == "a.py:1"


def test_an_attribute_has_a_line_of_its_own() -> None:
    # The reference takes what stands after a comma for its type.
    shared = r"\n(?:Attributes|Args):\n(?:(?! *Raises:).+\n)*? +[a-z]\w*, \w+: "
    assert [
        each.place
        for each in references.docstrings()
        if re.search(shared, inspect.cleandoc(each.content) + "\n")
    ] == []
