"""Flows that write, stepped by hand, and what a change is."""

from __future__ import annotations

import json
import re

import pytest
from tests.unit.resources.answers import in_project, run_body
from tests.unit.transport.stepping import answered, played

from runql.errors import ConfigurationError, QueryError, RequestTimedOutError, RunNotFoundError, RunqlError
from runql.paths import RunAddress
from runql.resources.runs.editing import EditableRun
from runql.resources.runs.mutations import (
    WRITABLE,
    checked_id,
    create,
    delete,
    differences,
    new_config_json,
    new_summary_json,
    unstored_fields,
    write,
)
from runql.resources.runs.record import fields_of
from runql.transport.flow import Send
from runql.transport.wire import Response
from runql_graphql.fragments import FullRunFields, RunFields, WrittenRunFields
from runql_graphql.input_types import DeleteRunInput, UpsertBucketInput
from runql_graphql.operations import create_run, delete_run, get_run_state, update_run

PLACE = RunAddress("e", "p", "r")
CHANGE = UpsertBucketInput(id="storage:r", notes="n")
DENIED = answered(None, errors=[{"message": "denied"}])


def full(**given: object) -> FullRunFields:
    fields = fields_of(run_body("r", full=True, **given))
    assert isinstance(fields, FullRunFields)
    return fields


def test_creating_names_the_run_so_that_it_can_be_repeated() -> None:
    reply = answered({"upsertBucket": {"bucket": run_body("r", full=True), "place": {"project": None}}})
    fields, effects = played(create(PLACE), [reply])
    assert fields.name == "r"
    wanted = UpsertBucketInput(name="r", modelName="p", entityName="e")
    assert effects == [Send(create_run(input=wanted), repeatable=True)]


def test_without_an_entity_nothing_is_sent() -> None:
    with pytest.raises(ConfigurationError):
        played(create(RunAddress("", "p", "r")), [])


def test_ids_are_eight_letters_and_digits() -> None:
    made = {checked_id(None) for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch("[a-z0-9]{8}", each) for each in made)
    assert checked_id("My run.1-2_3") == "My run.1-2_3"


def test_writing_can_be_repeated() -> None:
    reply = answered({"upsertBucket": {"bucket": {"id": "storage:r", "notes": "n"}}})
    written, effects = played(write(PLACE, CHANGE), [reply])
    assert written.notes == "n"
    assert effects == [Send(update_run(input=CHANGE, with_config=False, with_summary=False), repeatable=True)]


def test_deleting_is_not_repeated() -> None:
    reply = answered({"deleteRun": {"clientMutationId": None}})
    _, effects = played(delete(PLACE, "storage:r", with_artifacts=False), [reply])
    assert effects == [Send(delete_run(input=DeleteRunInput(id="storage:r")))]


def test_after_a_refusal_the_run_is_looked_for() -> None:
    for flow in (write(PLACE, CHANGE), delete(PLACE, "storage:r", with_artifacts=True)):
        with pytest.raises(RunNotFoundError) as caught:
            played(flow, [DENIED, in_project(run=None)])
        assert isinstance(caught.value.__cause__, QueryError)


@pytest.mark.parametrize(
    "second", [in_project(run={"state": "finished"}), RequestTimedOutError("late"), DENIED]
)
def test_a_run_that_is_there_was_refused(second: Response | RunqlError) -> None:
    flow = write(PLACE, CHANGE)
    next(flow)
    looked = flow.send(DENIED)
    assert looked == Send(get_run_state(entity="e", project="p", run="r"))
    with pytest.raises(QueryError, match="denied"):
        _ = flow.throw(second) if isinstance(second, RunqlError) else flow.send(second)


def test_the_same_values_are_no_change() -> None:
    stored = '{"a": {"value": NaN, "desc": "x"}, "_wandb": {"value": 1}, "wandb_version": 1}'
    assert new_config_json(stored, {"a": float("nan")}) is None
    assert new_config_json(None, {}) is None
    assert new_summary_json('{" a ": Infinity}', {"a": float("inf")}) is None
    assert new_summary_json(None, {}) is None


@pytest.mark.parametrize(("old", "new"), [("1", 1.0), ("1", True), ("null", 0), ("0.1", 0.2)])
def test_another_type_is_a_change(old: str, new: object) -> None:
    assert new_summary_json(f'{{"a": {old}}}', {"a": new}) == json.dumps({"a": new})


def test_a_removed_key_is_a_change() -> None:
    assert new_summary_json('{"a": 1}', {}) == "{}"
    text = new_config_json('{"_wandb": {"value": 1}, "a": {"value": 1}}', {})
    assert text == '{"_wandb": {"value": 1}}'


def test_differences_are_named_and_order_of_keys_is_none_of_the_config() -> None:
    before = full(tags=["a"], notes=None, config='{"a": {"value": NaN}, "b": 1}', summaryMetrics='{"x": 1}')
    same = full(tags=["a"], notes="", config='{"b": 1, "a": {"value": NaN}}', summaryMetrics='{"x": 1}')
    assert differences(before, same) == []
    other = full(tags=[], notes="n", config="{}", summaryMetrics='{"x": 2}', group="g", jobType="j")
    assert differences(before, other) == ["tags", "notes", "group", "job_type", "config", "summary"]
    light = fields_of(run_body("r", tags=["a"]))
    assert differences(light, other) == ["tags", "notes", "group", "job_type"]
    assert differences(
        before, full(id="another", tags=["a"], config=before.config, summaryMetrics='{"x": 1}')
    ) == ["storage_id"]


def test_every_writable_field_is_assigned_sent_and_returned() -> None:
    for field in WRITABLE:
        attribute = vars(EditableRun)[field.name]
        assert isinstance(attribute, property)
        assert attribute.fset is not None
        assert field.sent_as in UpsertBucketInput.model_fields
        assert field.stored_as in WrittenRunFields.model_fields
        assert field.stored_as in RunFields.model_fields


def test_fields_that_were_stored_otherwise_are_named() -> None:
    asked = UpsertBucketInput(id="storage:r", displayName="n", groupName="", tags=["b", "a"], jobType="j")
    stored = {"id": "storage:r", "displayName": "n", "group": None, "tags": ["a", "b"], "jobType": "j"}
    assert unstored(asked, **stored) == []
    assert unstored(asked, **stored | {"displayName": "other", "tags": ["a"]}) == ["name", "tags"]
    assert unstored(asked, id="storage:r", tags=["a", "b"]) == [], "what the response lacks counts as stored"


def unstored(asked: UpsertBucketInput, **stored: object) -> list[str]:
    return unstored_fields(asked, WrittenRunFields.model_validate(stored))
