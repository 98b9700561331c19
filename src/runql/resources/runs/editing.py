"""The part of a run that can be changed: in memory by assigning, on the server by `update`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Final, get_args

from runql.arguments import shown
from runql.errors import IncompleteUpdateError, RunChangedError, RunqlError
from runql.paths import RunAddress
from runql.resources.records.run_fields import read_run
from runql.resources.records.stored_changes import compare_stored_json, incomplete_update
from runql.resources.records.to_json import replace_in_place
from runql.resources.runs.mutations import (
    RequestedState,
    checked_state,
    delete,
    differences,
    new_config_text,
    new_summary_text,
    set_state,
    stop,
    unstored_fields,
    write,
)
from runql.resources.runs.record import RunRecord
from runql.transport.flow import Flow
from runql.values import JSONValue, parse_config, parse_summary
from runql_graphql.fragments import FullRunFields

if TYPE_CHECKING:
    from runql_graphql.input_types import UpsertBucketInput

OUR_NAMES: Final = {"display_name": "name", "group_name": "group"}


class EditableRun(RunRecord):
    """A `RunRecord` whose fields can be assigned.

    Assigning changes memory only. What was changed and not written survives that more of the run is loaded, and is
    forgotten by ``load(force=True)``.
    """

    @cached_property
    def _edited(self) -> dict[str, str | None]:
        return {}

    @cached_property
    def _tag_list(self) -> list[str]:
        return list(self._light().tags or [])

    @property
    def name(self) -> str | None:
        """The name that people see; not unique (`Run.displayName` on the wire). Can be assigned."""
        return self._edited.get("display_name", self._light().display_name)

    @name.setter
    def name(self, value: str) -> None:
        self._edit("display_name", value)

    @property
    def display_name(self) -> str | None:
        """The same as `name`, under the server's word. Can be assigned."""
        return self.name

    @display_name.setter
    def display_name(self, value: str) -> None:
        self.name = value

    @property
    def notes(self) -> str | None:
        """Notes about the run. Can be assigned; None is written as the empty text."""
        return self._edited.get("notes", self._light().notes)

    @notes.setter
    def notes(self, value: str | None) -> None:
        self._edit("notes", value)

    @property
    def description(self) -> str | None:
        """An older place for notes. Can be assigned; None is written as the empty text."""
        return self._edited.get("description", self._light().description)

    @description.setter
    def description(self, value: str | None) -> None:
        self._edit("description", value)

    @property
    def group(self) -> str | None:
        """The group that the run belongs to. Can be assigned; None is written as the empty text."""
        return self._edited.get("group_name", self._light().group)

    @group.setter
    def group(self, value: str | None) -> None:
        self._edit("group_name", value)

    @property
    def job_type(self) -> str | None:
        """What kind of job it was, such as ``train``. Can be assigned; None is written as the empty text."""
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
        self._tag_list[:] = _checked_tags(value)

    @property
    def config(self) -> dict[str, JSONValue]:
        """The hyperparameters, unwrapped, without the SDK's own entries (`_wandb`, `wandb_version`).

        Change it, or assign a dict; `update` writes the whole config, and leaves the SDK's entries alone.
        """
        return self._config.values

    @config.setter
    def config(self, value: Mapping[str, JSONValue]) -> None:
        new = dict(value)
        self._config.values.clear()
        self._config.values.update(new)

    def take(self, fields: FullRunFields | None) -> None:
        """Replace what is known of the run, but nothing that was changed and not written; None changes nothing."""
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
        fields = yield from read_run(self._entity, self._project, self._run_id)
        for changed in ("_edited", "_tag_list", "_config", "_summary"):
            vars(self).pop(changed, None)
        self.take(fields)

    # -- writing ------------------------------------------------------------------------------------------------

    def _update(self, *, if_unchanged: bool) -> Flow[None]:
        changes = self._changes()
        summary = self._changed_summary()
        names = sorted(OUR_NAMES.get(name, name) for name in changes.model_fields_set - {"id"})
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
                raise IncompleteUpdateError(f"run {self._place}", written, failed, str(error)) from error
            names.append("summary")
        if failed:
            raise incomplete_update(f"run {self._place}", names, failed)

    def _save_summary(self) -> Flow[None]:
        summary = self._changed_summary()
        if summary is None:
            return
        failed = yield from self._write_summary(summary)
        if failed:
            raise incomplete_update(f"run {self._place}", ["summary"], failed)

    def _delete(self, *, with_artifacts: bool) -> Flow[None]:
        yield from delete(self._place, self.storage_id, with_artifacts=with_artifacts)

    def _stop(self) -> Flow[None]:
        yield from stop(self._place, self.storage_id)

    def _set_state(self, state: RequestedState) -> Flow[bool]:
        checked_state(state, get_args(RequestedState))
        done = yield from set_state(self._place, self.storage_id, state)
        if done:
            self._fields = self._light().model_copy(update={"state": state})
        return done

    @property
    def _place(self) -> RunAddress:
        return RunAddress(self._entity, self._project, self._run_id)

    def _is_edited(self) -> bool:
        try:
            return self._changes().model_fields_set != {"id"} or self._changed_summary() is not None
        except (TypeError, ValueError):
            # What cannot be stored was not read, so it was put there. `update` is the place to refuse it.
            return True

    def _changes(self) -> UpsertBucketInput:
        """What differs from what was read, and nothing else, so that nothing else can be overwritten."""
        fields = self._light()
        from runql_graphql.input_types import UpsertBucketInput

        changes = UpsertBucketInput(id=fields.id)
        stored = {
            "display_name": fields.display_name,
            "notes": fields.notes,
            "description": fields.description,
            "group_name": fields.group,
            "job_type": fields.job_type,
        }
        for name, value in self._edited.items():
            if (value or "") != (stored[name] or ""):
                setattr(changes, name, value or "")
        if "_tag_list" in vars(self) and self._tag_list != (fields.tags or []):
            changes.tags = list(_checked_tags(self._tag_list))
        if "_config" in vars(self) and isinstance(fields, FullRunFields):
            config = new_config_text(fields.config, self._config.values)
            if config is not None:
                changes.config = config
        return changes

    def _changed_summary(self) -> str | None:
        if "_summary" not in vars(self):
            return None
        return new_summary_text(self._full().summary_metrics, self._summary)

    def _check_unchanged(self) -> Flow[None]:
        now = yield from read_run(self._entity, self._project, self._run_id)
        found = differences(self._light(), now)
        if found:
            raise RunChangedError(str(self._place), found)

    def _write_fields(self, changes: UpsertBucketInput) -> Flow[list[str]]:
        """Write, take what the server holds now, and return where that is not what was asked for."""
        before = self._light()
        written = yield from write(self._place, changes)
        kept: dict[str, object] = {
            name: getattr(written, name)
            for name in ("display_name", "notes", "description", "tags", "group", "job_type")
            # A field that the server does not tell stays as it was read.
            if name in written.model_fields_set
        }
        failed = unstored_fields(changes, written)
        if changes.config is not None and isinstance(before, FullRunFields):
            text, kept_keys = compare_stored_json(
                "config", _config_values, before.config, changes.config, written.config
            )
            failed += kept_keys
            kept["config"] = text
            stored = parse_config(text)
            replace_in_place(self._config.values, stored.values)
            self._config.internal.clear()
            self._config.internal.update(stored.internal)
        self._fields = before.model_copy(update=kept)
        self._edited.clear()
        if "_tag_list" in vars(self):
            self._tag_list[:] = written.tags or []
        return failed

    def _write_summary(self, text: str) -> Flow[list[str]]:
        """As `_write_fields`, of the summary."""
        from runql_graphql.input_types import UpsertBucketInput

        before = self._full()
        written = yield from write(self._place, UpsertBucketInput(id=self.storage_id, summaryMetrics=text))
        stored, failed = compare_stored_json(
            "summary", parse_summary, before.summary_metrics, text, written.summary_metrics
        )
        self._fields = self._full().model_copy(update={"summary_metrics": stored})
        replace_in_place(self._summary, parse_summary(stored))
        return failed

    def _edit(self, name: str, value: object) -> None:
        if value is not None and not isinstance(value, str):
            raise TypeError(f"{name} must be a text, not {type(value).__name__}")
        self._edited[name] = value


def _checked_tags(tags: Iterable[str]) -> list[str]:
    if isinstance(tags, (str, bytes)):
        raise TypeError(f"tags must be a list of texts, not the text {shown(tags)}")
    given = list(tags)
    if not all(isinstance(tag, str) for tag in given):  # pyright: ignore[reportUnnecessaryIsInstance] — callers may be untyped
        raise TypeError(f"tags must be texts, not {shown(given)}")
    return given


def _config_values(text: str | None) -> dict[str, JSONValue]:
    return parse_config(text).values
