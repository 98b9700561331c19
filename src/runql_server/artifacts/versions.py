"""Artifact versions in the database: find by number, digest or client id, and change."""

# ruff: noqa: S608 - the composed SQL has constant parts only: values are always bound

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Literal

from runql_server import ids, lenient_json, timestamps
from runql_server.errors import NotFoundError, RequestError

State = Literal["PENDING", "COMMITTED", "DELETED"]
Layout = Literal["V1", "V2"]

INHERITED_TTL = -1
"""Value for an inherited time to live; this server has none to inherit."""

_SELECT = """SELECT artifacts.*, own.version AS version, projects.entity_id AS entity_id FROM artifacts
JOIN artifact_collections ON artifact_collections.id = artifacts.sequence_id
JOIN projects ON projects.id = artifact_collections.project_id
LEFT JOIN artifact_memberships AS own ON own.artifact_id = artifacts.id AND own.collection_id = artifacts.sequence_id"""


@dataclass(frozen=True)
class Artifact:
    """One version; attribute names are those of the schema in snake case, unless a resolver computes the field.

    ``version`` is the number in the sequence, ``None`` while the version is pending.
    """

    number: int
    sequence_number: int
    entity_number: int
    run_number: int | None
    user_number: int
    version: int | None
    state: State
    digest: str
    storage_layout: Layout
    size: int
    storage_bytes: int
    file_count: int
    history_step: int | None
    own_ttl: int | None
    created_at: str
    updated_at: str
    wanted_aliases: str
    description: str | None
    labels: str | None
    metadata: str | None
    digest_algorithm: str = "MANIFEST_MD5"

    @property
    def id(self) -> str:
        """Opaque node id."""
        return ids.encode("Artifact", self.number)

    @property
    def ttl_duration_seconds(self) -> int:
        """Time to live in seconds; 0 or less means none."""
        return INHERITED_TTL if self.own_ttl is None else self.own_ttl

    @property
    def ttl_is_inherited(self) -> bool:
        """Whether the version has no time to live of its own."""
        return self.own_ttl is None


@dataclass(frozen=True, kw_only=True)
class ArtifactChange:
    """Fields that a caller may set; ``None`` leaves a field unchanged. JSON strings replace old ones."""

    description: str | None = None
    labels: str | None = None
    metadata: str | None = None
    ttl_duration_seconds: int | None = None


def by_number(connection: sqlite3.Connection, number: int) -> Artifact:
    """Return the version with this row number."""
    row = connection.execute(f"{_SELECT} WHERE artifacts.id = ?", (number,)).fetchone()
    if row is None:
        raise NotFoundError("artifact not found")
    return _artifact(row)


def by_id(connection: sqlite3.Connection, opaque: str) -> Artifact:
    """Return the version with this node id."""
    return by_number(connection, ids.decode_number("Artifact", opaque))


def by_numbers(connection: sqlite3.Connection, numbers: list[int]) -> list[Artifact]:
    """Return the versions with these row numbers, in the given order."""
    rows = connection.execute(
        f"{_SELECT} WHERE artifacts.id IN (SELECT value FROM json_each(?))", (lenient_json.dump(numbers),)
    )
    found = {row["id"]: _artifact(row) for row in rows}
    return [found[number] for number in numbers if number in found]


def with_digest(connection: sqlite3.Connection, sequence: int, digest: str) -> Artifact | None:
    """Find the newest committed version of the sequence with this manifest digest, or return ``None``."""
    row = connection.execute(
        f"{_SELECT} WHERE artifacts.sequence_id = ? AND artifacts.digest = ? AND own.version IS NOT NULL "
        "ORDER BY own.version DESC LIMIT 1",
        (sequence, digest),
    ).fetchone()
    return None if row is None else _artifact(row)


def newest(connection: sqlite3.Connection, sequence: int) -> Artifact | None:
    """Find the committed version of the sequence with the highest number, or return ``None``."""
    row = connection.execute(
        f"{_SELECT} WHERE artifacts.sequence_id = ? AND own.version IS NOT NULL ORDER BY own.version DESC LIMIT 1",
        (sequence,),
    ).fetchone()
    return None if row is None else _artifact(row)


def of_sequence(connection: sqlite3.Connection, sequence: int) -> list[Artifact]:
    """List all versions of the sequence, pending ones too."""
    rows = connection.execute(f"{_SELECT} WHERE artifacts.sequence_id = ? ORDER BY artifacts.id", (sequence,))
    return [_artifact(row) for row in rows]


def with_client_id(connection: sqlite3.Connection, client_id: str) -> Artifact | None:
    """Find the version with this client id, or the newest one of the sequence with it, or return ``None``."""
    row = connection.execute(
        "SELECT artifact_id, collection_id FROM artifact_client_ids WHERE client_id = ?", (client_id,)
    ).fetchone()
    if row is None:
        return None
    if row["artifact_id"] is None:
        return newest(connection, row["collection_id"])
    return by_number(connection, row["artifact_id"])


def change(connection: sqlite3.Connection, number: int, wanted: ArtifactChange) -> None:
    """Set the fields that are not ``None``. Needs a write transaction."""
    for what in ("labels", "metadata"):
        text: str | None = getattr(wanted, what)
        if text is not None:
            lenient_json.parse_object(text, what=what)
    ttl = wanted.ttl_duration_seconds
    connection.execute(
        """UPDATE artifacts SET description = COALESCE(?, description), labels = COALESCE(?, labels),
           metadata = COALESCE(?, metadata), updated_at = ? WHERE id = ?""",
        (wanted.description, wanted.labels, wanted.metadata, timestamps.to_string(timestamps.now()), number),
    )
    if ttl is not None:
        connection.execute("UPDATE artifacts SET ttl_seconds = ? WHERE id = ?", (own_ttl(ttl), number))


def own_ttl(wanted: int | None) -> int | None:
    """Return the time to live to store; ``None`` for an inherited one."""
    if wanted is not None and wanted < -2:
        raise RequestError(f"ttlDurationSeconds: seconds, -1 (inherited) or -2 (none), not {wanted}")
    return None if wanted == INHERITED_TTL else wanted


def _artifact(row: sqlite3.Row) -> Artifact:
    return Artifact(
        number=row["id"],
        sequence_number=row["sequence_id"],
        entity_number=row["entity_id"],
        run_number=row["run_id"],
        user_number=row["user_id"],
        version=row["version"],
        state=row["state"],
        digest=row["digest"],
        storage_layout=row["storage_layout"],
        size=row["size"],
        storage_bytes=row["storage_bytes"],
        file_count=row["file_count"],
        history_step=row["history_step"],
        own_ttl=row["ttl_seconds"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        wanted_aliases=row["wanted_aliases"],
        description=row["description"],
        labels=row["labels"],
        metadata=row["metadata"],
    )
