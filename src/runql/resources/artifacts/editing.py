"""The fields of an artifact that can be assigned, and the flow that saves them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from typing import Final, Literal

from runql.arguments import shown
from runql.limits import limits_of_client
from runql.resources.artifacts.lookup import ResolvedArtifact, tags_of
from runql.resources.artifacts.mutations import (
    FOREVER,
    INHERIT,
    assign_aliases,
    checked_aliases,
    checked_tags,
    delete_version,
    metadata_json,
    remove_aliases,
    stored_ttl,
    unlink_version,
    unstored_fields,
    update_version,
)
from runql.resources.artifacts.record import ArtifactRecord
from runql.resources.files.record import format_size
from runql.resources.records.stored_changes import incomplete_update, is_same_json, write_in_order
from runql.resources.records.tables import Contents, readable
from runql.resources.records.to_json import to_json_object
from runql.transport.flow import Flow
from runql.values import JSONInput, JSONValue, as_json, parse_object
from runql_graphql.fragments import ArtifactFields
from runql_graphql.input_types import TagInput, UpdateArtifactInput

ATTRIBUTE_NAMES: Final = {
    "tags_to_add": "tags",
    "tags_to_delete": "tags",
    "ttl_duration_seconds": "ttl",
}


class EditableArtifact(ArtifactRecord):
    """An `ArtifactRecord` whose fields can be assigned. Assigning changes memory only; `save` writes to the server."""

    def __init__(self, found: ResolvedArtifact, app_url: str) -> None:
        super().__init__(found, app_url)
        self._new_description: str | None = None
        self._new_ttl: int | None = None

    @cached_property
    def _metadata(self) -> dict[str, JSONValue]:
        with limits_of_client(self):
            return parse_object(self._found.fields.metadata, f"the metadata of {self.qualified_name}")

    @cached_property
    def _tag_list(self) -> list[str]:
        return tags_of(self._found.fields)

    @cached_property
    def _alias_list(self) -> list[str]:
        return list(self._found.aliases)

    def _contents(self) -> Contents:
        return Contents(
            {
                "name": self.name,
                "type": self.type,
                "aliases": ", ".join(self.aliases) or None,
                "tags": readable(lambda: ", ".join(self.tags)) or None,
                "size": format_size(self.size),
                "created_at": self.created_at,
                "file_count": self.file_count,
                "state": self.state,
                "updated_at": self.updated_at,
                "description": self.description,
                "digest": self.digest,
            },
            {"metadata": readable(lambda: self._metadata)},
            self.url,
        )

    @property
    def description(self) -> str | None:
        """The description. Can be assigned; None is stored as the empty str."""
        return self._found.fields.description if self._new_description is None else self._new_description

    @description.setter
    def description(self, value: str | None) -> None:
        if value is not None and not isinstance(value, str):  # pyright: ignore[reportUnnecessaryIsInstance] — callers may be untyped
            raise TypeError(f"description must be a str, not {type(value).__name__}")
        self._new_description = value or ""

    @property
    def metadata(self) -> dict[str, JSONValue]:
        """The metadata, as JSON values. Change this dict or assign another; `save` writes the whole of it."""
        return self._metadata

    @metadata.setter
    def metadata(self, value: Mapping[str, JSONInput]) -> None:
        new = {key: as_json(entry) for key, entry in dict(value).items()}
        self._metadata.clear()
        self._metadata.update(new)

    @property
    def tags(self) -> list[str]:
        """The tags. Change this list or assign another; `save` adds and removes what differs."""
        return self._tag_list

    @tags.setter
    def tags(self, value: Iterable[str]) -> None:
        self._tag_list[:] = checked_tags(value)

    @property
    def aliases(self) -> list[str]:
        """The aliases in the collection it was found in, such as ``latest``, without versions such as ``v3``.

        Change this list or assign another; `save` adds and removes what differs. An alias points to one version of a
        collection: adding it here removes it from the version that has it.
        """
        return self._alias_list

    @aliases.setter
    def aliases(self, value: Iterable[str]) -> None:
        self._alias_list[:] = checked_aliases(value)

    @property
    def ttl(self) -> timedelta | None:
        """How long after its creation the server deletes it; None for never.

        Assign a `timedelta`, None for never, or ``"inherit"`` for the setting of the collection or team.

        Raises:
            OutdatedServerError: the server does not know the field.
        """
        if self._new_ttl is None or self._new_ttl == INHERIT:
            return self._stored_ttl
        return timedelta(seconds=self._new_ttl) if self._new_ttl > 0 else None

    @ttl.setter
    def ttl(self, value: timedelta | Literal["inherit"] | None) -> None:
        if value == "inherit":
            self._new_ttl = INHERIT
        elif value is None:
            self._new_ttl = FOREVER
        elif not isinstance(value, timedelta):  # pyright: ignore[reportUnnecessaryIsInstance] — callers may be untyped
            raise TypeError(f"ttl must be a timedelta, None or 'inherit', not {shown(value)}")
        elif value < timedelta(seconds=1):
            raise ValueError(f"ttl must be at least a second, not {value}: None means never")
        else:
            self._new_ttl = int(value.total_seconds())

    # -- writing ------------------------------------------------------------------------------------------------

    def _save(self) -> Flow[None]:
        changes = self._changes()
        before, now = self._found.aliases, checked_aliases(self._alias_list)
        added = [alias for alias in now if alias not in before]
        removed = [alias for alias in before if alias not in now]
        names = sorted(
            {ATTRIBUTE_NAMES.get(name, name) for name in changes.model_fields_set - {"artifact_id"}}
        )
        steps: list[tuple[str, Flow[None]]] = []
        if names:
            steps.append((", ".join(names), self._write(changes)))
        if added:
            steps.append(("added aliases", self._assign(added)))
        if removed:
            steps.append(("removed aliases", self._remove(removed)))
        subject, read = f"artifact {self.qualified_name}", self._found.fields

        def unstored() -> list[str]:
            return unstored_fields(read, changes, self._found.fields) if names else []

        yield from write_in_order(subject, steps, unstored)
        if failed := unstored():
            raise incomplete_update(subject, [*names, *(name for name, _ in steps[1:])], failed)

    def _changes(self) -> UpdateArtifactInput:
        """The fields that differ from what was read; others are not sent, so that nothing else is overwritten."""
        fields = self._found.fields
        changes = UpdateArtifactInput(artifactID=fields.id)
        if (self.description or "") != (fields.description or ""):
            changes.description = self.description or ""
        if "_metadata" in vars(self) and not is_same_json(
            to_json_object(self._metadata, "metadata"), parse_object(fields.metadata)
        ):
            changes.metadata = metadata_json(self._metadata)
        if self._new_ttl is not None and self._new_ttl != stored_ttl(fields):
            changes.ttl_duration_seconds = self._new_ttl
        if "_tag_list" in vars(self):
            before, now = tags_of(fields), checked_tags(self._tag_list)
            if added := [tag for tag in now if tag not in before]:
                changes.tags_to_add = [TagInput(tagName=tag) for tag in added]
            if removed := [tag for tag in before if tag not in now]:
                changes.tags_to_delete = [TagInput(tagName=tag) for tag in removed]
        return changes

    def _write(self, changes: UpdateArtifactInput) -> Flow[None]:
        self._take_fields((yield from update_version(self._found.place, changes)))

    def _take_fields(self, fields: ArtifactFields) -> None:
        """Take over the fields of the response; unsaved changes of the aliases stay."""
        self._found = replace(self._found, fields=fields)
        self._new_description = self._new_ttl = None
        for written in ("_metadata", "_tag_list"):
            vars(self).pop(written, None)

    def _assign(self, aliases: list[str]) -> Flow[None]:
        yield from assign_aliases(self._found.place, self.id, aliases)
        self._found = replace(self._found, aliases=(*self._found.aliases, *aliases))

    def _remove(self, aliases: list[str]) -> Flow[None]:
        yield from remove_aliases(self._found.place, self.id, aliases)
        left = tuple(alias for alias in self._found.aliases if alias not in aliases)
        self._found = replace(self._found, aliases=left)

    def _unlink(self) -> Flow[None]:
        if not self.is_link:
            raise ValueError(f"{self.qualified_name} is not a link: it was made in this collection")
        yield from self._delete(with_aliases=False)

    def _delete(self, *, with_aliases: bool) -> Flow[None]:
        if self.is_link and self._found.collection_id is not None:
            yield from unlink_version(self._found.place, self.id, self._found.collection_id)
        elif self.is_link:
            raise ValueError(
                f"{self.qualified_name} is a link, and the server did not return the id of its collection: "
                f"delete {self.source_qualified_name}, where it was made"
            )
        else:
            yield from delete_version(self._found.place, self.id, with_aliases=with_aliases)
