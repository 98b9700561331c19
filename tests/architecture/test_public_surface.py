"""What `runql` exports: listed once, documented, without `Any`, and without another library's types."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, get_overloads, get_type_hints

import pytest
from tests.architecture.surface import NAMES, classes_in, hints_of, members_of, public_classes, written

import runql
from runql import errors

CLASSES = pytest.mark.parametrize("owner", public_classes(), ids=lambda each: each.__name__)

# Generated, and what the generated functions of a user are made of.
GENERATED = {runql.Operation, runql.UnsetType}

# The one door through which an HTTP library's object comes in.
DOOR = "transport"


def annotations_of(owner: type) -> Iterator[tuple[str, object]]:
    """Every annotation of a class, under `member.parameter`: fields, methods, properties, overloads."""
    for name, hint in get_type_hints(owner, localns=dict(NAMES)).items():
        if not name.startswith("_"):
            yield name, hint
    for name, member in members_of(owner, special=True).items():
        for function in (member.function, *get_overloads(member.function)):
            yield from ((f"{name}.{place}", hint) for place, hint in hints_of(function).items())


def imported(statements: list[ast.stmt]) -> dict[str, str]:
    """The names that `from … import …` gives, each with its module."""
    return {
        alias.asname or alias.name: str(node.module)
        for node in statements
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_all_is_what_the_package_imports_now_or_later() -> None:
    body = ast.parse(Path(runql.__file__).read_text("utf-8")).body
    seen_by_checkers = next(node.body for node in body if isinstance(node, ast.If))
    later = imported(seen_by_checkers)
    eager = imported(body).keys() - {"TYPE_CHECKING", "import_module"}
    assert sorted(runql.__all__) == sorted([*eager, *later])
    assert len(set(runql.__all__)) == len(runql.__all__)
    for name, module in later.items():
        assert getattr(runql, name) is getattr(import_module(module), name), name


def test_names_that_come_later_are_told_and_others_are_refused() -> None:
    assert set(runql.__all__) <= set(dir(runql))
    with pytest.raises(AttributeError, match="has no attribute 'Runz'"):
        getattr(runql, "Runz")  # noqa: B009 - for type checkers there is no such name


def test_everything_that_is_exported_lives_in_runql() -> None:
    assert len(public_classes()) > 25
    elsewhere = {each for each in public_classes() if each.__module__.split(".")[0] != "runql"}
    assert elsewhere == GENERATED


def test_every_error_of_ours_is_exported_and_has_the_one_root() -> None:
    own = {
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, Exception) and value.__module__ == "runql.errors"
    }
    assert own <= set(runql.__all__)
    assert all(issubclass(getattr(runql, name), (runql.RunqlError, Warning)) for name in own)


@CLASSES
def test_every_public_class_and_member_has_a_docstring(owner: type) -> None:
    if owner is not runql.UnsetType:  # ariadne-codegen's own, which says nothing
        assert inspect.cleandoc(vars(owner).get("__doc__") or "")
    assert [name for name, member in members_of(owner).items() if not member.doc] == []


@CLASSES
def test_no_public_annotation_contains_any(owner: type) -> None:
    found = {place: written(hint) for place, hint in annotations_of(owner)}
    assert {place: text for place, text in found.items() if re.search(r"\bAny\b", text)} == {}


@CLASSES
def test_public_functions_are_annotated(owner: type) -> None:
    for name, member in members_of(owner, special=True).items():
        parameters = set(inspect.signature(member.function).parameters) - {"self", "cls"}
        assert parameters | {"return"} == set(hints_of(member.function)), name


@CLASSES
def test_an_http_librarys_types_come_in_by_one_door_only(owner: type) -> None:
    foreign = {
        place
        for place, hint in annotations_of(owner)
        if any(each.__module__.split(".")[0] == "httpx" for each in classes_in(hint))
    }
    assert {place.split(".")[-1] for place in foreign} <= {DOOR}


def test_any_and_foreign_types_would_be_seen() -> None:
    assert "Any" in written(dict[str, list[Any] | None])
    assert int in set(classes_in(dict[str, list[int] | None]))
