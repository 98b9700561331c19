"""The columns of runs, sweeps, artifacts and files in an archive, and what the server returned as such rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from runql.values import JSONValue, as_json, dump_json

if TYPE_CHECKING:
    from runql.archive.tables import Kind, Row
    from runql_graphql.fragments import (
        ArtifactCollectionFields,
        ArtifactFields,
        FileFields,
        FullRunFields,
        LogLineFields,
        SweepFields,
    )

RUN_COLUMNS: Final[dict[str, Kind]] = {
    "unit": "int",
    "id": "str",
    "storage_id": "str",
    "name": "str",
    "state": "str",
    "created_at": "str",
    "heartbeat_at": "str",
    "tags": "str",
    "group": "str",
    "job_type": "str",
    "commit": "str",
    "host": "str",
    "description": "str",
    "notes": "str",
    "sweep": "str",
    "user": "str",
    "username": "str",
    "read_only": "bool",
    "history_rows": "int",
    "config": "str",
    "summary": "str",
    "system_metrics": "str",
    "history_keys": "str",
}
"""A row for each run. ``config``, ``summary``, ``system_metrics``, ``history_keys`` and ``tags`` are JSON as the server
sent it; ``unit`` says which files hold its rows."""

LARGE: Final = frozenset({"config", "summary", "system_metrics", "history_keys"})

SWEEP_COLUMNS: Final[dict[str, Kind]] = {
    "id": "str",
    "storage_id": "str",
    "name": "str",
    "method": "str",
    "state": "str",
    "description": "str",
    "best_loss": "float",
    "config": "str",
    "created_at": "str",
    "updated_at": "str",
    "run_count": "int",
    "expected_run_count": "int",
}
"""A row for each sweep; ``config`` is the YAML that the server keeps."""

COLLECTION_COLUMNS: Final[dict[str, Kind]] = {
    "type": "str",
    "name": "str",
    "kind": "str",
    "description": "str",
    "created_at": "str",
    "tags": "str",
}
"""A row for each artifact collection; ``kind`` is ArtifactSequence, or ArtifactPortfolio for one of links."""

VERSION_COLUMNS: Final[dict[str, Kind]] = {
    "storage_id": "str",
    "type": "str",
    "collection": "str",
    "index": "int",
    "digest": "str",
    "description": "str",
    "metadata": "str",
    "size": "int",
    "file_count": "int",
    "history_step": "int",
    "ttl_seconds": "int",
    "ttl_is_inherited": "bool",
    "created_at": "str",
    "updated_at": "str",
    "aliases": "str",
    "tags": "str",
    "links": "str",
    "logged_by": "str",
    "used_by": "str",
    "manifest": "str",
}
"""A row for each committed version; ``aliases``, ``tags``, ``used_by`` and ``links`` are JSON lists, ``manifest`` the path
of the manifest in the archive. ``logged_by`` and ``used_by`` are runs: ids for those of this project, else paths."""


def run_row(fields: FullRunFields, unit: int) -> Row:
    """The fields of a run."""
    user = fields.user
    return _present(
        {
            "unit": unit,
            "id": fields.name,
            "storage_id": fields.id,
            "name": fields.display_name,
            "state": fields.state,
            "created_at": fields.created_at,
            "heartbeat_at": fields.heartbeat_at,
            "tags": json.dumps(list(fields.tags or ())),
            "group": fields.group,
            "job_type": fields.job_type,
            "commit": fields.commit,
            "description": fields.description,
            "notes": fields.notes,
            "sweep": fields.sweep_name,
            "user": user.name if user else None,
            "username": user.username if user else None,
            "read_only": fields.read_only,
            "history_rows": fields.history_line_count,
            "config": fields.config,
            "summary": fields.summary_metrics,
            "system_metrics": fields.system_metrics,
            "history_keys": None if fields.history_keys is None else dump_json(as_json(fields.history_keys)),
        }
    )


def sweep_row(fields: SweepFields) -> Row:
    """The fields of a sweep."""
    return _present(
        {
            "id": fields.name,
            "storage_id": fields.id,
            "name": fields.display_name,
            "method": fields.method,
            "state": fields.state,
            "description": fields.description,
            "best_loss": fields.best_loss,
            "config": fields.config,
            "created_at": fields.created_at,
            "updated_at": fields.updated_at,
            "run_count": fields.run_count,
            "expected_run_count": fields.run_count_expected,
        }
    )


def collection_row(fields: ArtifactCollectionFields, type_name: str) -> Row:
    """The fields of an artifact collection."""
    tags = [edge.node.name for edge in fields.tags.edges] if fields.tags else []
    return _present(
        {
            "type": type_name,
            "name": fields.name,
            "kind": fields.typename__,
            "description": fields.description,
            "created_at": fields.created_at,
            "tags": json.dumps(tags),
        }
    )


def version_row(
    fields: ArtifactFields,
    *,
    type_name: str,
    collection: str,
    aliases: Sequence[str],
    links: Sequence[JSONValue],
    logged_by: str | None,
    used_by: Sequence[str],
    manifest: str,
) -> Row:
    """The fields of an artifact version."""
    return _present(
        {
            "storage_id": fields.id,
            "type": type_name,
            "collection": collection,
            "index": fields.version_index,
            "digest": fields.digest,
            "description": fields.description,
            "metadata": None if fields.metadata is None else str(fields.metadata),
            "size": int(fields.size),
            "file_count": int(fields.file_count),
            "history_step": fields.history_step,
            "ttl_seconds": fields.ttl_duration_seconds,
            "ttl_is_inherited": fields.ttl_is_inherited,
            "created_at": fields.created_at,
            "updated_at": fields.updated_at,
            "aliases": json.dumps(list(aliases)),
            "tags": json.dumps([tag.name for tag in fields.tags or ()]),
            "links": json.dumps(list(links)),
            "logged_by": logged_by,
            "used_by": json.dumps(list(used_by)),
            "manifest": manifest,
        }
    )


def console_row(node: LogLineFields, number: int) -> Row:
    """A console line; its time as the server sent it, with nanoseconds."""
    return _present(
        {
            "number": number,
            "timestamp": node.timestamp,
            "level": node.level or None,
            "label": node.label or None,
            "line": node.line or "",
        }
    )


def file_row(fields: FileFields, path: str | None) -> Row:
    """A file of a run; ``path`` is where it is in the archive, None where it could not be fetched."""
    return _present(
        {
            "name": fields.name,
            "path": path,
            "size": int(fields.size_bytes),
            "md5": fields.md5,
            "mimetype": fields.mimetype,
            "updated_at": fields.updated_at,
        }
    )


def strings(encoded: JSONValue) -> list[str]:
    """Read a JSON list of str from a column."""
    found: object = json.loads(encoded) if isinstance(encoded, str) else []
    return [each for each in found if isinstance(each, str)] if isinstance(found, list) else []  # pyright: ignore[reportUnknownVariableType] — isinstance says nothing of what a list holds


def _present(row: Row) -> Row:
    return {key: value for key, value in row.items() if value is not None}
