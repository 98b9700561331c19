"""Flows that create, change and delete a run, and what is sent for a change."""

from __future__ import annotations

import json
import re
import secrets
import string
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from runql.arguments import checked_str, shown
from runql.errors import (
    AnswerError,
    ChangeRefusedError,
    ConfigurationError,
    InvalidAnswerError,
    NotFoundError,
    ProjectNotFoundError,
    QueryError,
    RunNotFoundError,
    RunqlError,
)
from runql.paths import RunAddress
from runql.resources.records.identity import require_id, require_name, require_place
from runql.resources.records.run_fields import read_state
from runql.resources.records.to_json import storable_object
from runql.transport.flow import Flow, fetch
from runql.values import INTERNAL_KEYS, JSONValue, checked_json, parse_config, parse_object, parse_summary
from runql_graphql.fragments import FullRunFields, RunFields
from runql_graphql.operations import create_run, delete_run, stop_run, update_run, update_run_state

if TYPE_CHECKING:
    from runql_graphql.fragments import WrittenRunFields
    from runql_graphql.input_types import UpsertBucketInput

FirstState: TypeAlias = Literal["running", "pending"]
"""A state that a run can be created in."""
RequestedState: TypeAlias = Literal["pending", "failed"]
"""A state that a run can be put in."""

GONE: Final = 410
ID_LETTERS: Final = string.ascii_lowercase + string.digits
NOT_IN_IDS: Final = re.compile(r"[/\\#?%:\x00-\x1f]")
LONGEST: Final = 128


def checked_id(run_id: str | None) -> str:
    """The id of a run to create; a new one of eight lower-case letters and digits for None.

    Raises:
        ValueError: it is empty, longer than 128, or holds a character that has a meaning in URLs.
        TypeError: it is no text.
    """
    if run_id is None:
        return "".join(secrets.choice(ID_LETTERS) for _ in range(8))
    if not isinstance(run_id, str):  # pyright: ignore[reportUnnecessaryIsInstance] — callers may be untyped
        raise TypeError(f"run_id must be a text, not {type(run_id).__name__}")
    if not run_id.strip() or len(run_id) > LONGEST or NOT_IN_IDS.search(run_id):
        raise ValueError(
            f"run_id must have 1 to {LONGEST} characters, none of them / \\ # ? % : or a control one, not {shown(run_id)}"
        )
    return run_id


def create(place: RunAddress, state: FirstState = "running") -> Flow[FullRunFields]:
    """Create the run, or find the one that has the id already; one request, safe to repeat.

    Raises:
        ValueError: ``state`` is none of those that a run can begin in.
        ConfigurationError: the entity is not known.
        ProjectNotFoundError: the server made no run there.
        InvalidAnswerError: the id belonged to a run that was deleted (410).
    """
    checked_state(state, get_args(FirstState))
    if not place.entity:
        raise ConfigurationError(
            "no entity is given and the API key's user has no default one: "
            "pass entity=..., or set WANDB_ENTITY"
        )
    from runql_graphql.input_types import UpsertBucketInput

    checked_str("project", place.project)
    checked_str("entity", place.entity)
    wanted = UpsertBucketInput(name=place.run_id, modelName=place.project, entityName=place.entity)
    if state != "running":
        wanted.state = state
    try:
        answer = yield from fetch(create_run(input=wanted), repeatable=True)
    except InvalidAnswerError as error:
        if error.status != GONE:
            raise
        text = f"run {place} was deleted, and its id cannot be used again: choose another run_id"
        raise InvalidAnswerError(text, status=GONE, operation=error.operation) from error
    made = answer.upsert_bucket
    if made is None or made.bucket is None:
        raise ProjectNotFoundError(place.entity, place.project)
    require_name(f"run {place.entity}/{place.project}/", place.run_id, made.bucket.name)
    require_place(place, made.place.project if made.place else None)
    return made.bucket


def write(place: RunAddress, changes: UpsertBucketInput) -> Flow[WrittenRunFields]:
    """Write the fields that are set in ``changes``, and return them as the server keeps them; one request.

    Small fields are returned always, config and summary when they were written.

    Safe to repeat: every field replaces what was there. A refusal costs one request more, to tell whether the run is
    still there.

    Raises:
        RunNotFoundError: the run was deleted meanwhile.
        AnswerError: the server refuses.
    """
    operation = update_run(
        input=changes,
        with_config=changes.config is not None,
        with_summary=changes.summary_metrics is not None,
    )
    try:
        answer = yield from fetch(operation, repeatable=True)
    except AnswerError as error:
        yield from _raise_if_gone(place, error)
        raise
    if answer.upsert_bucket is None or answer.upsert_bucket.bucket is None:
        raise RunNotFoundError(place.entity, place.project, place.run_id)
    if changes.id is not None:
        require_id("run", changes.id, answer.upsert_bucket.bucket.id)
    return answer.upsert_bucket.bucket


def unmet_fields(asked: UpsertBucketInput, stored: WrittenRunFields) -> list[str]:
    """Names of the small fields that the server keeps otherwise than they were sent; it may reorder tags.

    What its response does not hold was kept, for all that is known.
    """
    sent = {
        "display_name": asked.display_name,
        "notes": asked.notes,
        "description": asked.description,
        "group": asked.group_name,
        "job_type": asked.job_type,
    }
    kept: dict[str, str | None] = stored.model_dump(include=set(sent), exclude_unset=True)
    found = [
        "name" if name == "display_name" else name
        for name, value in kept.items()
        if sent[name] is not None and sent[name] != (value or "")
    ]
    if asked.tags is not None and set(asked.tags) != set(stored.tags or ()):
        found.append("tags")
    return found


def delete(place: RunAddress, storage_id: str, *, with_artifacts: bool) -> Flow[None]:
    """Delete the run; one request, which is not repeated once the server may have seen it, and see `confirmed`.

    Raises:
        RunNotFoundError: there is no such run.
        DeletionUnconfirmedError: the response was lost, and the run is still there or cannot be asked for.
        AnswerError: the server refuses.
    """
    from runql.resources.records.deletion import confirmed

    def is_there() -> Flow[bool]:
        yield from read_state(place.entity, place.project, place.run_id)
        return True

    yield from confirmed(_delete(place, storage_id, with_artifacts=with_artifacts), is_there, f"run {place}")


def _delete(place: RunAddress, storage_id: str, *, with_artifacts: bool) -> Flow[None]:
    from runql_graphql.input_types import DeleteRunInput

    wanted = DeleteRunInput(id=storage_id)
    if with_artifacts:
        wanted.delete_artifacts = True
    try:
        answer = yield from fetch(delete_run(input=wanted))
    except AnswerError as error:
        yield from _raise_if_gone(place, error)
        raise
    if answer.delete_run is None:
        raise RunNotFoundError(place.entity, place.project, place.run_id)


def stop(place: RunAddress, storage_id: str) -> Flow[None]:
    """Set the run's stop flag; one request, safe to repeat.

    Raises:
        RunNotFoundError: there is no such run.
        ChangeRefusedError: the server did not set it.
    """
    from runql_graphql.input_types import StopRunInput

    try:
        answer = yield from fetch(stop_run(input=StopRunInput(id=storage_id)), repeatable=True)
    except AnswerError as error:
        yield from _raise_if_gone(place, error)
        raise
    if answer.stop_run is None or not answer.stop_run.success:
        raise ChangeRefusedError(f"the server did not take note that run {place} is to stop")


def set_state(place: RunAddress, storage_id: str, state: RequestedState) -> Flow[bool]:
    """Set the run's state, and return whether the server did; one request.

    Not repeated once the server may have seen it: a second one from the new state would be refused.

    Raises:
        RunNotFoundError: there is no such run.
        QueryError: the run's present state does not lead there.
    """
    from runql_graphql.input_types import UpdateRunStateInput

    try:
        answer = yield from fetch(update_run_state(input=UpdateRunStateInput(id=storage_id, state=state)))
    except AnswerError as error:
        yield from _raise_if_gone(place, error)
        raise
    return bool(answer.update_run_state and answer.update_run_state.success)


def checked_state(state: object, allowed: Sequence[str]) -> None:
    """Refuse a state that no run can be put in."""
    if not isinstance(state, str) or state not in allowed:
        raise ValueError(f"state must be {' or '.join(map(repr, allowed))}, not {shown(state)}")


def new_config_text(stored: str | None, values: Mapping[str, object]) -> str | None:
    """The config's new text when ``values`` differ from what is stored, None when they do not.

    `_wandb` and what an entry has beside its value stay; `wandb_version` is not stored again.

    Raises:
        ValueError: a key is the SDK's own.
        TypeError, ValueError: a value cannot be stored.
    """
    if taken := INTERNAL_KEYS & set(values):
        raise ValueError(f"config keys {', '.join(sorted(taken))} belong to the SDK")
    wanted = storable_object(values, "config")
    known = parse_config(stored)
    if are_equal(wanted, known.values):
        return None
    entries = parse_object(stored)
    kept: dict[str, JSONValue] = {key: known.internal[key] for key in ("_wandb",) if key in known.internal}
    whole = {key: _entry(entries.get(key), value) for key, value in (kept | wanted).items()}
    return checked_json(whole, "config", allow_nan=True, allow_surrogates=True)


def new_summary_text(stored: str | None, values: Mapping[str, object]) -> str | None:
    """The summary's new text when ``values`` differ from what is stored, None when they do not.

    NaN and infinities are bare tokens, as the SDK's core writes them.

    Raises:
        TypeError, ValueError: a value cannot be stored.
    """
    wanted = {key.strip(): value for key, value in storable_object(values, "summary").items()}
    return (
        None
        if are_equal(wanted, parse_summary(stored))
        else checked_json(wanted, "summary", allow_nan=True, allow_surrogates=True)
    )


def differences(before: RunFields | FullRunFields, now: FullRunFields) -> list[str]:
    """Names of the writable fields that differ; of a run that was read in the light shape only the light ones."""
    found = [
        name
        for name, old, new in (
            ("storage_id", before.id, now.id),
            ("name", before.display_name, now.display_name),
            ("tags", before.tags or [], now.tags or []),
            ("notes", before.notes or "", now.notes or ""),
            ("description", before.description or "", now.description or ""),
            ("group", before.group or "", now.group or ""),
            ("job_type", before.job_type or "", now.job_type or ""),
        )
        if old != new
    ]
    if isinstance(before, FullRunFields):
        if not are_equal(parse_object(before.config), parse_object(now.config)):
            found.append("config")
        if not are_equal(parse_summary(before.summary_metrics), parse_summary(now.summary_metrics)):
            found.append("summary")
    return found


def are_equal(one: Mapping[str, JSONValue], other: Mapping[str, JSONValue]) -> bool:
    """Whether two objects say the same; NaN equals NaN, and 1 is neither 1.0 nor true. Order of keys says nothing."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _entry(stored: JSONValue, value: JSONValue) -> JSONValue:
    if isinstance(stored, dict) and "value" in stored:
        return {**stored, "value": value}
    return {"value": value, "desc": None}


def _raise_if_gone(place: RunAddress, error: AnswerError) -> Flow[None]:
    """Servers word a missing run as they like: 410, or GraphQL errors after which asking for the run tells."""
    if error.status == GONE:
        raise RunNotFoundError(place.entity, place.project, place.run_id) from error
    if isinstance(error, QueryError):
        try:
            yield from read_state(place.entity, place.project, place.run_id)
        except NotFoundError as gone:
            raise gone from error
        except RunqlError:
            # What was refused first says more than that asking failed, too.
            return
