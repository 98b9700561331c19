"""Archives on an embedded server of this process: imported into its data directory, then read."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from runql.archive import layout
from runql.archive.archive import Archive, ArchiveReader
from runql.archive.errors import ArchiveError
from runql.arguments import shown
from runql.errors import PathError
from runql.paths import LONGEST_NAME, ProjectAddress, RunAddress, parse_project_path
from runql.resources.api import Api
from runql.transport.files.bodies import Progress

if TYPE_CHECKING:
    from runql.archive.importing.report import ImportReport

SERVER: Final = "the data directory"
"""In place of a URL, whose port differs from call to call."""


class HostedDirectory(Protocol):
    """What the server's entry point `host` gives inside its block."""

    url: str
    data_dir: Path
    write_key: str
    read_key: str

    def page_link(self, path: str = "/") -> str: ...
    def set_times(self, project: str, times: Iterable[tuple[str, str, str]]) -> None: ...


class HostFunction(Protocol):
    """The server's entry point `host`."""

    def __call__(
        self, data_dir: Path | None, *, user: str, port: int
    ) -> AbstractContextManager[HostedDirectory]: ...


class OpenedArchive:
    """An archive, served by an embedded server.

    Attributes:
        url: base URL, on loopback.
        api_key: a key that can only read.
        home: entity and project.
    """

    def __init__(self, hosted: HostedDirectory, archive: ArchiveReader, report: ImportReport) -> None:
        source = archive.manifest.source
        self.url: str = hosted.url
        self.api_key: str = hosted.read_key
        self.home: tuple[str, str] = (source.entity, source.project)
        self._hosted = hosted
        self._paths = [f"{source.entity}/{source.project}/{run['id']}" for run in archive.runs()]
        self._problems = list(report.left_out)

    def run_paths(self) -> list[str]:
        """List the runs as ``entity/project/id``, oldest first."""
        return list(self._paths)

    def problems(self) -> list[str]:
        """List what is missing, one sentence each."""
        return list(self._problems)

    def refresh(self) -> bool:
        """Return False: an archive is whole when it is opened."""
        return False

    def page_link(self, path: str = "/") -> str:
        """Return a link to a page that signs a browser in; it works once."""
        return self._hosted.page_link(path)


def is_archive(path: Path) -> bool:
    """Whether a folder holds an archive, or an export to it was interrupted."""
    return any((path / name).is_file() for name in (layout.MANIFEST, layout.JOURNAL))


@contextmanager
def open_archive(
    folder: Path, host: HostFunction, *, data_dir: Path | None, port: int, report: Progress | None
) -> Generator[OpenedArchive]:
    """Serve an archive inside the block, from a temporary directory or a kept ``data_dir``.

    Nothing is written below ``folder``. A ``data_dir`` that holds the archive already is not filled again.

    Raises:
        ArchiveError: the archive is damaged, or ``data_dir`` holds another one of that project.
        LocalFileError: a file cannot be read or written.
        OSError: ``data_dir`` or the port cannot be used.
    """
    archive = Archive(folder)
    reader = ArchiveReader(archive)
    source = reader.manifest.source
    _check_names(folder, source.entity, source.project)
    if data_dir is not None and data_dir.resolve().is_relative_to(folder.resolve()):
        raise ArchiveError(f"data_dir {data_dir} lies in the archive {folder}: name a folder outside")
    # Before a server starts or a folder is made.
    archive.verify()
    reader.check()
    from runql.archive.importing.project import (  # noqa: PLC0415 - it imports pyarrow
        Destination,
        ProjectImport,
    )

    with ExitStack() as stack:
        try:
            hosted = stack.enter_context(host(data_dir, user=source.entity, port=port))
        except ValueError as error:
            raise ArchiveError(
                f"{folder / layout.MANIFEST} names an entity that can be none: {error}"
            ) from error
        destination = Destination(
            SERVER,
            RunAddress(source.entity, source.project, ""),
            hosted.data_dir,
            if_taken="name another data_dir",
            if_other="the archive has changed since then. Name another data_dir, or remove this one",
        )
        defaults = {"entity": source.entity, "project": source.project}
        with Api(defaults, api_key=hosted.write_key, base_url=hosted.url) as api:
            done = api.client.run(ProjectImport(destination, archive, is_checked=True, report=report).run())
        hosted.set_times(source.project, _times(reader))
        yield OpenedArchive(hosted, reader, done)


def _times(reader: ArchiveReader) -> Iterable[tuple[str, str, str]]:
    for run in reader.runs():
        created, heartbeat = run.get("created_at"), run.get("heartbeat_at")
        if isinstance(created, str):
            yield str(run["id"]), created, heartbeat if isinstance(heartbeat, str) else created


def _check_names(folder: Path, entity: str, project: str) -> None:
    try:
        is_usable = parse_project_path(str(ProjectAddress(entity, project))).entity == entity
    except PathError:
        is_usable = False
    if not is_usable or any(
        name in {".", ".."} or "/" in name or len(name) > LONGEST_NAME for name in (entity, project)
    ):
        raise ArchiveError(
            f"{folder / layout.MANIFEST} names the entity {shown(entity)} and the project {shown(project)}, which can be no project"
        )
