"""`typing.get_type_hints` resolves every public annotation, and what a user must name can be imported from `runql`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any, Literal, get_args, get_overloads, get_type_hints

import pytest
from tests.architecture.surface import classes_in, members_of, public_classes

import runql

CLASSES = pytest.mark.parametrize("owner", public_classes(), ids=lambda each: each.__name__)

# Structural types: an `Api`, a dict, or a generated model fits them.
STRUCTURAL = {"ApiConnection", "AsyncApiConnection", "Keyed", "SupportsEdge", "SupportsPageInfo"}

# Made by constructors of our own.
INTERNAL = {"Listing", "PageSweeps"}

# Their flows and effects are no part of what users call (docs/flows.md).
TRANSPORT = {runql.AsyncRetryingClient, runql.RetryingClient, runql.RetryPolicy}

UNRESOLVED_WITHOUT = """
import sys, typing
sys.modules.update(dict.fromkeys(("pandas", "polars", "pyarrow")))  # as if not installed
import runql
assert typing.get_type_hints(runql.Api.runs)["return"] is runql.Runs
assert typing.get_origin(typing.get_type_hints(runql.Run.beta_scan_history)["return"]) is runql.HistoryScan
try:
    typing.get_type_hints(runql.HistoryScan.to_polars)
except ModuleNotFoundError as error:
    print(error.name)
"""


def callables_of(owner: type) -> Iterator[tuple[str, Callable[..., object]]]:
    """Every function of a class's members, with overloads and setters, under its name."""
    for name, member in members_of(owner, special=True).items():
        yield name, member.function
        yield from ((f"{name}, overloaded", each) for each in get_overloads(member.function))
        found = vars(member.owner).get(name)
        if isinstance(found, property) and found.fset is not None:
            yield f"{name}, assigned", found.fset


def unresolved(hint: object) -> bool:
    """Whether an annotation still holds a postponed name; the two recursive aliases name themselves."""
    return "ForwardRef" in str(hint).replace("ForwardRef('JSONValue', module='runql.values')", "").replace(
        "ForwardRef('JSONInput', module='runql.values')", ""
    )


@CLASSES
def test_the_annotations_of_every_member_resolve_without_further_names(owner: type) -> None:
    for name, function in callables_of(owner):
        hints = get_type_hints(function)
        assert {place for place, hint in hints.items() if unresolved(hint)} == set(), name
    assert {name for name, hint in get_type_hints(owner).items() if unresolved(hint)} == set()


def test_the_annotations_of_module_functions_resolve() -> None:
    hints = get_type_hints(runql.progress_bar)
    assert hints
    assert not any(map(unresolved, hints.values()))


@pytest.mark.parametrize(
    "owner", [each for each in public_classes() if each not in TRANSPORT], ids=lambda each: each.__name__
)
def test_every_class_of_ours_in_a_signature_is_exported(owner: type) -> None:
    named = {
        each.__name__
        for name, function in callables_of(owner)
        if name.partition(",")[0] not in {"__init__", "listed", "take"}
        for hint in get_type_hints(function).values()
        for each in classes_in(hint)
        if each.__module__.split(".")[0].startswith("runql")
    }
    assert named - INTERNAL - STRUCTURAL - set(runql.__all__) == set()


def test_a_users_function_resolves_the_recursive_aliases_by_our_names_alone() -> None:
    def promote(row: runql.Row, filters: runql.Filters, config: runql.JSONInput) -> runql.JSONValue:
        return [row, str(filters), str(config)]

    hints: dict[str, Any] = get_type_hints(promote)  # Any: an annotation has no type of its own
    assert str in get_args(get_args(hints["row"])[1])
    assert set(hints) == {"row", "filters", "config", "return"}


def test_the_exported_aliases_are_those_that_signatures_show() -> None:
    def users(filters: runql.Filters | None) -> None:
        del filters

    users_hint = get_type_hints(users)["filters"]
    hints: dict[str, Any] = get_type_hints(
        runql.Run.scan_history
    )  # Any: an annotation has no type of its own
    assert hints["match"] == runql.Match == Literal["all", "any"]
    assert get_type_hints(runql.Api.runs)["filters"] == users_hint
    assert get_type_hints(runql.Run.history)["stream"] == runql.Stream


def test_only_the_absent_library_keeps_a_hint_from_resolving() -> None:
    done = subprocess.run(
        [sys.executable, "-c", UNRESOLVED_WITHOUT], capture_output=True, text=True, check=True
    )
    assert done.stdout == "polars\n"
