"""Changes of a run: what each would do to it, and the request that does it."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, MutableMapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from runql.arguments import checked_str, shown
from runql.cli.console.failures import AskedWronglyError
from runql.quick_dataclasses import dataclass
from runql.values import JSONValue, as_json, dump_json

if TYPE_CHECKING:
    from runql.resources.runs.run import Run

FIELDS: Final = ("name", "notes", "group", "job_type")
OBJECTS: Final = ("config", "summary")
USE: Final = f"use {', '.join(FIELDS)}, config.KEY or summary.KEY"


class Change(Protocol):
    """One change, for any run.

    Attributes:
        spelled: the command that makes it, such as ``tag best``; a log names it.
        verb: in the past, such as ``tagged``.
        reads_values: whether it needs config or summary.
    """

    @property
    def spelled(self) -> str: ...

    @property
    def verb(self) -> str: ...

    @property
    def reads_values(self) -> bool: ...

    def preview(self, run: Run) -> str | None:
        """Return what it would change in a run; None for nothing. Sends nothing."""
        ...

    def apply(self, run: Run) -> None:
        """Change the run on the server."""
        ...


@dataclass(frozen=True)
class Tagging:
    """Adds or removes tags; one request a run.

    Attributes:
        tags: which.
        adds: whether to add them.
    """

    tags: tuple[str, ...]
    adds: bool
    reads_values: bool = False

    @classmethod
    def checked(cls, tags: Sequence[str], *, adds: bool) -> Tagging:
        """Check the tags that a caller gave.

        Raises:
            AskedWronglyError: a tag is empty.
            ValueError: a tag is no str that can be sent.
        """
        for tag in tags:
            if not checked_str("a tag", tag).strip():
                raise AskedWronglyError("a tag is empty: give a name")
        return cls(tuple(dict.fromkeys(tags)), adds)

    @property
    def spelled(self) -> str:
        return " ".join(["tag" if self.adds else "untag", *map(_quoted, self.tags)])

    @property
    def verb(self) -> str:
        return "tagged" if self.adds else "untagged"

    def preview(self, run: Run) -> str | None:
        tags = self._new(run)
        return None if tags == run.tags else f"tags: {_listed(run.tags)} → {_listed(tags)}"

    def apply(self, run: Run) -> None:
        run.tags = self._new(run)
        run.update()

    def _new(self, run: Run) -> list[str]:
        if self.adds:
            return list(dict.fromkeys([*run.tags, *self.tags]))
        return [tag for tag in run.tags if tag not in self.tags]


@dataclass(frozen=True)
class Setting:
    """Sets fields, config entries and summary values; one request a run, and one more for summary values.

    Attributes:
        given: the assignments as they were given.
        values: field to value.
    """

    given: tuple[str, ...]
    values: Mapping[str, JSONValue]

    @classmethod
    def checked(cls, given: Sequence[str]) -> Setting:
        """Check assignments such as ``group=baseline`` and ``config.lr=0.1``.

        A value of config and summary is JSON, or a str where it is no JSON.

        Raises:
            AskedWronglyError: one is no assignment, its field cannot be set, or is set twice.
            ValueError: a value is no str that can be sent.
        """
        values: dict[str, JSONValue] = {}
        for each in given:
            field, equals, value = checked_str("an assignment", each).partition("=")
            head, dot, key = field.partition(".")
            if not equals:
                raise AskedWronglyError(f"{shown(each)} is no assignment: give FIELD=VALUE")
            if not ((head in FIELDS and not dot) or (head in OBJECTS and key)):
                raise AskedWronglyError(f"there is no field {shown(field)} to set: {USE}")
            if field in values:
                raise AskedWronglyError(f"{field} is set twice")
            values[field] = _json(value) if dot else value
        return cls(tuple(given), values)

    @property
    def spelled(self) -> str:
        return " ".join(["set", *map(_quoted, self.given)])

    @property
    def verb(self) -> str:
        return "changed"

    @property
    def reads_values(self) -> bool:
        return any(field.startswith(OBJECTS) for field in self.values)

    def preview(self, run: Run) -> str | None:
        changes: list[str] = []
        for field, value in self.values.items():
            before = self._before(run, field)
            if _differs(before, value):
                changes.append(f"{field}: {_shown_value(before)} → {_shown_value(value)}")
        return "; ".join(changes) or None

    def apply(self, run: Run) -> None:
        for field, value in self.values.items():
            head, dot, key = field.partition(".")
            if not dot:
                setattr(run, head, value)
                continue
            holder, name = _place_of(run.config if head == "config" else run.summary, key)
            # Each run has a value of its own.
            holder[name] = copy.deepcopy(value)
        run.update()

    def _before(self, run: Run, field: str) -> JSONValue:
        head, dot, key = field.partition(".")
        if not dot:
            held: JSONValue = getattr(run, head)
            # The server stores the empty string where there is none.
            return held or ""
        holder, name = _place_of(run.config if head == "config" else run.summary, key)
        return holder.get(name, _ABSENT)


@dataclass(frozen=True)
class Deleting:
    """Deletes runs, for good; one request a run.

    Attributes:
        with_artifacts: delete the artifacts that a run logged, too.
    """

    with_artifacts: bool
    reads_values: bool = False
    verb: str = "deleted"

    @property
    def spelled(self) -> str:
        return "delete --with-artifacts" if self.with_artifacts else "delete"

    def preview(self, run: Run) -> str | None:  # noqa: ARG002 - every run can be deleted
        return "deleted, with its artifacts" if self.with_artifacts else "deleted"

    def apply(self, run: Run) -> None:
        run.delete(delete_artifacts=self.with_artifacts)


_ABSENT: Final = "\0absent"
"""Stands for no value: no value of a command line holds a null character."""


def _place_of(values: MutableMapping[str, JSONValue], key: str) -> tuple[MutableMapping[str, JSONValue], str]:
    """Return where a key with dots leads: an entry of that name, else into nested objects as far as there are any."""
    head, dot, rest = key.partition(".")
    inner = values.get(head)
    if key in values or not dot or not isinstance(inner, dict):
        return values, key
    return _place_of(inner, rest)


def _differs(before: JSONValue, value: JSONValue) -> bool:
    # 1, 1.0 and True are equal in Python, but not as JSON.
    return dump_json(before) != dump_json(value)


def _json(text: str) -> JSONValue:
    try:
        return as_json(json.loads(text))
    except (ValueError, RecursionError):
        return text


def _quoted(word: str) -> str:
    return dump_json(word, ensure_ascii=False) if not word or " " in word or '"' in word else word


def _listed(tags: Sequence[str]) -> str:
    return ", ".join(tags) or "none"


def _shown_value(value: JSONValue) -> str:
    if value == _ABSENT:
        return "none"
    return dump_json(value, ensure_ascii=False)
