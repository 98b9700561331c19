"""Projects in the database: find, list, create, change and rename."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from runql_server import ids, timestamps
from runql_server.errors import NotFoundError, RequestError
from runql_server.names import check_name

_SELECT = """
SELECT projects.*, entities.name AS entity_name FROM projects JOIN entities ON entities.id = projects.entity_id
"""


@dataclass(frozen=True)
class Project:
    """One project; attribute names are those of the schema in snake case."""

    number: int
    entity_number: int
    entity_name: str
    name: str
    user_number: int
    description: str | None
    access: str | None
    views: str | None
    repo: str | None
    docker_image: str | None
    is_benchmark: bool
    created_at: str
    updated_at: str
    read_only: bool = False
    allow_all_artifact_types: bool = True

    @property
    def id(self) -> str:
        """Opaque node id."""
        return ids.encode("Project", self.number)

    @property
    def internal_id(self) -> str:
        """Internal node id, which the SDK decodes."""
        return ids.encode("ProjectInternalId", self.number)

    @property
    def run_queues(self) -> list[object]:
        """Empty: this server has no queues."""
        return []


@dataclass(frozen=True, kw_only=True)
class ProjectChange:
    """Fields that a caller may set; ``None`` leaves a field unchanged."""

    description: str | None = None
    access: str | None = None
    views: str | None = None
    repo: str | None = None
    docker_image: str | None = None
    is_benchmark: bool | None = None


def find(connection: sqlite3.Connection, entity: str, name: str) -> Project | None:
    """Find the project of that name, or return ``None``."""
    row = connection.execute(
        f"{_SELECT} WHERE entities.name = ? AND projects.name = ?", (entity, name)
    ).fetchone()
    return None if row is None else _project(row)


def by_number(connection: sqlite3.Connection, number: int) -> Project:
    """Return the project with this row number."""
    row = connection.execute(f"{_SELECT} WHERE projects.id = ?", (number,)).fetchone()
    if row is None:
        raise NotFoundError("project not found")
    return _project(row)


def page(connection: sqlite3.Connection, entity: str, *, after: int, first: int) -> list[Project]:
    """List up to ``first`` projects of the entity with row numbers above ``after``, oldest first."""
    query = f"{_SELECT} WHERE entities.name = ? AND projects.id > ? ORDER BY projects.id LIMIT ?"
    return [_project(row) for row in connection.execute(query, (entity, after, first))]


def ensure(connection: sqlite3.Connection, entity: str, name: str, *, user: int) -> Project:
    """Find or create a project; the entity must exist. Needs a write transaction."""
    found = find(connection, entity, name)
    if found is not None:
        return found
    owner = connection.execute("SELECT id FROM entities WHERE name = ?", (entity,)).fetchone()
    if owner is None:
        raise NotFoundError(f"entity {entity!r} not found")
    moment = timestamps.to_string(timestamps.now())
    inserted = connection.execute(
        "INSERT INTO projects (entity_id, name, user_id, created_at, updated_at) VALUES (?, ?, ?, ?, ?)",
        (owner["id"], check_name(name, what="project name"), user, moment, moment),
    )
    return by_number(connection, inserted.lastrowid or 0)


def change(connection: sqlite3.Connection, project: Project, wanted: ProjectChange) -> Project:
    """Set the fields that are not ``None``. Needs a write transaction."""
    connection.execute(
        """UPDATE projects SET description = COALESCE(?, description), access = COALESCE(?, access),
           views = COALESCE(?, views), repo = COALESCE(?, repo), docker_image = COALESCE(?, docker_image),
           is_benchmark = COALESCE(?, is_benchmark), updated_at = ? WHERE id = ?""",
        (
            wanted.description,
            wanted.access,
            wanted.views,
            wanted.repo,
            wanted.docker_image,
            wanted.is_benchmark,
            timestamps.to_string(timestamps.now()),
            project.number,
        ),
    )
    return by_number(connection, project.number)


def rename(connection: sqlite3.Connection, project: Project, name: str) -> Project:
    """Rename a project. Needs a write transaction."""
    if find(connection, project.entity_name, name) is not None:
        raise RequestError(f"a project named {name!r} exists already")
    check_name(name, what="project name")
    connection.execute("UPDATE projects SET name = ? WHERE id = ?", (name, project.number))
    return by_number(connection, project.number)


def _project(row: sqlite3.Row) -> Project:
    return Project(
        number=row["id"],
        entity_number=row["entity_id"],
        entity_name=row["entity_name"],
        name=row["name"],
        user_number=row["user_id"],
        description=row["description"],
        access=row["access"],
        views=row["views"],
        repo=row["repo"],
        docker_image=row["docker_image"],
        is_benchmark=bool(row["is_benchmark"]),
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
