"""What was read of an artifact collection, the fields that can be assigned, and the flow that saves them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from typing import Final, TypeVar

from runql.arguments import checked_str, shown
from runql.errors import (
    ArtifactNotFoundError,
    ChangeRefusedError,
    DeletionRefusedError,
    NotFoundError,
    QueryError,
    RunqlError,
)
from runql.resources.artifacts.collections.lookup import TypeAddress, find_collection
from runql.resources.artifacts.mutations import MAX_NAME_LENGTH, checked_tags
from runql.resources.records.absent_fields import require_field
from runql.resources.records.deletion import confirm_deletion
from runql.resources.records.identity import require_id
from runql.resources.records.snake_case import SnakeCaseAttributes
from runql.resources.records.stored_changes import write_in_order
from runql.resources.records.tables import Contents, Shown, described, readable
from runql.times import as_time
from runql.transport.flow import Flow, fetch
from runql_graphql.fragments import (
    ArtifactCollectionFields,
    DeletedCollectionFields,
    WrittenCollectionFields,
)
from runql_graphql.input_types import (
    CreateArtifactCollectionTagAssignmentsInput,
    DeleteArtifactCollectionTagAssignmentsInput,
    DeleteArtifactPortfolioInput,
    DeleteArtifactSequenceInput,
    MoveArtifactSequenceInput,
    TagInput,
    UpdateArtifactPortfolioInput,
    UpdateArtifactSequenceInput,
)
from runql_graphql.operation import Operation
from runql_graphql.operations import (
    create_artifact_collection_tags,
    delete_artifact_collection_tags,
    delete_artifact_portfolio,
    delete_artifact_sequence,
    update_artifact_portfolio,
    update_artifact_sequence,
    update_artifact_sequence_type,
)

SEQUENCE: Final = "ArtifactSequence"
TYPE_NAME: Final = re.compile(r"[-\w]+( *[-.\w]+)*")

T = TypeVar("T")


class CollectionRecord(Shown, SnakeCaseAttributes):
    """What both clients share.

    Name, type, description and tags can be assigned. Assigning changes memory only; `save` writes to the server.
    """

    def __init__(self, home: TypeAddress, fields: ArtifactCollectionFields) -> None:
        self._home = home
        self._fields = fields
        self._edited: dict[str, str] = {}

    def __repr__(self) -> str:
        return described("ArtifactCollection", f"{self.entity}/{self.project}/{self.name} ({self.type})")

    def _contents(self) -> Contents:
        return Contents(
            {
                "name": self.name,
                "type": self.type,
                "aliases": ", ".join(self.aliases) or None,
                "tags": readable(lambda: ", ".join(self.tags)) or None,
                "created_at": self.created_at,
                "updated_at": self.updated_at,
                "entity": self.entity,
                "project": self.project,
                "description": self.description,
            }
        )

    @property
    def id(self) -> str:
        """The server's id."""
        return self._fields.id

    @property
    def entity(self) -> str:
        """The entity that was requested."""
        return self._home.entity

    @property
    def project(self) -> str:
        """The project that was requested."""
        return self._home.project

    @property
    def name(self) -> str:
        """Its name, the part before the colon in an artifact's name. Can be assigned."""
        return self._edited.get("name", self._fields.name)

    @name.setter
    def name(self, value: str) -> None:
        checked_str("name", value)
        if not value.strip() or len(value) > MAX_NAME_LENGTH or "/" in value or ":" in value:
            raise ValueError(
                f"a collection's name has 1 to {MAX_NAME_LENGTH} characters, none of them / or :, not {shown(value)}"
            )
        self._edited["name"] = value

    @property
    def type(self) -> str:
        """The type of its artifacts. Can be assigned, unless it is a collection of links."""
        return self._edited.get("type", self._fields.default_artifact_type.name)

    @type.setter  # noqa: A003 - `type` is the name that callers know
    def type(self, value: str) -> None:
        checked_str("type", value)
        if not self.is_sequence():
            raise ValueError(f"{self._fields.name} is a collection of links, whose type cannot be changed")
        if len(value) > MAX_NAME_LENGTH or not TYPE_NAME.fullmatch(value):
            raise ValueError(
                f"a type has 1 to {MAX_NAME_LENGTH} letters, digits, _, - or ., with spaces between them, not {shown(value)}"
            )
        self._edited["type"] = value

    @property
    def description(self) -> str | None:
        """The description. Can be assigned; None is stored as the empty str."""
        return self._edited.get("description", self._fields.description)

    @description.setter
    def description(self, value: str | None) -> None:
        self._edited["description"] = "" if value is None else checked_str("description", value)

    @property
    def created_at(self) -> str:
        """When it was made, ISO 8601, in UTC where no zone is given."""
        return self._fields.created_at

    @property
    def created_time(self) -> datetime:
        """`created_at` as an aware datetime in UTC.

        Raises:
            UnreadableValueError: the server sent a str that is no time.
        """
        return as_time(self.created_at, f"created_at of collection {self._fields.name}")

    @property
    def updated_at(self) -> str | None:
        """When it was last changed, ISO 8601, in UTC where no zone is given."""
        return self._fields.updated_at

    @property
    def updated_time(self) -> datetime | None:
        """`updated_at` as an aware datetime in UTC.

        None where `updated_at` is None.

        Raises:
            UnreadableValueError: the server sent a str that is no time.
        """
        return as_time(self.updated_at, f"updated_at of collection {self._fields.name}")

    @property
    def tags(self) -> list[str]:
        """The tags, in the server's order. Change this list or assign another; `save` adds and removes what differs.

        Raises:
            OutdatedServerError: the server does not know tags of collections.
        """
        return self._tag_list

    @tags.setter
    def tags(self, value: Iterable[str]) -> None:
        self._tag_list[:] = checked_tags(value)

    @property
    def aliases(self) -> list[str]:
        """The aliases of all its versions, at most 1,000, in the server's order."""
        return [edge.node.alias for edge in self._fields.aliases.edges if edge.node is not None]

    def is_sequence(self) -> bool:
        """Whether versions are made in it; False for a collection of links to versions made elsewhere."""
        return self._fields.typename__ == SEQUENCE

    # -- writing ------------------------------------------------------------------------------------------------

    @cached_property
    def _tag_list(self) -> list[str]:
        return list(self._stored_tags)

    @cached_property
    def _stored_tags(self) -> list[str]:
        tags = require_field(self._fields.tags, "ArtifactCollection.tags")
        return [edge.node.name for edge in tags.edges]

    def _save(self) -> Flow[None]:
        added: list[str] = []
        removed: list[str] = []
        if "_tag_list" in vars(self):  # an older server has no tags, and callers read none
            now = checked_tags(self._tag_list)
            added = [tag for tag in now if tag not in self._stored_tags]
            removed = [tag for tag in self._stored_tags if tag not in now]
        fields = [
            name
            for name, stored in (("name", self._fields.name), ("description", self._fields.description or ""))
            if self._edited.get(name, stored) != stored
        ]
        steps: list[tuple[str, Flow[None]]] = []
        if fields:
            steps.append((", ".join(fields), self._write(fields)))
        if self.type != self._fields.default_artifact_type.name:
            steps.append(("type", self._change_type()))
        if added:
            steps.append(("added tags", self._add_tags(added)))
        if removed:
            steps.append(("removed tags", self._remove_tags(removed)))
        yield from write_in_order(f"artifact collection {self._path}", steps)

    def _write(self, names: list[str]) -> Flow[None]:
        given = {name: self._edited[name] for name in names}
        if self.is_sequence():
            change = UpdateArtifactSequenceInput(artifactSequenceID=self.id, **given)
            done = (
                yield from self._fetch_existing(update_artifact_sequence(input=change))
            ).update_artifact_sequence
            self._keep(done.artifact_collection if done else None, names)
        else:
            links = UpdateArtifactPortfolioInput(artifactPortfolioID=self.id, **given)
            kept = (
                yield from self._fetch_existing(update_artifact_portfolio(input=links))
            ).update_artifact_portfolio
            self._keep(kept.artifact_collection if kept else None, names)

    def _change_type(self) -> Flow[None]:
        change = MoveArtifactSequenceInput(artifactSequenceID=self.id, destinationArtifactTypeName=self.type)
        done = (
            yield from self._fetch_existing(update_artifact_sequence_type(input=change))
        ).move_artifact_sequence
        self._keep(done.artifact_collection if done else None, ["type"])
        self._home = replace(self._home, type_name=self.type)

    def _keep(self, written: WrittenCollectionFields | None, names: list[str]) -> None:
        if written is None:
            raise ArtifactNotFoundError(self._gone_message())
        require_id("artifact collection", self.id, written.id)
        # An older server returns fewer fields: the others are as sent.
        sent = {name: self._edited.pop(name) for name in names}
        sent.pop("type", None)
        kept = {name: getattr(written, name) for name in written.model_fields_set}
        self._fields = self._fields.model_copy(update={**sent, **kept})

    def _add_tags(self, tags: list[str]) -> Flow[None]:
        change = CreateArtifactCollectionTagAssignmentsInput(
            entityName=self.entity,
            projectName=self.project,
            artifactCollectionName=self._fields.name,
            tags=[TagInput(tagName=tag) for tag in tags],
        )
        response = yield from self._fetch_existing(create_artifact_collection_tags(input=change))
        if response.create_artifact_collection_tag_assignments is None:
            raise ChangeRefusedError(f"the server did not add tags {', '.join(tags)} to {self._path}")
        self._stored_tags.extend(tags)

    def _remove_tags(self, tags: list[str]) -> Flow[None]:
        change = DeleteArtifactCollectionTagAssignmentsInput(
            entityName=self.entity,
            projectName=self.project,
            artifactCollectionName=self._fields.name,
            tags=[TagInput(tagName=tag) for tag in tags],
        )
        response = yield from self._fetch_existing(
            delete_artifact_collection_tags(input=change), repeatable=False
        )
        done = response.delete_artifact_collection_tag_assignments
        if done is None or not done.success:
            raise ChangeRefusedError(f"the server did not remove tags {', '.join(tags)} from {self._path}")
        self._stored_tags[:] = [tag for tag in self._stored_tags if tag not in tags]

    def _delete(self) -> Flow[None]:
        deleted = yield from confirm_deletion(
            self._send_deletion(), self._is_there, f"artifact collection {self._path}"
        )
        if deleted is False:
            raise DeletionRefusedError(f"the server did not delete artifact collection {self._path}")

    def _send_deletion(self) -> Flow[bool]:
        if self.is_sequence():
            change = DeleteArtifactSequenceInput(artifactSequenceID=self.id)
            response = yield from self._fetch_existing(
                delete_artifact_sequence(input=change), repeatable=False
            )
            done = response.delete_artifact_sequence
            return self._is_deleted(done.artifact_collection if done else None)
        links = DeleteArtifactPortfolioInput(artifactPortfolioID=self.id)
        reply = yield from self._fetch_existing(delete_artifact_portfolio(input=links), repeatable=False)
        unlinked = reply.delete_artifact_portfolio
        return self._is_deleted(unlinked.artifact_collection if unlinked else None)

    def _is_deleted(self, deleted: DeletedCollectionFields | None) -> bool:
        if deleted is not None:
            require_id("artifact collection", self.id, deleted.id)
        return deleted is not None

    def _is_there(self) -> Flow[bool]:
        # Another collection may have the name by now.
        return (yield from find_collection(self._home, self._fields.name)).id == self.id

    def _fetch_existing(self, operation: Operation[T], *, repeatable: bool = True) -> Flow[T]:
        try:
            return (yield from fetch(operation, repeatable=repeatable))
        except QueryError as error:
            yield from self._raise_if_gone(error)
            raise

    def _raise_if_gone(self, error: QueryError) -> Flow[None]:
        """Read the collection to find out whether it is gone: servers differ in how they report that."""
        try:
            gone = not (yield from self._is_there())
        except NotFoundError:
            gone = True
        except RunqlError:
            # The first error says more than this one.
            return
        if gone:
            raise ArtifactNotFoundError(self._gone_message()) from error

    @property
    def _path(self) -> str:
        return f"{self.entity}/{self.project}/{self._fields.name}"

    def _gone_message(self) -> str:
        return f"artifact collection {self._path} does not exist any more"
