"""Paths of commands: an entity, a project, a run, a sweep or an artifact."""

from __future__ import annotations

from typing import Literal, TypeAlias

from runql.errors import PathError
from runql.paths import parse_artifact_path, parse_project_path, parse_run_path, path_kind
from runql.quick_dataclasses import dataclass

PlaceKind: TypeAlias = Literal["entity", "project", "run", "sweep", "artifact"]


@dataclass(frozen=True)
class Place:
    """A checked path.

    Attributes:
        kind: of what.
        path: as it was given.
    """

    kind: PlaceKind
    path: str


def parse_place(path: str) -> Place:
    """Return what a path names: ``e`` an entity, ``e/p`` a project, ``e/p/id`` a run, ``e/p/sweeps/id`` a sweep,
    ``e/p/name:v3`` an artifact; or the URL of one of them.

    Raises:
        PathError: it has none of these forms.
    """
    is_url = "://" in path
    bare = path.strip("/")
    if not is_url and "/" not in bare:
        return Place("artifact" if ":" in bare else "entity", _entity(bare) if ":" not in bare else bare)
    if _names_artifact(path, is_url=is_url):
        parse_artifact_path(path)
        return Place("artifact", path)
    kind = path_kind(path)
    if kind == "project":
        parse_project_path(path)
    else:
        parse_run_path(path)
    return Place(kind, path)


def _names_artifact(path: str, *, is_url: bool) -> bool:
    parts = path.split("?", maxsplit=1)[0].split("/")
    return "artifacts" in parts[5:6] if is_url else ":" in parts[-1]


def _entity(name: str) -> str:
    if not name or not name.isprintable() or name.strip() != name:
        raise PathError(f"{name!r} names no entity: use ENTITY, or ENTITY/PROJECT")
    return name
