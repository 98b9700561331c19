"""`runql ls`: projects, runs, artifacts, files and sweeps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

import typer

from runql.cli.console.failures import AskedWronglyError, help_end, reporting
from runql.cli.console.plain import say
from runql.cli.console.progress import OpenBar, bar, counted
from runql.cli.console.rows import ForceOption, FormatOption, OutputOption, checked_format, write_rows
from runql.cli.console.session import BaseUrlOption, session
from runql.cli.filter_language import parse_filter
from runql.cli.reading.columns import (
    ARTIFACTS,
    COLLECTIONS,
    FILES,
    FULL_ONLY,
    PROJECTS,
    RUNS,
    SWEEPS,
    Selection,
)
from runql.cli.reading.orders import server_order
from runql.cli.reading.places import Place, parse_place
from runql.filters import Filter
from runql.paths import ProjectAddress, parse_project_path
from runql.quick_dataclasses import dataclass
from runql.transport.files.bodies import Progress
from runql.values import JSONValue

if TYPE_CHECKING:
    from runql.resources.api import Api
    from runql.resources.artifacts.artifact import Artifact
    from runql.resources.artifacts.collections.collection import ArtifactCollection
    from runql.resources.runs.runs import Runs
    from runql.resources.sweeps.sweep import Sweep

T = TypeVar("T")

DEFAULT_ORDER: Final = "+created_at"
LIGHT_PAGE: Final = 200
"""Runs a request where neither config nor summary is shown."""

HELP_END: Final = help_end(
    "runql ls team",
    "runql ls team/digits --order -summary.acc --limit 5 --columns state,config.lr,summary.acc",
    """runql ls team/digits --filter '{"state": "finished"}' --format jsonl""",
    "runql ls team/digits --columns 'id,config.*,summary.*' -o runs.parquet",
    "runql ls team/digits/1a2b3c --files",
)


def ls(
    path: Annotated[
        str | None,
        typer.Argument(
            help="ENTITY lists its projects, ENTITY/PROJECT its runs; by default WANDB_PROJECT, else your projects",
            show_default=False,
        ),
    ] = None,
    artifacts: Annotated[
        bool,
        typer.Option(
            "--artifacts", help="list a project's artifacts, or those that a run wrote; off by default"
        ),
    ] = False,
    files: Annotated[
        bool,
        typer.Option(
            "--files", help="list the files of a run, or of an artifact NAME:VERSION; off by default"
        ),
    ] = False,
    sweeps: Annotated[bool, typer.Option("--sweeps", help="list a project's sweeps; off by default")] = False,
    filter_text: Annotated[
        str | None,
        typer.Option(
            "--filter", metavar="FILTER", help="only runs that match; by default all", show_default=False
        ),
    ] = None,
    order: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="sort runs, as in `--order -summary.acc`, highest first; by default oldest first",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="at most so many; by default all", show_default=False),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAMES",
            help="such as state,config.lr,summary.acc; config.* for every entry; by default a few",
            show_default=False,
        ),
    ] = None,
    format: FormatOption = None,  # noqa: A002 - the option's name
    output: OutputOption = None,
    force: ForceOption = False,
    base_url: BaseUrlOption = None,
) -> None:
    """List runs or projects, artifacts, files or sweeps."""
    with reporting("ls"):
        place = None if path is None else parse_place(path)
        what = _subject(artifacts=artifacts, files=files, sweeps=sweeps)
        query = _Query(
            parse_filter(filter_text) if filter_text is not None else None,
            server_order(order) if order is not None else None,
            limit,
            columns,
        )
        chosen = checked_format(format, output, force=force)
        with session(base_url) as api:
            listing = _listing(api, place, what, query)
            rows = listing.rows(partial(bar, "ls", "items", chosen, output))
            write_rows(rows, listing.columns, chosen, output, force=force)


@dataclass(frozen=True)
class _Query:
    """What to list, as the options say."""

    filters: Filter | None
    order: str | None
    limit: int | None
    columns: Sequence[str] | None


class _Listing:
    """What is listed: rows, and the columns in order, or None where the rows decide."""

    def __init__(self, selection: Selection[T], read: Callable[[Progress | None], Iterable[T]]) -> None:
        self.columns: Sequence[str] | None = selection.fixed
        self.rows: Callable[[OpenBar], Iterator[Mapping[str, JSONValue]]] = partial(_rows, selection, read)


def _rows(
    selection: Selection[T], read: Callable[[Progress | None], Iterable[T]], bar: OpenBar
) -> Iterator[Mapping[str, JSONValue]]:
    # A generator: nothing is sent before the first row is needed.
    unseen, is_empty = set(selection.entries), True
    with bar() as report:
        for item in read(report):
            is_empty = False
            row = selection.row(item)
            unseen = {name for name in unseen if row[name] is None}
            yield row
    if is_empty:
        say("runql ls: there is nothing to list")
    elif unseen:
        say(f"runql ls: nothing that is listed has {', '.join(sorted(unseen))}: check the spelling")


def _subject(*, artifacts: bool, files: bool, sweeps: bool) -> str | None:
    options = {"artifacts": artifacts, "files": files, "sweeps": sweeps}
    asked = [name for name, is_asked in options.items() if is_asked]
    if len(asked) > 1:
        raise AskedWronglyError(f"give one of {' and '.join(f'--{name}' for name in asked)}, not both")
    return asked[0] if asked else None


def _listing(api: Api, place: Place | None, what: str | None, query: _Query) -> _Listing:
    kind = _default_kind(api) if place is None else place.kind
    path = "" if place is None else place.path
    limit, columns = query.limit, query.columns
    lists_runs = what is None and kind in {"project", "sweep"}
    if not lists_runs and not (query.filters is None and query.order is None):
        raise AskedWronglyError(
            "--filter and --order are for runs: give ENTITY/PROJECT" + (f", without --{what}" if what else "")
        )
    match kind, what:
        case "entity", None:
            return _Listing(
                PROJECTS.select(columns), _counting(lambda: api.projects(path or None, limit=limit), limit)
            )
        case "project" | "sweep", None:
            selection = RUNS.select(columns)
            read = _runs if kind == "project" else _sweep_runs
            light = not selection.needs(FULL_ONLY)
            return _Listing(
                selection, lambda report: read(api, path, query, light=light, progress=report or False)
            )
        case "project", "artifacts":
            return _Listing(
                COLLECTIONS.select(columns), _counting(lambda: _collections(api, path, limit), limit)
            )
        case "project", "sweeps":
            return _Listing(SWEEPS.select(columns), _counting(lambda: _sweeps(api, path, limit), limit))
        case "run", "artifacts":
            return _Listing(
                ARTIFACTS.select(columns),
                _counting(lambda: api.run(path).logged_artifacts(limit=limit), limit),
            )
        case "run", "files":
            return _Listing(FILES.select(columns), _counting(lambda: api.run(path).files(limit=limit), limit))
        case "artifact", "artifacts":
            return _Listing(ARTIFACTS.select(columns), _counting(lambda: _versions(api, path, limit), limit))
        case "artifact", "files" | None:
            return _Listing(
                FILES.select(columns), _counting(lambda: api.artifact(path).files(limit=limit), limit)
            )
        case "run", None:
            raise AskedWronglyError(f"{path} is a run: give --files or --artifacts, or use `runql show`")
        case _:
            article = "an" if kind[0] in "ae" else "a"
            raise AskedWronglyError(f"--{what} is not for {article} {kind}: {_NEEDS[what or 'sweeps']}")


def _counting(read: Callable[[], Iterable[T]], limit: int | None) -> Callable[[Progress | None], Iterable[T]]:
    """Return what reads and reports, for lists that do not report by themselves."""
    return lambda report: counted(read(), report, limit)


_NEEDS: Final = {
    "artifacts": "give ENTITY/PROJECT, a run or an artifact",
    "files": "give a run, ENTITY/PROJECT/ID, or an artifact, ENTITY/PROJECT/NAME:VERSION",
    "sweeps": "give ENTITY/PROJECT",
}


def _default_kind(api: Api) -> str:
    return "project" if api.settings.project else "entity"


def _runs(api: Api, path: str, query: _Query, *, light: bool, progress: Progress | bool) -> Runs:
    order = query.order or DEFAULT_ORDER
    # An order by a key that no run has means nothing, so it is an error; only full pages show it.
    by_value = order[1:].startswith(("config.", "summary_metrics."))
    if light and not by_value:
        return api.runs(
            path or None,
            query.filters,
            order,
            LIGHT_PAGE,
            lazy=True,
            limit=query.limit,
            progress=progress,
        )
    return api.runs(
        path or None,
        query.filters,
        order,
        limit=query.limit,
        missing="raise" if by_value else "last",
        progress=progress,
    )


def _sweep_runs(api: Api, path: str, query: _Query, *, light: bool, progress: Progress | bool) -> Runs:
    sweep = api.sweep(path)
    of_sweep = Filter({"sweep": sweep.id})
    filters = of_sweep if query.filters is None else of_sweep & query.filters
    return _runs(
        api, "/".join(sweep.path[:2]), replace(query, filters=filters), light=light, progress=progress
    )


def _project(api: Api, path: str) -> ProjectAddress:
    asked = parse_project_path(path)
    entity = asked.entity or api.default_entity
    if not entity:
        raise AskedWronglyError("the path names no entity: give ENTITY/PROJECT, or set WANDB_ENTITY")
    return asked.resolve(entity=entity, project=api.settings.project)


def _sweeps(api: Api, path: str, limit: int | None) -> Iterable[Sweep]:
    from runql.resources.sweeps.sweeps import Sweeps  # noqa: PLC0415 - only where they are listed

    home = _project(api, path)
    return Sweeps(api.client, home.entity, home.project, limit=limit)


def _collections(api: Api, path: str, limit: int | None) -> Iterable[ArtifactCollection]:
    from runql.resources.artifacts.collections import collection  # noqa: PLC0415 - only where it is listed

    home = _project(api, path)
    return collection.ProjectArtifactCollections(api.client, home.entity, home.project, limit=limit)


def _versions(api: Api, path: str, limit: int | None) -> Iterable[Artifact]:
    artifact = api.artifact(path)
    collection = f"{artifact.entity}/{artifact.project}/{artifact.collection_name}"
    return api.artifacts(artifact.type, collection, limit=limit)
