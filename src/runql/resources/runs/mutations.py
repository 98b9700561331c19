"""Flows that create, change and delete a run, and the fields that can be written."""

from __future__ import annotations

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
from runql.quick_dataclasses import dataclass
from runql.resources.records.identity import require_id, require_name, require_run_project
from runql.resources.records.run_fields import read_state
from runql.resources.records.stored_changes import is_same_json
from runql.resources.records.to_json import to_json_object
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
"""A state that a run can be set to."""

GONE: Final = 410
ID_LETTERS: Final = string.ascii_lowercase + string.digits
NOT_IN_IDS: Final = re.compile(r"[/\\#?%:\x00-\x1f]")
LONGEST: Final = 128


@dataclass(frozen=True, slots=True)
class WritableField:
    """A field that is written whole, other than config and summary.

    Attributes:
        name: of the attribute of `Run`.
        sent_as: its name in the mutation's input.
        stored_as: its name in the server's response.
    """

    name: str
    sent_as: str
    stored_as: str

    def stored(self, fields: RunFields | FullRunFields | WrittenRunFields) -> object:
        """The value in a response. None for an empty one: servers return null for the empty string and list."""
        return getattr(fields, self.stored_as) or None


NAME: Final = WritableField("name", "display_name", "display_name")
TAGS: Final = WritableField("tags", "tags", "tags")
STRINGS: Final = (
    NAME,
    WritableField("notes", "notes", "notes"),
    WritableField("description", "description", "description"),
    WritableField("group", "group_name", "group"),
    WritableField("job_type", "job_type", "job_type"),
)
WRITABLE: Final = (NAME, TAGS, *STRINGS[1:])


def attribute_of(sent_as: str) -> str:
    """The attribute of `Run` that is written as this field of the mutation's input."""
    return next((field.name for field in WRITABLE if field.sent_as == sent_as), sent_as)


def checked_id(run_id: str | None) -> str:
    """The id of a run to create; a new one of eight lower-case letters and digits for None.

    Raises:
        ValueError: it is empty, longer than 128, or holds a character that is special in URLs.
        TypeError: it is no str.
    """
    if run_id is None:
        return "".join(secrets.choice(ID_LETTERS) for _ in range(8))
    if not isinstance(run_id, str):  # pyright: ignore[reportUnnecessaryIsInstance] — callers may be untyped
        raise TypeError(f"run_id must be a str, not {type(run_id).__name__}")
    if not run_id.strip() or len(run_id) > LONGEST or NOT_IN_IDS.search(run_id):
        raise ValueError(
            f"run_id must have 1 to {LONGEST} characters, none of them / \\ # ? % : or a control one, not {shown(run_id)}"
        )
    return run_id


def create(run: RunAddress, state: FirstState = "running") -> Flow[FullRunFields]:
    """Create the run, or return the one that has the id already; one request, idempotent.

    Raises:
        ValueError: a run cannot be created in this state.
        ConfigurationError: the entity is not known.
        ProjectNotFoundError: the server made no run there.
        InvalidAnswerError: the id belonged to a run that was deleted (410).
    """
    checked_state(state, get_args(FirstState))
    if not run.entity:
        raise ConfigurationError(
            "no entity is given and the API key's user has no default one: "
            "pass entity=..., or set WANDB_ENTITY"
        )
    from runql_graphql.input_types import UpsertBucketInput

    checked_str("project", run.project)
    checked_str("entity", run.entity)
    wanted = UpsertBucketInput(name=run.run_id, modelName=run.project, entityName=run.entity)
    if state != "running":
        wanted.state = state
    try:
        response = yield from fetch(create_run(input=wanted), repeatable=True)
    except InvalidAnswerError as error:
        if error.status != GONE:
            raise
        reason = f"run {run} was deleted, and its id cannot be used again: choose another run_id"
        raise InvalidAnswerError(reason, status=GONE, operation=error.operation) from error
    made = response.upsert_bucket
    if made is None or made.bucket is None:
        raise ProjectNotFoundError(run.entity, run.project)
    require_name(f"run {run.entity}/{run.project}/", run.run_id, made.bucket.name)
    require_run_project(run, made.place.project if made.place else None)
    return made.bucket


def write(run: RunAddress, changes: UpsertBucketInput) -> Flow[WrittenRunFields]:
    """Write the fields that are set in ``changes``, and return them as the server stores them; one request.

    The response holds config and summary only when they were written.

    Idempotent: each field replaces what was there. After a refusal, one more request finds out whether the run is
    still there.

    Raises:
        RunNotFoundError: the run has been deleted.
        AnswerError: the server refuses.
    """
    operation = update_run(
        input=changes,
        with_config=changes.config is not None,
        with_summary=changes.summary_metrics is not None,
    )
    try:
        response = yield from fetch(operation, repeatable=True)
    except AnswerError as error:
        yield from _raise_if_gone(run, error)
        raise
    if response.upsert_bucket is None or response.upsert_bucket.bucket is None:
        raise RunNotFoundError(run.entity, run.project, run.run_id)
    if changes.id is not None:
        require_id("run", changes.id, response.upsert_bucket.bucket.id)
    return response.upsert_bucket.bucket


def unstored_fields(asked: UpsertBucketInput, stored: WrittenRunFields) -> list[str]:
    """Names of the writable fields that the server stored otherwise than they were sent; it may reorder tags.

    A string field that its response lacks counts as stored.
    """
    found = [
        field.name
        for field in STRINGS
        if field.sent_as in asked.model_fields_set
        and field.stored_as in stored.model_fields_set
        and (getattr(asked, field.sent_as) or None) != field.stored(stored)
    ]
    if asked.tags is not None and set(asked.tags) != set(stored.tags or ()):
        found.append(TAGS.name)
    return found


def delete(run: RunAddress, storage_id: str, *, with_artifacts: bool) -> Flow[None]:
    """Delete the run; one request, which is not retried once the server may have seen it; see `confirmed`.

    Raises:
        RunNotFoundError: there is no such run.
        DeletionUnconfirmedError: the response was lost, and the run is still there or cannot be asked for.
        AnswerError: the server refuses.
    """
    from runql.resources.records.deletion import confirm_deletion

    def is_there() -> Flow[bool]:
        yield from read_state(run)
        return True

    yield from confirm_deletion(
        _delete(run, storage_id, with_artifacts=with_artifacts), is_there, f"run {run}"
    )


def _delete(run: RunAddress, storage_id: str, *, with_artifacts: bool) -> Flow[None]:
    from runql_graphql.input_types import DeleteRunInput

    wanted = DeleteRunInput(id=storage_id)
    if with_artifacts:
        wanted.delete_artifacts = True
    try:
        response = yield from fetch(delete_run(input=wanted))
    except AnswerError as error:
        yield from _raise_if_gone(run, error)
        raise
    if response.delete_run is None:
        raise RunNotFoundError(run.entity, run.project, run.run_id)


def stop(run: RunAddress, storage_id: str) -> Flow[None]:
    """Set the run's stop flag; one request, idempotent.

    Raises:
        RunNotFoundError: there is no such run.
        ChangeRefusedError: the server did not set it.
    """
    from runql_graphql.input_types import StopRunInput

    try:
        response = yield from fetch(stop_run(input=StopRunInput(id=storage_id)), repeatable=True)
    except AnswerError as error:
        yield from _raise_if_gone(run, error)
        raise
    if response.stop_run is None or not response.stop_run.success:
        raise ChangeRefusedError(f"the server did not set the stop flag of run {run}")


def set_state(run: RunAddress, storage_id: str, state: RequestedState) -> Flow[bool]:
    """Set the run's state, and return whether the server did; one request.

    It is not retried once the server may have seen it: from the new state, the server refuses a second one.

    Raises:
        RunNotFoundError: there is no such run.
        QueryError: the run's present state does not lead there.
    """
    from runql_graphql.input_types import UpdateRunStateInput

    try:
        response = yield from fetch(update_run_state(input=UpdateRunStateInput(id=storage_id, state=state)))
    except AnswerError as error:
        yield from _raise_if_gone(run, error)
        raise
    return bool(response.update_run_state and response.update_run_state.success)


def checked_state(state: object, allowed: Sequence[str]) -> None:
    """Refuse a state that is not ``allowed``."""
    if not isinstance(state, str) or state not in allowed:
        raise ValueError(f"state must be {' or '.join(map(repr, allowed))}, not {shown(state)}")


def new_config_json(stored: str | None, values: Mapping[str, object]) -> str | None:
    """The config's new JSON string when ``values`` differ from what is stored, None when they do not.

    `_wandb` stays, and so do the other members of an entry, such as ``desc``. `wandb_version` is not stored again.

    Raises:
        ValueError: a key is the SDK's own.
        TypeError, ValueError: a value cannot be stored.
    """
    if taken := [key for key in INTERNAL_KEYS if key in values]:
        raise ValueError(f"config keys {', '.join(taken)} belong to the SDK")
    wanted = to_json_object(values, "config")
    known = parse_config(stored)
    if is_same_json(wanted, known.values):
        return None
    entries = parse_object(stored)
    kept: dict[str, JSONValue] = {key: known.internal[key] for key in ("_wandb",) if key in known.internal}
    whole = {key: _entry(entries.get(key), value) for key, value in (kept | wanted).items()}
    return checked_json(whole, "config", allow_nan=True, allow_surrogates=True)


def new_summary_json(stored: str | None, values: Mapping[str, object]) -> str | None:
    """The summary's new JSON string when ``values`` differ from what is stored, None when they do not.

    NaN and infinities are bare tokens, as the SDK's core writes them.

    Raises:
        TypeError, ValueError: a value cannot be stored.
    """
    wanted = {key.strip(): value for key, value in to_json_object(values, "summary").items()}
    return (
        None
        if is_same_json(wanted, parse_summary(stored))
        else checked_json(wanted, "summary", allow_nan=True, allow_surrogates=True)
    )


def differences(before: RunFields | FullRunFields, now: FullRunFields) -> list[str]:
    """Names of the writable fields that differ; of a run that was read in the light shape only the light ones."""
    found = [] if before.id == now.id else ["storage_id"]
    found += [field.name for field in WRITABLE if field.stored(before) != field.stored(now)]
    if isinstance(before, FullRunFields):
        if not is_same_json(parse_object(before.config), parse_object(now.config)):
            found.append("config")
        if not is_same_json(parse_summary(before.summary_metrics), parse_summary(now.summary_metrics)):
            found.append("summary")
    return found


def _entry(stored: JSONValue, value: JSONValue) -> JSONValue:
    if isinstance(stored, dict) and "value" in stored:
        return {**stored, "value": value}
    return {"value": value, "desc": None}


def _raise_if_gone(run: RunAddress, error: AnswerError) -> Flow[None]:
    """Raise when the run is gone. Servers return 410 for it, or GraphQL errors that only another request explains."""
    if error.status == GONE:
        raise RunNotFoundError(run.entity, run.project, run.run_id) from error
    if isinstance(error, QueryError):
        try:
            yield from read_state(run)
        except NotFoundError as gone:
            raise gone from error
        except RunqlError:
            # The caller gets the first refusal, which says more than this failure.
            return
