"""The fields of a run that can be changed: in memory by assigning, on the server by `update`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar, get_args

from runql.errors import IncompleteUpdateError, RunChangedError, RunqlError
from runql.resources.records.name_lists import checked_names
from runql.resources.records.run_fields import read_run
from runql.resources.records.stored_changes import compare_stored_json, incomplete_update
from runql.resources.records.tables import NOT_READ, Contents, readable
from runql.resources.records.to_json import replace_in_place
from runql.resources.runs.mutations import (
    STRINGS,
    WRITABLE,
    RequestedState,
    attribute_of,
    checked_state,
    delete,
    differences,
    new_config_json,
    new_summary_json,
    set_state,
    stop,
    unstored_fields,
    write,
)
from runql.resources.runs.record import RunRecord
from runql.transport.flow import Flow
from runql.values import JSONInput, JSONValue, as_json, parse_config, parse_summary
from runql_graphql.fragments import FullRunFields

if TYPE_CHECKING:
    from runql_graphql.input_types import UpsertBucketInput

T = TypeVar("T")


class EditableRun(RunRecord):
    """A `RunRecord` whose fields can be assigned. Assigning changes memory only; `update` writes.

    A change that was not written survives that more of the run is loaded; ``load(force=True)`` forgets it.
    """

    @cached_property
    def _edited(self) -> dict[str, str | None]:
        return {}

    @cached_property
    def _tag_list(self) -> list[str]:
        return list(self._light().tags or [])

    def _contents(self) -> Contents:
        if self._fields is None:
            return Contents({"id": self.id, "state": NOT_READ}, url=self.url)
        fields: dict[str, object] = {
            "name": self.name or self.id,
            "id": self.id,
            "state": self.state,
            "created_at": self.created_at,
            "user": self._fields.user and self._fields.user.username,
            "tags": ", ".join(self.tags) or None,
            "group": self.group,
            "job_type": self.job_type,
            "sweep_name": self.sweep_name,
            "history_line_count": self.history_line_count,
            "heartbeat_at": self.heartbeat_at,
            "commit": self.commit,
            "notes": self.notes,
        }
        # A run that is listed with `lazy=True` would read its page again.
        is_full = self._is_full()
        parts: dict[str, dict[str, JSONValue] | str] = {
            "config": readable(lambda: self.config) if is_full else NOT_READ,
            "summary": readable(lambda: self._summary) if is_full else NOT_READ,
        }
        return Contents(fields, parts, self.url)

    @property
    def name(self) -> str | None:
        """The name that people see; not unique (`displayName` in W&B's schema). Can be assigned."""
        return self._edited.get("name", self._light().display_name)

    @name.setter
    def name(self, value: str) -> None:
        self._edit("name", value)

    @property
    def display_name(self) -> str | None:
        """The same as `name`, under the server's word. Can be assigned."""
        return self.name

    @display_name.setter
    def display_name(self, value: str) -> None:
        self.name = value

    @property
    def notes(self) -> str | None:
        """Notes about the run. Can be assigned; None is written as the empty string."""
        return self._edited.get("notes", self._light().notes)

    @notes.setter
    def notes(self, value: str | None) -> None:
        self._edit("notes", value)

    @property
    def description(self) -> str | None:
        """An older field for notes. Can be assigned; None is written as the empty string."""
        return self._edited.get("description", self._light().description)

    @description.setter
    def description(self, value: str | None) -> None:
        self._edit("description", value)

    @property
    def group(self) -> str | None:
        """The group that the run belongs to. Can be assigned; None is written as the empty string."""
        return self._edited.get("group", self._light().group)

    @group.setter
    def group(self, value: str | None) -> None:
        self._edit("group", value)

    @property
    def job_type(self) -> str | None:
        """The kind of job, such as ``train``. Can be assigned; None is written as the empty string."""
        return self._edited.get("job_type", self._light().job_type)

    @job_type.setter
    def job_type(self, value: str | None) -> None:
        self._edit("job_type", value)

    @property
    def tags(self) -> list[str]:
        """Tags, in the server's order. Assign a list or change this one; `update` writes the whole list."""
        return self._tag_list

    @tags.setter
    def tags(self, value: Iterable[str]) -> None:
        self._tag_list[:] = checked_names("tags", value)

    @property
    def config(self) -> dict[str, JSONValue]:
        """The hyperparameters, unwrapped, without the SDK's own entries (`_wandb`, `wandb_version`).

        Change it, or assign a dict. `update` writes the whole config, and leaves the SDK's entries alone.
        """
        return self._config.values

    @config.setter
    def config(self, value: Mapping[str, JSONInput]) -> None:
        new = {key: as_json(entry) for key, entry in dict(value).items()}
        self._config.values.clear()
        self._config.values.update(new)

    def config_as(self, kind: type[T]) -> T:
        """Return the config as an instance of a type, such as a pydantic model, a dataclass or a TypedDict.

        Its fields name the keys; see docs/typed.md for the rules.

        Raises:
            TypeError: the type has no fields.
            UnexpectedValueError: a value does not fit.
        """
        from runql.projections.checked import read_values
        from runql.projections.projection import projection_of

        return read_values(projection_of("kind", kind), self.config, self._path, "config")

    def summary_as(self, kind: type[T]) -> T:
        """Return the summary as an instance of a type; as `config_as`."""
        from runql.projections.checked import read_values
        from runql.projections.projection import projection_of

        return read_values(projection_of("kind", kind), self._summary, self._path, "summary")

    def take(self, fields: FullRunFields | None) -> None:
        """Replace the fields, but none that was changed and not written; None changes nothing."""
        if fields is None or (isinstance(self._fields, FullRunFields) and self._is_edited()):
            return
        if self._fields is not None and vars(self).get("_tag_list") == (self._fields.tags or []):
            vars(self).pop("_tag_list")
        vars(self).pop("summary", None)
        super().take(fields)

    def _load(self, *, force: bool) -> Flow[None]:
        if not force:
            yield from super()._load(force=False)
            return
        fields = yield from read_run(self._address)
        for changed in ("_edited", "_tag_list", "_config", "_summary"):
            vars(self).pop(changed, None)
        self.take(fields)

    # -- writing ------------------------------------------------------------------------------------------------

    def _update(self, *, if_unchanged: bool) -> Flow[None]:
        changes = self._changes()
        summary = self._changed_summary()
        names = sorted(map(attribute_of, changes.model_fields_set - {"id"}))
        if not names and summary is None:
            return
        if if_unchanged:
            yield from self._check_unchanged()
        failed = (yield from self._write_fields(changes)) if names else []
        if summary is not None:
            try:
                failed += yield from self._write_summary(summary)
            except RunqlError as error:
                if not names:
                    raise
                failed.append("summary")
                written = [name for name in names if name not in failed]
                raise IncompleteUpdateError(f"run {self._address}", written, failed, str(error)) from error
            names.append("summary")
        if failed:
            raise incomplete_update(f"run {self._address}", names, failed)

    def _save_summary(self) -> Flow[None]:
        summary = self._changed_summary()
        if summary is None:
            return
        failed = yield from self._write_summary(summary)
        if failed:
            raise incomplete_update(f"run {self._address}", ["summary"], failed)

    def _delete(self, *, with_artifacts: bool) -> Flow[None]:
        yield from delete(self._address, self.storage_id, with_artifacts=with_artifacts)

    def _stop(self) -> Flow[None]:
        yield from stop(self._address, self.storage_id)

    def _set_state(self, state: RequestedState) -> Flow[bool]:
        checked_state(state, get_args(RequestedState))
        done = yield from set_state(self._address, self.storage_id, state)
        if done:
            self._fields = self._light().model_copy(update={"state": state})
        return done

    def _is_edited(self) -> bool:
        try:
            return self._changes().model_fields_set != {"id"} or self._changed_summary() is not None
        except (TypeError, ValueError):
            # A value that cannot be stored was assigned, not read. `update` is the place to refuse it.
            return True

    def _changes(self) -> UpsertBucketInput:
        """The fields that differ from what was read, and no others: `update` cannot overwrite another."""
        fields = self._light()
        from runql_graphql.input_types import UpsertBucketInput

        changes = UpsertBucketInput(id=fields.id)
        for each in STRINGS:
            new = self._edited.get(each.name) or None
            if each.name in self._edited and new != each.stored(fields):
                setattr(changes, each.sent_as, new or "")
        if "_tag_list" in vars(self) and self._tag_list != (fields.tags or []):
            changes.tags = list(checked_names("tags", self._tag_list))
        if "_config" in vars(self) and isinstance(fields, FullRunFields):
            config = new_config_json(fields.config, self._config.values)
            if config is not None:
                changes.config = config
        return changes

    def _changed_summary(self) -> str | None:
        if "_summary" not in vars(self):
            return None
        return new_summary_json(self._full().summary_metrics, self._summary)

    def _check_unchanged(self) -> Flow[None]:
        now = yield from read_run(self._address)
        found = differences(self._light(), now)
        if found:
            raise RunChangedError(str(self._address), found)

    def _write_fields(self, changes: UpsertBucketInput) -> Flow[list[str]]:
        """Write, keep what the server stored, and return the fields in which that is not what was sent."""
        before = self._light()
        written = yield from write(self._address, changes)
        kept: dict[str, object] = {
            each.stored_as: getattr(written, each.stored_as)
            for each in WRITABLE
            # A field that the response lacks stays as it was read.
            if each.stored_as in written.model_fields_set
        }
        failed = unstored_fields(changes, written)
        if changes.config is not None and isinstance(before, FullRunFields):
            config, unstored_keys = compare_stored_json(
                "config", _config_values, before.config, changes.config, written.config
            )
            failed += unstored_keys
            kept["config"] = config
            stored = parse_config(config)
            replace_in_place(self._config.values, stored.values)
            self._config.internal.clear()
            self._config.internal.update(stored.internal)
        self._fields = before.model_copy(update=kept)
        self._edited.clear()
        if "_tag_list" in vars(self):
            self._tag_list[:] = written.tags or []
        return failed

    def _write_summary(self, summary: str) -> Flow[list[str]]:
        """As `_write_fields`, of the summary."""
        from runql_graphql.input_types import UpsertBucketInput

        before = self._full()
        written = yield from write(
            self._address, UpsertBucketInput(id=self.storage_id, summaryMetrics=summary)
        )
        stored, failed = compare_stored_json(
            "summary", parse_summary, before.summary_metrics, summary, written.summary_metrics
        )
        self._fields = self._full().model_copy(update={"summary_metrics": stored})
        replace_in_place(self._summary, parse_summary(stored))
        return failed

    def _edit(self, name: str, value: object) -> None:
        if value is not None and not isinstance(value, str):
            raise TypeError(f"{name} must be a str, not {type(value).__name__}")
        self._edited[name] = value


def _config_values(config: str | None) -> dict[str, JSONValue]:
    return parse_config(config).values
