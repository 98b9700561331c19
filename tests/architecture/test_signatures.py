"""Every documented member exists with the documented parameters; what we add is keyword-only and can be left out."""

from __future__ import annotations

import ast
import inspect
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from inspect import Parameter
from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict
from tests.architecture.surface import Kind, members_of

import runql


class Members(BaseModel):
    """The documented members of one class."""

    model_config = ConfigDict(extra="forbid")

    properties: list[str] = []
    methods: dict[str, str] = {}
    classmethods: dict[str, str] = {}

    def by_name(self) -> Iterator[tuple[str, Kind, str]]:
        """Each member's name, kind and parameters."""
        for name in self.properties:
            yield name, "property", ""
        for name, parameters in self.methods.items():
            yield name, "method", parameters
        for name, parameters in self.classmethods.items():
            yield name, "classmethod", parameters


@dataclass(frozen=True)
class Case:
    """One documented member of one of our classes."""

    owner: type
    name: str
    kind: Kind
    parameters: str

    def __str__(self) -> str:
        return f"{self.owner.__name__}.{self.name}"


REFERENCE = {
    name: Members.model_validate(members)
    for name, members in tomllib.loads(Path(__file__).with_name("reference.toml").read_text("utf-8")).items()
}
CLASSES: dict[str, type] = {"Runs": runql.Runs, "Run": runql.Run, "Api": runql.Api}
CASES = [
    Case(CLASSES[owner], *member)
    for owner, documented in REFERENCE.items()
    for member in documented.by_name()
]


def described(parameters: list[Parameter]) -> list[tuple[str, str, object]]:
    """What the reference says of a parameter: its name, its kind, its default."""
    return [(each.name, each.kind.description, each.default) for each in parameters]


def parsed(parameters: str) -> list[Parameter]:
    """The parameters of a signature that is written as in Python, without annotations."""
    function = ast.parse(f"def documented({parameters}): ...").body[0]
    assert isinstance(function, ast.FunctionDef)
    given = function.args
    found = [Parameter(each.arg, Parameter.POSITIONAL_OR_KEYWORD) for each in given.args]
    for index, default in enumerate(reversed(given.defaults), start=1):
        found[-index] = found[-index].replace(default=ast.literal_eval(default))
    for each, value in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        preset = Parameter.empty if value is None else ast.literal_eval(value)
        found.append(Parameter(each.arg, Parameter.KEYWORD_ONLY, default=preset))
    return found


def test_the_reference_is_read_as_it_is_written() -> None:
    text = "client, per_page=50, *, x_axis='_step', needed"
    assert f"({text})" == str(inspect.Signature(parsed(text)))
    assert len(REFERENCE["Run"].properties) == 22
    assert len(CASES) == 64


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_documented_member_has_its_parameters_and_no_further_ones_that_must_be_given(case: Case) -> None:
    member = members_of(case.owner, special=True)[case.name]
    assert member.kind == case.kind
    own = list(inspect.signature(member.function).parameters.values())[1:]
    documented = parsed(case.parameters)
    assert described(own[: len(documented)]) == described(documented)
    for added in own[len(documented) :]:
        assert added.kind is Parameter.KEYWORD_ONLY, added
        assert added.default is not Parameter.empty, added


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_documented_member_says_what_it_is(case: Case) -> None:
    member = members_of(case.owner, special=True)[case.name]
    assert member.doc or (case.name == "__init__" and case.owner.__doc__)
