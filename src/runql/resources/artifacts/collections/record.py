"""What is known of an artifact collection, and the part of it that can be changed: in memory by assigning, by `save`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from typing import Final, TypeVar

from runql.arguments import checked_str, shown
from runql.errors import (
    ArtifactNotFoundError,
    ChangeRefusedError,
    DeletionRefusedError,
    IncompleteUpdateError,
    NotFoundError,
    QueryError,
    RunqlError,
)
from runql.resources.artifacts.collections.lookup import TypeAddress, find_collection
from runql.resources.artifacts.mutations import LONGEST, checked_tags
from runql.resources.records.absent_fields import require_field
from runql.resources.records.deletion import confirm_deletion
from runql.resources.records.identity import require_id
from runql.resources.records.snake_case import SnakeCaseAttributes
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


class CollectionRecord(SnakeCaseAttributes):
    """The part of `ArtifactCollection` and `AsyncArtifactCollection` that needs no request.

    Name, type, description and tags can be assigned. Assigning changes memory only; `save` writes.
    """

    def __init__(self, home: TypeAddress, fields: ArtifactCollectionFields) -> None:
        self._home = home
        self._fields = fields
        self._edited: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<ArtifactCollection {self.entity}/{self.project}/{self.name} ({self.type})>"

    @property
    def id(self) -> str:
        """The server's own id."""
        return self._fields.id

    @property
    def entity(self) -> str:
        """The entity it was asked for with."""
        return self._home.entity

    @property
    def project(self) -> str:
        """The project it was asked for with."""
        return self._home.project

    @property
    def name(self) -> str:
        """Its name, which stands before the colon of an artifact's. Can be assigned."""
        return self._edited.get("name", self._fields.name)

    @name.setter
    def name(self, value: str) -> None:
        checked_str("name", value)
        if not value.strip() or len(value) > LONGEST or "/" in value or ":" in value:
            raise ValueError(
                f"a collection's name has 1 to {LONGEST} characters, none of them / or :, not {shown(value)}"
            )
        self._edited["name"] = value

    @property
    def type(self) -> str:
        """What kind of artifacts it holds. Can be assigned, but not of a collection of links."""
        return self._edited.get("type", self._fields.default_artifact_type.name)

    @type.setter  # noqa: A003 - `type` is the name that callers know
    def type(self, value: str) -> None:
        checked_str("type", value)
        if not self.is_sequence():
            raise ValueError(f"{self._fields.name} is a collection of links, whose type cannot be changed")
        if len(value) > LONGEST or not TYPE_NAME.fullmatch(value):
            raise ValueError(
                f"a type has 1 to {LONGEST} letters, digits, _, - or ., with blanks between them, not {shown(value)}"
            )
        self._edited["type"] = value

    @property
    def description(self) -> str | None:
        """What somebody wrote about it. Can be assigned; None is written as the empty text."""
        return self._edited.get("description", self._fields.description)

    @description.setter
    def description(self, value: str | None) -> None:
        self._edited["description"] = "" if value is None else checked_str("description", value)

    @property
    def created_at(self) -> str:
        """When it was made, ISO 8601; without a zone it is UTC."""
        return self._fields.created_at

    @property
    def updated_at(self) -> str | None:
        """When it was last changed, ISO 8601; without a zone it is UTC."""
        return self._fields.updated_at

    @property
    def tags(self) -> list[str]:
        """Its tags, in the server's order. Assign a list or change this one; `save` writes what differs.

        Raises:
            OutdatedServerError: the server does not know tags.
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
        """Whether versions are made in it; False for one of links to versions that are made elsewhere."""
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
        taken: list[str] = []
        if "_tag_list" in vars(self):  # looked at: an older server has none to look at
            now = checked_tags(self._tag_list)
            added = [tag for tag in now if tag not in self._stored_tags]
            taken = [tag for tag in self._stored_tags if tag not in now]
        fields = [
            name
            for name, stored in (("name", self._fields.name), ("description", self._fields.description or ""))
            if self._edited.get(name, stored) != stored
        ]
        steps: list[tuple[str, Flow[None]]] = []
        if fields:
            steps.append((", ".join(fields), self._write(fields)))
        if self.type != self._fields.default_artifact_type.name:
            steps.append(("type", self._move()))
        if added:
            steps.append(("added tags", self._add(added)))
        if taken:
            steps.append(("removed tags", self._take(taken)))
        written: list[str] = []
        for name, step in steps:
            try:
                yield from step
            except RunqlError as error:
                if not written:
                    raise
                failed = [each for each, _ in steps if each not in written]
                raise IncompleteUpdateError(
                    f"artifact collection {self._path}", written, failed, str(error)
                ) from error
            written.append(name)

    def _write(self, names: list[str]) -> Flow[None]:
        given = {name: self._edited[name] for name in names}
        if self.is_sequence():
            wanted = UpdateArtifactSequenceInput(artifactSequenceID=self.id, **given)
            done = (yield from self._sent(update_artifact_sequence(input=wanted))).update_artifact_sequence
            self._keep(done.artifact_collection if done else None, names)
        else:
            links = UpdateArtifactPortfolioInput(artifactPortfolioID=self.id, **given)
            kept = (yield from self._sent(update_artifact_portfolio(input=links))).update_artifact_portfolio
            self._keep(kept.artifact_collection if kept else None, names)

    def _move(self) -> Flow[None]:
        wanted = MoveArtifactSequenceInput(artifactSequenceID=self.id, destinationArtifactTypeName=self.type)
        done = (yield from self._sent(update_artifact_sequence_type(input=wanted))).move_artifact_sequence
        self._keep(done.artifact_collection if done else None, ["type"])
        self._home = replace(self._home, type_name=self.type)

    def _keep(self, written: WrittenCollectionFields | None, names: list[str]) -> None:
        if written is None:
            raise ArtifactNotFoundError(self._gone())
        require_id("artifact collection", self.id, written.id)
        # An older server returns less: what it does not return is what was sent.
        sent = {name: self._edited.pop(name) for name in names}
        sent.pop("type", None)
        kept = {name: getattr(written, name) for name in written.model_fields_set}
        self._fields = self._fields.model_copy(update={**sent, **kept})

    def _add(self, tags: list[str]) -> Flow[None]:
        wanted = CreateArtifactCollectionTagAssignmentsInput(
            entityName=self.entity,
            projectName=self.project,
            artifactCollectionName=self._fields.name,
            tags=[TagInput(tagName=tag) for tag in tags],
        )
        answer = yield from self._sent(create_artifact_collection_tags(input=wanted))
        if answer.create_artifact_collection_tag_assignments is None:
            raise ChangeRefusedError(f"the server did not add tags {', '.join(tags)} to {self._path}")
        self._stored_tags.extend(tags)

    def _take(self, tags: list[str]) -> Flow[None]:
        wanted = DeleteArtifactCollectionTagAssignmentsInput(
            entityName=self.entity,
            projectName=self.project,
            artifactCollectionName=self._fields.name,
            tags=[TagInput(tagName=tag) for tag in tags],
        )
        answer = yield from self._sent(delete_artifact_collection_tags(input=wanted), repeatable=False)
        done = answer.delete_artifact_collection_tag_assignments
        if done is None or not done.success:
            raise ChangeRefusedError(f"the server did not take tags {', '.join(tags)} from {self._path}")
        self._stored_tags[:] = [tag for tag in self._stored_tags if tag not in tags]

    def _delete(self) -> Flow[None]:
        deleted = yield from confirm_deletion(
            self._send_deletion(), self._is_there, f"artifact collection {self._path}"
        )
        if deleted is False:
            raise DeletionRefusedError(f"the server did not delete artifact collection {self._path}")

    def _send_deletion(self) -> Flow[bool]:
        if self.is_sequence():
            wanted = DeleteArtifactSequenceInput(artifactSequenceID=self.id)
            answer = yield from self._sent(delete_artifact_sequence(input=wanted), repeatable=False)
            done = answer.delete_artifact_sequence
            return self._is_deleted(done.artifact_collection if done else None)
        links = DeleteArtifactPortfolioInput(artifactPortfolioID=self.id)
        reply = yield from self._sent(delete_artifact_portfolio(input=links), repeatable=False)
        unlinked = reply.delete_artifact_portfolio
        return self._is_deleted(unlinked.artifact_collection if unlinked else None)

    def _is_deleted(self, deleted: DeletedCollectionFields | None) -> bool:
        if deleted is not None:
            require_id("artifact collection", self.id, deleted.id)
        return deleted is not None

    def _is_there(self) -> Flow[bool]:
        # The name may be another collection's by now.
        return (yield from find_collection(self._home, self._fields.name)).id == self.id

    def _sent(self, operation: Operation[T], *, repeatable: bool = True) -> Flow[T]:
        try:
            return (yield from fetch(operation, repeatable=repeatable))
        except QueryError as error:
            yield from self._raise_if_gone(error)
            raise

    def _raise_if_gone(self, error: QueryError) -> Flow[None]:
        """Servers word a missing collection as they like: asking for it tells."""
        try:
            gone = not (yield from self._is_there())
        except NotFoundError:
            gone = True
        except RunqlError:
            # What was refused first says more than that asking failed, too.
            return
        if gone:
            raise ArtifactNotFoundError(self._gone()) from error

    @property
    def _path(self) -> str:
        return f"{self.entity}/{self.project}/{self._fields.name}"

    def _gone(self) -> str:
        return f"artifact collection {self._path} does not exist any more"
