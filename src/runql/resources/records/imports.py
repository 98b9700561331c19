"""The part of `Api` that imports archives, and its async twin."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from runql.bars import reported
from runql.paths import parse_project_path
from runql.postponed import postponed
from runql.transport.deadlines.methods import counts_as_one_async_call, counts_as_one_call
from runql.transport.files.bodies import Progress
from runql.transport.sync import RetryingClient

if TYPE_CHECKING:
    from runql.archive.importing.report import ImportReport
    from runql.transport.aio import AsyncRetryingClient
else:
    globals().update(postponed("AsyncRetryingClient ImportReport"))


class ProjectImports(ABC):
    """The member of `Api` that imports archives."""

    client: RetryingClient

    @abstractmethod
    def _owner(self, named: str | None) -> str:
        """The entity of a path, or the default one."""

    @counts_as_one_call
    def import_project(
        self,
        folder: str | os.PathLike[str],
        path: str,
        *,
        dry_run: bool = False,
        progress: Progress | bool | None = None,
    ) -> ImportReport:
        """Write an archive of `Project.export` into a project, or go on where an interrupted call stopped.

        All files of the archive are checked first. What differs from the source is in docs/archives.md.

        Args:
            folder: of the archive; it gets a small file that notes what is done.
            path: ``entity/project`` or ``project``; created if missing.
            dry_run: check everything, and write nothing.
            progress: called with the runs that are written and their total. True draws a bar, False none; by default one
                comes by itself, see `runql.progress_bar`.

        Raises:
            ArchiveError: the archive is damaged, or the project has one of its runs or artifacts; nothing was written.
            MissingExtraError: pyarrow is not installed; raised before anything is sent.

        Requests: two a run, one for each 1,000 rows, one a file, five an artifact version, and a few more.
        """
        from runql.archive.calls import import_flow

        asked = parse_project_path(path)
        home = asked.resolve(entity=self._owner(asked.entity), project=self.client.settings.project)
        with reported(progress, "import", "runs") as report:
            return self.client.run(
                import_flow(self.client, home.entity, home.project, folder, dry_run, report)
            )


class AsyncProjectImports(ABC):
    """The async twin of `ProjectImports`."""

    client: AsyncRetryingClient

    @abstractmethod
    async def _owner(self, named: str | None) -> str:
        """The entity of a path, or the default one."""

    @counts_as_one_async_call
    async def import_project(
        self,
        folder: str | os.PathLike[str],
        path: str,
        *,
        dry_run: bool = False,
        progress: Progress | bool | None = None,
    ) -> ImportReport:
        """Write an archive of `Project.export` into a project, or go on where an interrupted call stopped.

        See `ProjectImports.import_project` for its requests and errors.
        """
        from runql.archive.calls import import_flow

        asked = parse_project_path(path)
        home = asked.resolve(entity=await self._owner(asked.entity), project=self.client.settings.project)
        with reported(progress, "import", "runs") as report:
            return await self.client.run(
                import_flow(self.client, home.entity, home.project, folder, dry_run, report)
            )
