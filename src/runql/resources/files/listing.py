"""Listing a run's files page by page, and saving all of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from runql.arguments import checked_path, positive
from runql.paths import RunAddress
from runql.quick_dataclasses import dataclass
from runql.resources.files.names import OnUnsafe, place_files, skip_unstorable
from runql.resources.files.record import FileRecord, fetch_file, should_fetch
from runql.resources.files.saved import SavedFiles
from runql.resources.pages.listing import Page, UncountedListing, read_edges, require_connection
from runql.resources.records.identity import require_run
from runql.transport.files.bodies import Progress
from runql.transport.files.shared_progress import shared_progress
from runql.transport.flow import Flow, fetch, gather
from runql_graphql.fragments import FileFields
from runql_graphql.operations import list_matching_run_files, list_run_files

T = TypeVar("T", bound=FileRecord)


@dataclass(frozen=True, slots=True)
class FileQuery:
    """Checked options for listing files.

    Attributes:
        run: the run.
        names: only files with these names; empty for all.
        per_page: files a page.
        pattern: a SQL LIKE pattern, `%` for any characters and `_` for one; None for all.
    """

    run: RunAddress
    names: tuple[str, ...] = ()
    per_page: int = 50
    pattern: str | None = None

    @classmethod
    def checked(
        cls, run: RunAddress, names: Sequence[str] | None, per_page: int, pattern: str | None
    ) -> FileQuery:
        """Check the caller's arguments.

        Raises:
            ValueError: both names and a pattern are given, or ``per_page`` is below 1.
            TypeError: ``names`` is a str.
        """
        if isinstance(names, str):
            raise TypeError(f"names must be a list of str, not a str: use names=[{names!r}]")
        if names and pattern is not None:
            raise ValueError("names and pattern cannot be combined: use one of them")
        if per_page < 1:
            raise ValueError(f"per_page must be at least 1, not {per_page}")
        return cls(run, tuple(names or ()), per_page, pattern)


class FileListing(UncountedListing[FileFields, T]):
    """The pages of a run's files that have been read, without entries that have no bytes."""

    def __init__(
        self, query: FileQuery, make: Callable[[FileFields], T], *, limit: int | None = None
    ) -> None:
        def convert(page: Page[FileFields]) -> list[T]:
            return [make(node) for node in page.nodes if node.updated_at is not None]

        super().__init__(
            lambda size, after: list_files(replace(query, per_page=size), after),
            convert,
            lambda file: file.id,
            per_page=query.per_page,
            limit=limit,
        )


def list_files(query: FileQuery, after: str | None) -> Flow[Page[FileFields]]:
    """Read one page; one request.

    Raises:
        ProjectNotFoundError: the project is absent or hidden.
        RunNotFoundError: the project has no such run.
    """
    if query.pattern is None:
        return (yield from _list_named(query, after))
    return (yield from _list_matching(query, query.pattern, after))


def save_all(
    run: RunAddress,
    files: Sequence[FileRecord],
    root: str | os.PathLike[str],
    *,
    replace: bool,
    exist_ok: bool,
    max_concurrency: int,
    progress: Progress | None,
    on_unsafe: OnUnsafe,
) -> Flow[list[Path]]:
    """Save files, ``max_concurrency`` at a time; one request each. All names are checked before the first request."""
    positive("max_concurrency", max_concurrency)
    placement = place_files(checked_path("root", root), [file.name for file in files])
    wanted = [
        (file, placement.targets[file.name])
        for file in {file.name: file for file in files}.values()
        if file.name in placement.targets
        and should_fetch(placement.targets[file.name], replace=replace, exist_ok=exist_ok)
    ]
    shares = shared_progress(progress, [file.size for file, _ in wanted])
    saved = SavedFiles(file.name for file, _ in wanted)
    saving = [
        skip_unstorable(
            saved.noting(fetch_file(run, file.fields, target, share), file.name),
            file.name,
            placement.refused,
        )
        for (file, target), share in zip(wanted, shares, strict=True)
    ]
    yield from saved.explaining(gather(saving, limit=max_concurrency, release_on_offload=True))
    placement.report_refused(on_unsafe)
    return [*placement.saved().values()]


def _list_named(query: FileQuery, after: str | None) -> Flow[Page[FileFields]]:
    run = query.run
    operation = list_run_files(
        entity=run.entity,
        project=run.project,
        run=run.run_id,
        names=list(query.names),
        first=query.per_page,
        after=after,
    )
    response = yield from fetch(operation)
    found = require_run(response.project, run.entity, run.project, run.run_id)
    files = require_connection(found.files, f"the files of run {run}")
    return read_edges(files.page_info, files.edges, after)


def _list_matching(query: FileQuery, pattern: str, after: str | None) -> Flow[Page[FileFields]]:
    run = query.run
    operation = list_matching_run_files(
        entity=run.entity,
        project=run.project,
        run=run.run_id,
        pattern=pattern,
        first=query.per_page,
        after=after,
    )
    response = yield from fetch(operation)
    found = require_run(response.project, run.entity, run.project, run.run_id)
    files = require_connection(found.files, f"the files of run {run}")
    return read_edges(files.page_info, files.edges, after)
