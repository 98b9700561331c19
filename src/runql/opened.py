"""`runql.open`: a folder of `.wandb` files, or an archive, read through an embedded server."""

from __future__ import annotations

import errno
import os
import warnings
from contextlib import AbstractContextManager
from importlib.metadata import entry_points
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from runql.archive.importing.opening import HostFunction, OpenedArchive, is_archive, open_archive
from runql.bars import reported
from runql.callers import level_outside_runql
from runql.errors import LocalFileError, MissingExtraError, RunqlError
from runql.resources.api import Api, AsyncApi
from runql.transport.files.bodies import Progress


class OfflineRunsWarning(UserWarning):
    """A file of offline runs is cut or damaged, or a part of a run or archive is missing; the message says which."""


class _OpenedFolder(Protocol):
    """What the server's entry point `open` gives inside its block."""

    url: str
    api_key: str

    def run_paths(self) -> list[str]: ...
    def problems(self) -> list[str]: ...
    def refresh(self) -> bool: ...
    def page_link(self, path: str = "/") -> str: ...


class _OpenFunction(Protocol):
    """The server's entry point `open`."""

    def __call__(
        self, path: Path, *, data_dir: Path | None, follow: bool, port: int
    ) -> AbstractContextManager[_OpenedFolder]: ...


class OpenedRuns:
    """Offline runs or an archive, served by an embedded server until `close`. `runql.open` makes it.

    Attributes:
        api: reads the runs; it can change nothing.
        async_api: the same for the async client; ``async with runql.open(...)`` closes it, too.
        url: the server's URL, on loopback.
    """

    def __init__(self, context: AbstractContextManager[_OpenedFolder], opened: _OpenedFolder) -> None:
        self._context: AbstractContextManager[_OpenedFolder] | None = context
        self._opened = opened
        self.url: str = opened.url
        home = opened.home if isinstance(opened, OpenedArchive) else _common(opened.run_paths())
        entity, project = home
        overrides = {"entity": entity, "project": project}
        self.api: Api = Api(overrides, api_key=opened.api_key, base_url=opened.url)
        self.async_api: AsyncApi = AsyncApi(overrides, api_key=opened.api_key, base_url=opened.url)

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of the runs, ``entity/project/id``, in the order of their starts. Sends no request."""
        return tuple(self._opened.run_paths())

    @property
    def problems(self) -> tuple[str, ...]:
        """What could not be read so far, one sentence each: cut or damaged files, missing parts. Sends no request."""
        return tuple(self._opened.problems())

    def refresh(self) -> bool:
        """Read what running processes wrote since the last time, and return whether there was anything.

        A thread does so once a second, unless ``follow=False``. Of an archive there is never anything.

        Requests: none.
        """
        return self._opened.refresh()

    def page_link(self, path: str = "/") -> str:
        """Return a link that opens a page in a browser, once, such as ``page_link("/local/digits")``.

        Requests: none.
        """
        return self._opened.page_link(path)

    def close(self) -> None:
        """Stop the server, and remove its temporary directory. A second call does nothing."""
        self.api.close()
        context, self._context = self._context, None
        if context is not None:
            context.__exit__(None, None, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.async_api.close()
        self.close()

    def __repr__(self) -> str:
        return f"<OpenedRuns {self.url}, {len(self.paths)} runs>"


def open(  # noqa: A001 - `runql.open`, as `gzip.open`
    path: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    follow: bool = True,
    port: int = 0,
    progress: Progress | bool | None = None,
) -> OpenedRuns:
    """Read offline runs, or an archive of ``runql export``, as if a server had them::

        with runql.open("./wandb") as opened:
            for run in opened.api.runs():
                print(run.name, run.summary.get("loss"))

    An embedded server on loopback reads the files and serves them, also as pages (`OpenedRuns.page_link`). Nothing is
    written below ``path``. Offline runs are those that ``wandb sync`` would upload; those that are still written are
    followed. An archive is checked by its digests, and its entity and project are those of the source.

    Args:
        path: a ``.wandb`` file, a run's folder, the folder ``wandb`` with many runs, or an archive's folder.
        data_dir: a folder that keeps what was read; the next call reads only runs that changed, and an archive not
            again. A temporary one by default.
        follow: whether to read on, once a second, what running processes write.
        port: the port to serve at; 0 for a free one.
        progress: called with the runs of an archive that are read and their total. True draws a bar, False none; by
            default one comes by itself, see `runql.progress_bar`.

    Raises:
        ArchiveError: the archive is damaged, or has changed since ``data_dir`` was filled.
        LocalFileError: there is no such path, it holds no run that can be read, or ``data_dir`` or ``port`` cannot be
            used.
        MissingExtraError: the extra ``server`` is not installed, or ``offline`` for offline runs, or ``arrow`` for an
            archive.

    A file that is cut or damaged gives what is whole before that place, and warns with `OfflineRunsWarning`, as does an
    archive that lacks a part.
    """
    folder = _checked(path, "path")
    kept = None if data_dir is None else _checked(data_dir, "data_dir")
    with reported(progress, "open", "runs") as report:
        context, opened = _entered(folder, kept, follow, port, report)
    try:
        made = OpenedRuns(context, opened)
        for problem in made.problems:
            warnings.warn(OfflineRunsWarning(problem), stacklevel=level_outside_runql())
    except BaseException:
        # Such as a warning that a filter turned into an error.
        context.__exit__(None, None, None)
        raise
    return made


def _entered(
    folder: Path, data_dir: Path | None, follow: bool, port: int, report: Progress | None
) -> tuple[AbstractContextManager[_OpenedFolder], _OpenedFolder]:
    is_one = is_archive(folder)
    extra = "server" if is_one else "server,offline"
    try:
        context = (
            open_archive(folder, _host_function(), data_dir=data_dir, port=port, report=report)
            if is_one
            else _open_function()(folder, data_dir=data_dir, follow=follow, port=port)
        )
        return context, context.__enter__()
    except RunqlError:
        raise
    except ImportError as error:
        raise _missing(error, extra) from error
    except (OSError, ValueError) as error:
        reason = error if isinstance(error, OSError) else OSError(errno.EINVAL, str(error))
        raise LocalFileError(f"runql cannot open {folder if is_one else 'offline runs'}", reason) from error


def _checked(path: object, name: str) -> Path:
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"{name} of runql.open must be a str or a path, not {type(path).__name__}")
    written = os.fspath(path)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - of str or bytes
    if not isinstance(written, str) or not written or "\0" in written:
        raise ValueError(f"{name} of runql.open must name a file or folder, not {written!r}")
    return Path(written)


def _open_function() -> _OpenFunction:
    found: _OpenFunction = _of_server("open", "server,offline")
    return found


def _host_function() -> HostFunction:
    found: HostFunction = _of_server("host", "server")
    return found


def _of_server(name: str, extra: str) -> Any:  # Any: the caller names its type
    # The client never imports the server: it finds it by this name.
    for point in entry_points(group="runql.server", name=name):
        return point.load()
    raise MissingExtraError("the embedded server", extra=extra, needed_for="runql.open")


def _missing(error: ImportError, extra: str) -> MissingExtraError:
    library = error.name or "a library"
    is_protobuf = library.startswith("google")
    return MissingExtraError(
        "protobuf" if is_protobuf else library,
        extra="offline" if is_protobuf else extra,
        needed_for="runql.open",
    )


def _common(paths: list[str]) -> tuple[str | None, str | None]:
    """Return the entity and the project of the runs, each where all have the same."""
    entities = {path.split("/")[0] for path in paths}
    projects = {path.split("/")[1] for path in paths}
    return (
        entities.pop() if len(entities) == 1 else None,
        projects.pop() if len(projects) == 1 else None,
    )
