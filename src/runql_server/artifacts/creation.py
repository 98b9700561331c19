"""Creates versions: opens a pending one, or finds a committed one by its digest."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from runql_server import lenient_json, timestamps
from runql_server.artifacts import aliases, lineage, memberships, naming, tags, versions
from runql_server.artifacts import collections as artifact_collections
from runql_server.artifacts import types as artifact_types
from runql_server.artifacts.collections import Collection
from runql_server.artifacts.naming import NewTag
from runql_server.artifacts.versions import Artifact
from runql_server.errors import RequestError
from runql_server.storage.projects import Project


@dataclass(frozen=True, kw_only=True)
class NewArtifact:
    """A version to create; the run is a row number."""

    type_name: str
    collection: str
    digest: str
    run: int | None = None
    aliases: list[str] = field(default_factory=list[str])
    tags: list[NewTag] = field(default_factory=list[NewTag])
    description: str | None = None
    labels: str | None = None
    metadata: str | None = None
    client_id: str | None = None
    sequence_client_id: str | None = None
    history_step: int | None = None
    ttl: int | None = None
    by_digest: bool = False


def create(connection: sqlite3.Connection, project: Project, wanted: NewArtifact, *, user: int) -> Artifact:
    """Open a pending version, or with ``by_digest`` return the committed one with the same digest.

    A pending version gets its aliases at its commit, a found one immediately. A repeated client id returns the same
    version. Needs a write transaction.
    """
    for alias in wanted.aliases:
        naming.check_alias(alias)
    kind = artifact_types.ensure(connection, project.number, wanted.type_name)
    sequence = artifact_collections.ensure(connection, kind, wanted.collection, "SEQUENCE")
    found = _find_existing(connection, sequence, wanted)
    artifact = found or _insert(connection, sequence, wanted, user)
    if found is not None and found.state == "COMMITTED":
        aliases.assign(connection, memberships.add(connection, sequence.number, found.number), wanted.aliases)
    tags.add(connection, "artifact", artifact.number, wanted.tags)
    _note_client_ids(connection, sequence, artifact, wanted)
    if wanted.run is not None:
        lineage.record_output(connection, wanted.run, artifact.number)
    return versions.by_number(connection, artifact.number)


def _find_existing(
    connection: sqlite3.Connection, sequence: Collection, wanted: NewArtifact
) -> Artifact | None:
    if wanted.client_id:
        known = versions.with_client_id(connection, wanted.client_id)
        if known is not None:
            if known.sequence_number != sequence.number or known.digest != wanted.digest:
                raise RequestError("clientID: another artifact has this id already")
            return known
    return versions.with_digest(connection, sequence.number, wanted.digest) if wanted.by_digest else None


def _insert(connection: sqlite3.Connection, sequence: Collection, wanted: NewArtifact, user: int) -> Artifact:
    for what, text in (("labels", wanted.labels), ("metadata", wanted.metadata)):
        if text is not None:
            lenient_json.parse_object(text, what=what)
    moment = timestamps.to_string(timestamps.now())
    inserted = connection.execute(
        """INSERT INTO artifacts (sequence_id, run_id, user_id, state, digest, history_step, ttl_seconds, created_at,
           updated_at, wanted_aliases, description, labels, metadata)
           VALUES (?, ?, ?, 'PENDING', ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        (
            sequence.number,
            wanted.run,
            user,
            wanted.digest,
            wanted.history_step,
            versions.own_ttl(wanted.ttl),
            moment,
            moment,
            lenient_json.dump(wanted.aliases),
            wanted.description,
            wanted.labels,
            wanted.metadata,
        ),
    )
    return versions.by_number(connection, inserted.lastrowid or 0)


def _note_client_ids(
    connection: sqlite3.Connection, sequence: Collection, artifact: Artifact, wanted: NewArtifact
) -> None:
    known = (
        (wanted.client_id, artifact.number, None),
        (wanted.sequence_client_id, None, sequence.number),
    )
    connection.executemany(
        "INSERT OR IGNORE INTO artifact_client_ids (client_id, artifact_id, collection_id) VALUES (?, ?, ?)",
        (row for row in known if row[0]),
    )
