"""Which files of a run: the question behind `Files`, the pages it is answered in, and saving all of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from runql.arguments import checked_path, positive
from runql.resources.files.names import OnUnsafe, place, unless_unstorable
from runql.resources.files.record import FileOwner, FileRecord, is_wanted, save_share
from runql.resources.pages.listing import Edge, Listing, Page, read_page
from runql.resources.records.identity import require_run
from runql.transport.bodies import Progress
from runql.transport.flow import Flow, fetch, gather
from runql.transport.shared_progress import shared_progress
from runql_graphql.fragments import FileFields, PageFields
from runql_graphql.operations import list_matching_run_files, list_run_files

T = TypeVar("T", bound=FileRecord)


@dataclass(frozen=True, slots=True)
class FileQuery:
    """A checked question for files.

    Attributes:
        owner: the run.
        names: only these; empty for all.
        per_page: files a page.
        pattern: SQL LIKE, `%` any text and `_` one character; None for all.
    """

    owner: FileOwner
    names: tuple[str, ...] = ()
    per_page: int = 50
    pattern: str | None = None

    @classmethod
    def checked(
        cls, owner: FileOwner, names: Sequence[str] | None, per_page: int, pattern: str | None
    ) -> FileQuery:
        """Check what a caller gave.

        Raises:
            ValueError: names and pattern together, ``per_page`` below 1.
            TypeError: ``names`` is one text, not a list of them.
        """
        if isinstance(names, str):
            raise TypeError(f"names must be a list of texts, not a text: names=[{names!r}]")
        if names and pattern is not None:
            raise ValueError("names and pattern cannot go together: give one of them")
        if per_page < 1:
            raise ValueError(f"per_page must be at least 1, not {per_page}")
        return cls(owner, tuple(names or ()), per_page, pattern)


class FileListing(Listing[FileFields | None, T]):
    """What has been read of a run's files; entries without bytes are left out."""

    def __init__(self, query: FileQuery, make: Callable[[FileFields], T]) -> None:
        def convert(page: Page[FileFields | None]) -> list[T]:
            return [make(node) for node in page.nodes if node is not None and node.updated_at is not None]

        super().__init__(lambda after: list_files(query, after), convert, lambda file: file.id)

    def counted(self) -> Flow[int]:
        """How many there are; reads to the end, because the server's counts are of all names that it knows."""
        yield from self.reach(None)
        return len(self.items)


class _Files(Protocol):
    @property
    def page_info(self) -> PageFields: ...

    @property
    def edges(self) -> Sequence[Edge[FileFields | None]]: ...


@dataclass(frozen=True, slots=True)
class _Uncounted:
    page_info: PageFields
    edges: Sequence[Edge[FileFields | None]]
    total_count: int = 0


def list_files(query: FileQuery, after: str | None) -> Flow[Page[FileFields | None]]:
    """One page; one request.

    Raises:
        ProjectNotFoundError: the project is absent or hidden.
        RunNotFoundError: the project holds no such run.
    """
    files = yield from (
        _named(query, after) if query.pattern is None else _matching(query, query.pattern, after)
    )
    if files is None:
        return Page[FileFields | None].empty(after)
    return read_page(_Uncounted(files.page_info, files.edges), after)


def save_all(
    owner: FileOwner,
    files: Sequence[FileRecord],
    root: str | os.PathLike[str],
    *,
    replace: bool,
    exist_ok: bool,
    max_concurrency: int,
    progress: Progress | None,
    on_unsafe: OnUnsafe,
) -> Flow[list[Path]]:
    """Fetch files, ``max_concurrency`` of them at a time; one request each. All names are checked before the first."""
    positive("max_concurrency", max_concurrency)
    placement = place(checked_path("root", root), [file.name for file in files])
    wanted = [
        (file, placement.targets[file.name])
        for file in {file.name: file for file in files}.values()
        if file.name in placement.targets
        and is_wanted(placement.targets[file.name], replace=replace, exist_ok=exist_ok)
    ]
    told = shared_progress(progress, [file.size for file, _ in wanted])
    yield from gather(
        [
            unless_unstorable(save_share(owner, file.fields, target, share), file.name, placement.refused)
            for (file, target), share in zip(wanted, told, strict=True)
        ],
        limit=max_concurrency,
        release_on_offload=True,
    )
    placement.settle(on_unsafe)
    return [*placement.arrived().values()]


def _named(query: FileQuery, after: str | None) -> Flow[_Files | None]:
    owner = query.owner
    operation = list_run_files(
        entity=owner.entity,
        project=owner.project,
        run=owner.run,
        names=list(query.names),
        first=query.per_page,
        after=after,
    )
    answer = yield from fetch(operation)
    return require_run(answer.project, owner.entity, owner.project, owner.run).files


def _matching(query: FileQuery, pattern: str, after: str | None) -> Flow[_Files | None]:
    owner = query.owner
    operation = list_matching_run_files(
        entity=owner.entity,
        project=owner.project,
        run=owner.run,
        pattern=pattern,
        first=query.per_page,
        after=after,
    )
    answer = yield from fetch(operation)
    return require_run(answer.project, owner.entity, owner.project, owner.run).files
