"""Paths of runs, projects, sweeps and artifacts: parsing them, and the URLs of their web pages."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias
from urllib.parse import quote, unquote, urlsplit

from runql.errors import PathError
from runql.hosts import app_path_prefix
from runql.quick_dataclasses import dataclass

DEFAULT_PROJECT = "uncategorized"

_RUN_FORMS = (
    "entity/project/id, project/id, id, entity/project:id, entity/project/runs/id, "
    "or the run's URL, https://wandb.ai/entity/project/runs/id"
)
_PROJECT_FORMS = "entity/project, project, or the project's URL, https://wandb.ai/entity/project"
_ARTIFACT_FORMS = (
    "entity/project/collection:version, project/collection:version, collection:version (a version such as v3 or an alias; "
    "latest without one), or the version's URL, https://wandb.ai/entity/project/artifacts/type/collection/version"
)
_MARKERS = ("runs", "sweeps")
LATEST = "latest"
LONGEST_NAME = 128

PathKind: TypeAlias = Literal["project", "run", "sweep"]

# Control characters cannot be part of a name; halves of a surrogate pair cannot be written as UTF-8.
_NEVER_IN_NAMES = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class RunAddress:
    """A run's entity, project and id."""

    entity: str
    project: str
    run_id: str

    def __str__(self) -> str:
        return str(RunPath(self.entity, self.project, self.run_id))


@dataclass(frozen=True, slots=True)
class RunPath:
    """A run's path as the caller wrote it; None for parts that it leaves to a default.

    ``str()`` gives a path that `parse_run_path` reads back to an equal value.
    """

    entity: str | None
    project: str | None
    run_id: str

    def __post_init__(self) -> None:
        if self.entity is not None and self.project is None:
            raise PathError(f"no path names an entity and a run without a project: use {_RUN_FORMS}")

    def __str__(self) -> str:
        # A project called `runs` would read as the marker, so the marker is written out before the id.
        marker = "runs" if self.project in _MARKERS else None
        return _join_quoted(self.entity, self.project, marker, self.run_id)

    def resolve(self, *, entity: str, project: str | None = None) -> RunAddress:
        """Fill in the parts that the path leaves out.

        Args:
            entity: the default entity.
            project: the default project; None means ``uncategorized``, as in the official SDK.
        """
        return RunAddress(self.entity or entity, self.project or project or DEFAULT_PROJECT, self.run_id)


@dataclass(frozen=True, slots=True)
class ProjectAddress:
    """A project's entity and name."""

    entity: str
    project: str

    def __str__(self) -> str:
        return _join_quoted(self.entity, self.project)


@dataclass(frozen=True, slots=True)
class ProjectPath:
    """A project's path as the caller wrote it; None for parts that it leaves to a default.

    ``str()`` gives a path that `parse_project_path` reads back to an equal value.
    """

    entity: str | None
    project: str | None

    def __post_init__(self) -> None:
        if self.entity is not None and self.project is None:
            raise PathError(f"an entity alone names no project: use {_PROJECT_FORMS}")

    def __str__(self) -> str:
        return _join_quoted(self.entity, self.project)

    def resolve(self, *, entity: str, project: str | None = None) -> ProjectAddress:
        """Fill in the parts that the path leaves out, with the defaults of `RunPath.resolve`."""
        return ProjectAddress(self.entity or entity, self.project or project or DEFAULT_PROJECT)


@dataclass(frozen=True, slots=True)
class ArtifactPath:
    """An artifact version's path as the caller wrote it; None for parts that it leaves to a default.

    ``str()`` gives a path that `parse_artifact_path` reads back to an equal value.
    """

    entity: str | None
    project: str | None
    collection: str
    version: str = LATEST

    def __post_init__(self) -> None:
        if self.entity is not None and self.project is None:
            raise PathError(
                f"no path names an entity and an artifact without a project: use {_ARTIFACT_FORMS}"
            )

    def __str__(self) -> str:
        return f"{_join_quoted(self.entity, self.project, self.collection)}:{quote_part(self.version)}"

    def resolve(self, *, entity: str, project: str | None = None) -> ArtifactAddress:
        """Fill in the parts that the path leaves out, with the defaults of `RunPath.resolve`."""
        home = self.project or project or DEFAULT_PROJECT
        return ArtifactAddress(self.entity or entity, home, self.collection, self.version)


@dataclass(frozen=True, slots=True)
class ArtifactAddress:
    """An artifact version's entity, project, collection, and version such as ``v3`` or an alias."""

    entity: str
    project: str
    collection: str
    version: str

    @property
    def name(self) -> str:
        """``collection:version``, as the server expects it."""
        return f"{self.collection}:{self.version}"

    @property
    def qualified_name(self) -> str:
        """``entity/project/collection:version``, as people write it."""
        return f"{self.entity}/{self.project}/{self.name}"


def parse_run_path(path: str) -> RunPath:
    """Parse the path of a run or a sweep.

    Valid forms are ``entity/project/id``, ``project/id``, ``id``, ``entity/project:id``, and the URL of the run's page
    or one of its tabs. ``runs`` or ``sweeps`` may stand before the id, and a slash at either end. Parts may be
    percent-quoted, like those of ``Run.path``. So ``a/runs/b`` is run ``b`` of project ``a``; a project that is itself
    called ``runs`` is written ``entity/runs/runs/id``.

    Raises:
        PathError: the path has none of these forms.
        TypeError: the path is no str.
    """
    _check_str(path, _RUN_FORMS)
    parts = _url_parts(path, _RUN_FORMS)
    if parts is None:
        parts = _plain_run_parts(path)
    elif len(parts) >= 4 and parts[2] in _MARKERS:
        parts = [*parts[:2], parts[3]]  # what follows the id is a tab of the run's page, such as /logs
    else:
        raise _error(path, "this URL has no /entity/project/runs/id", _RUN_FORMS)
    if len(parts) > 3:
        raise _error(path, "it has too many parts", _RUN_FORMS)
    names = [_name(path, part, _RUN_FORMS) for part in parts]
    return RunPath(
        entity=names[0] if len(names) == 3 else None,
        project=names[-2] if len(names) >= 2 else None,
        run_id=names[-1],
    )


def parse_project_path(path: str | None) -> ProjectPath:
    """Parse the path of a project.

    Valid forms are ``entity/project``, ``project``, and the URL of the project's page or one of its tabs. None and an
    empty str mean the defaults. Parts may be percent-quoted.

    Raises:
        PathError: the path has none of these forms.
        TypeError: the path is neither None nor a str.
    """
    if path is None or path == "":
        return ProjectPath(None, None)
    _check_str(path, _PROJECT_FORMS)
    parts = _url_parts(path, _PROJECT_FORMS)
    if parts is None:
        parts = _without_outer_slashes(path).split("/")
        if len(parts) > 2 or ":" in parts[-1]:
            raise _error(path, "it has too many parts", _PROJECT_FORMS)
    elif len(parts) in {2, 3}:
        parts = parts[:2]  # a third part is a tab of the project's page, such as /workspace
    else:
        raise _error(path, "this URL has no /entity/project, or goes on beyond it", _PROJECT_FORMS)
    names = [_name(path, part, _PROJECT_FORMS) for part in parts]
    return ProjectPath(entity=names[0] if len(names) == 2 else None, project=names[-1])


def path_kind(path: str) -> PathKind:
    """Return the kind of object that a path names, by its form; the parser of that kind checks the rest.

    Raises:
        PathError: it names a report.
        TypeError: the path is no str.
    """
    forms = f"{_PROJECT_FORMS}; {_RUN_FORMS}; entity/project/sweeps/id"
    _check_str(path, forms)
    url_parts = _url_parts(path, forms)
    parts = _without_outer_slashes(path).split("/") if url_parts is None else url_parts
    # A path that is no URL may leave out the entity: `project/sweeps/id`.
    marker = parts[2] if len(parts) > 3 else parts[1] if len(parts) == 3 and url_parts is None else ""
    if len(parts) > 3 and marker.startswith("report"):
        raise _error(path, "it names a report, and runql reads no reports", forms)
    if marker == "sweeps":
        return "sweep"
    is_project = len(parts) < 3 and ":" not in parts[-1] if url_parts is None else len(parts) < 4
    return "project" if is_project else "run"


def checked_project_name(name: str) -> str:
    """Check the name of a project to create, and return it.

    Raises:
        PathError: no project can have this name.
        TypeError: it is no str.
    """
    if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance] — callers may be untyped
        raise TypeError(f"name must be a str, not {type(name).__name__}")
    if not is_name(name) or len(name) > LONGEST_NAME or re.search(r"[/\\#?%:]", name):
        raise PathError(
            f"{name[:200]!r} cannot be a project's name: use 1 to {LONGEST_NAME} characters, without "
            "/ \\ # ? % : and control characters"
        )
    return name


def parse_artifact_path(path: str) -> ArtifactPath:
    """Parse the path of an artifact version.

    Valid forms are ``entity/project/collection:version``, ``project/collection:version``, ``collection:version``, and
    the URL of the version's page. An alias may replace the version; without both it is ``latest``. Parts may be
    percent-quoted.

    Raises:
        PathError: the path has none of these forms.
        TypeError: the path is no str.
    """
    _check_str(path, _ARTIFACT_FORMS)
    parts = _url_parts(path, _ARTIFACT_FORMS)
    version = LATEST
    if parts is None:
        whole, colon, after = path.strip(" ").partition(":")
        parts = _without_outer_slashes(whole).split("/")
        version = after if colon else LATEST
        if len(parts) > 3 or "/" in version or ":" in version:
            raise _error(path, "it has too many parts", _ARTIFACT_FORMS)
    elif len(parts) >= 5 and parts[2] == "artifacts":
        version = parts[5] if len(parts) > 5 else LATEST
        parts = [*parts[:2], parts[4]]  # what follows the version is a tab of its page, such as /files
    else:
        raise _error(path, "this URL has no /entity/project/artifacts/type/collection", _ARTIFACT_FORMS)
    names = [_name(path, part, _ARTIFACT_FORMS) for part in parts]
    return ArtifactPath(
        entity=names[0] if len(names) == 3 else None,
        project=names[-2] if len(names) >= 2 else None,
        collection=names[-1],
        version=_name(path, version, _ARTIFACT_FORMS),
    )


def quote_part(part: str) -> str:
    """Percent-quote one part of a path, including slashes."""
    # A lone surrogate, which JSON allows, has no UTF-8 form; a property must not fail on it.
    return quote(part, safe="", errors="replace")


def run_url(app_url: str, entity: str, project: str, run_id: str) -> str:
    """Return the URL of a run's page.

    Args:
        app_url: the web pages' URL, without a trailing slash.
        entity: the run's entity.
        project: the run's project.
        run_id: the run's id.
    """
    return f"{app_url}/{_join_quoted(entity, project, 'runs', run_id)}"


def project_url(app_url: str, entity: str, project: str) -> str:
    """Return the URL of a project's page; arguments as for `run_url`."""
    return f"{app_url}/{_join_quoted(entity, project, 'workspace')}"


def sweep_url(app_url: str, entity: str, project: str, sweep_id: str) -> str:
    """Return the URL of a sweep's page; arguments as for `run_url`."""
    return f"{app_url}/{_join_quoted(entity, project, 'sweeps', sweep_id)}"


def artifact_url(app_url: str, place: ArtifactAddress, type_name: str) -> str:
    """Return the URL of an artifact version's page; ``app_url`` as for `run_url`."""
    path = _join_quoted(place.entity, place.project, "artifacts", type_name, place.collection, place.version)
    return f"{app_url}/{path}"


def is_name(name: str) -> bool:
    """Whether an entity, a project or a run can have this name: it is not blank, and UTF-8 can encode it."""
    return bool(name.strip()) and name not in {".", ".."} and _NEVER_IN_NAMES.search(name) is None


def _join_quoted(*parts: str | None) -> str:
    return "/".join(quote_part(part) for part in parts if part is not None)


def _without_outer_slashes(path: str) -> str:
    return path.strip(" ").removeprefix("/").removesuffix("/")


def _plain_run_parts(path: str) -> list[str]:
    parts = path.strip(" ").removesuffix("/").split("/")
    # A marker has a slash on both sides: `runs/id` is a project called `runs`.
    marked = len(parts) > 2 and parts[-2] in _MARKERS
    if marked:
        del parts[-2]
    if len(parts) > 1 and parts[0] == "":
        del parts[0]
    project, colon, run_id = parts[-1].partition(":")
    if not colon or marked:
        return parts
    if ":" in run_id:
        raise _error(path, "it has more than one `:`", _RUN_FORMS)
    return [*parts[:-1], project, run_id]


def _url_parts(path: str, forms: str) -> list[str] | None:
    """Return the parts of a URL's path, or None when the path is no URL."""
    stripped = path.strip(" ")
    if not stripped.lower().startswith(("https://", "http://")):
        return None
    try:
        url = urlsplit(stripped)
    except ValueError as error:  # such as brackets without an IPv6 address
        raise _error(path, "this is no URL", forms) from error
    if not url.netloc:
        raise _error(path, "this URL has no host", forms)
    parts = _without_outer_slashes(url.path).split("/")
    return parts[1:] if parts[0] == app_path_prefix(url.hostname) else parts


def _check_str(path: object, forms: str) -> None:
    if not isinstance(path, str):
        raise TypeError(f"a path must be a str, not {type(path).__name__}: use {forms}")
    if _NEVER_IN_NAMES.search(path):
        raise _error(path, "it holds a control character or half a surrogate pair", forms)


def _name(path: str, part: str, forms: str) -> str:
    try:
        name = unquote(part, errors="strict")
    except UnicodeDecodeError as error:
        raise _error(path, f"{part!r} is not percent-quoted UTF-8", forms) from error
    if not is_name(name):
        raise _error(path, f"the part {part!r} is {'no name' if name.strip() else 'empty'}", forms)
    return name


def _error(path: str, reason: str, forms: str) -> PathError:
    # A URL may carry a password before its host, and an access token in its query.
    shown = re.sub("//[^/]*@", "//…@", re.split("[?#]", path)[0]) if "://" in path else path
    return PathError(f"{shown[:200]!r} cannot be read: {reason}. Valid forms are {forms}")
