"""The generated functions and models at work: what they send, and what they read."""

from __future__ import annotations

import copy
import importlib
import inspect
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

# Any, all over this module: the packages are made while the tests run.


@pytest.fixture
def packages(built: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The built packages can be imported."""
    monkeypatch.setattr(sys, "path", [str(built), *sys.path])


def made(module: str) -> Any:
    """A module of a built package, named by its case."""
    return importlib.import_module(module)


@pytest.mark.usefixtures("packages")
def test_an_operation_is_a_value_with_its_text_variables_and_type() -> None:
    operation = made("nested_fragments.operations").get_project(name="p", first=3)
    assert operation.name == "GetProject"
    assert operation.kind == "query"
    assert operation.variables == {"name": "p", "first": 3}
    assert operation.result is made("nested_fragments.get_project").GetProject
    for fragment in ("ProjectFields", "RunFields", "UserFields"):
        assert operation.document.count(f"fragment {fragment} on") == 1


@pytest.mark.usefixtures("packages")
def test_functions_take_keywords_only_and_leave_out_what_is_not_given() -> None:
    find_hits = made("variables.operations").find_hits
    kinds = {parameter.kind for parameter in inspect.signature(find_hits).parameters.values()}
    assert kinds == {inspect.Parameter.KEYWORD_ONLY}
    unset = made("variables.base_model").UNSET
    variables = find_hits(text="a", required=[1], limit=None).variables
    assert variables == {"text": "a", "required": [1], "limit": None, "tags": unset, "exact": unset}
    assert not unset


@pytest.mark.usefixtures("packages")
def test_variables_named_like_keywords_are_sent_under_their_own_names() -> None:
    operation = made("keywords.operations").get_move(
        from_=1, id="i", type_="t", query="q", class_=True, self=2
    )
    sent = {name: value for name, value in operation.variables.items() if name != "variables"}
    assert sent == {"from": 1, "id": "i", "type": "t", "query": "q", "class": True, "self": 2}
    move = operation.result.model_validate({"move": {"from": 1, "id": "i", "class": False, "copy": "c"}}).move
    assert (move.from_, move.class_, move.copy_, move.schema_) == (1, False, "c", None)


@pytest.mark.usefixtures("packages")
def test_a_mutation_says_so() -> None:
    change_task = made("mutation_enum.operations").change_task
    operation = change_task(input=made("mutation_enum.input_types").ChangeTaskInput(id="1"))
    assert operation.kind == "mutation"


@pytest.mark.usefixtures("packages")
@pytest.mark.parametrize(("typename", "field"), [("Run", "state"), ("Sweep", "run_count")])
def test_the_type_of_an_abstract_field_is_picked_by_its_typename(typename: str, field: str) -> None:
    answer = {"__typename": typename, "id": "1", "state": None, "runCount": 2}
    node = made("abstract_types.get_node").GetNode.model_validate({"node": answer}).node
    assert node.typename__ == typename
    assert hasattr(node, field)


@pytest.mark.usefixtures("packages")
def test_an_enum_value_that_the_schema_does_not_know_is_read() -> None:
    state_of = made("mutation_enum.enums").TaskState
    answer = {"task": {"id": "1", "state": "PAUSED", "history": ["OPEN", "LOST", "PAUSED"]}}
    task = made("mutation_enum.get_task").GetTask.model_validate(answer).task
    assert isinstance(task.state, state_of)
    assert (task.state.value, task.state.name) == ("PAUSED", "PAUSED")
    assert task.state == "PAUSED"
    assert task.state == state_of("PAUSED") == task.history[2]
    assert hash(task.state) == hash(state_of("PAUSED"))
    assert task.state not in {state_of.OPEN, state_of.DONE}
    assert task.history[0] is state_of.OPEN
    assert task.model_dump(mode="json")["history"] == ["OPEN", "LOST", "PAUSED"]
    assert list(state_of) == [state_of.OPEN, state_of.DONE]


@pytest.mark.usefixtures("packages")
def test_an_unknown_enum_value_can_be_copied_stored_and_sent_back() -> None:
    unknown = made("mutation_enum.enums").TaskState("PAUSED")
    assert copy.deepcopy(unknown) == unknown
    assert pickle.loads(pickle.dumps(unknown)) == unknown
    given = made("mutation_enum.input_types").ChangeTaskInput(id="1", state=unknown)
    assert given.model_dump(mode="json", exclude_unset=True) == {"id": "1", "state": "PAUSED"}


@pytest.mark.usefixtures("packages")
@pytest.mark.parametrize("value", [1, None, ["OPEN"], {}])
def test_an_enum_value_that_is_no_text_is_refused(value: object) -> None:
    fields = made("mutation_enum.fragments").TaskFields
    with pytest.raises(ValidationError):
        fields.model_validate({"id": "1", "state": value, "history": []})
