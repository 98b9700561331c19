"""Finds `.wandb` files: one file, a run's folder, or a folder with many runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runql_server.access import auth
from runql_server.offline.errors import OfflineFileError
from runql_server.offline.fields import seconds, text
from runql_server.offline.framing import RecordFile
from runql_server.offline.messages import UndecodableError, decode

SUFFIX: Final = ".wandb"
_LATEST: Final = "latest-run"
_FIRST_RECORDS: Final = 100
"""The run's record is the second; more than this many others before it are no run."""
DEFAULT_PROJECT: Final = "uncategorized"


@dataclass(frozen=True, order=True)
class FoundRun:
    """A file and the run that it begins; they sort by the run's start, so a resumed run follows its first part."""

    start_time: float
    path: Path
    entity: str = auth.USERNAME
    project: str = DEFAULT_PROJECT
    run_id: str = ""


def find_files(path: Path) -> list[Path]:
    """List the `.wandb` files of a path, by name.

    Raises:
        OfflineFileError: there is no such path, or no such file below it.
    """
    try:
        if path.is_file():
            return [path]
        if not path.exists():
            raise OfflineFileError(path, "there is no such file or folder")
        found = sorted(_below(path))
    except OSError as error:
        raise OfflineFileError(path, f"cannot be read: {error.strerror or error}") from error
    if not found:
        raise OfflineFileError(
            path, "holds no .wandb files: name a run's file, its folder, or the folder `wandb` with many runs"
        )
    return found


def first_run(path: Path) -> FoundRun:
    """Read the record of a file's run.

    Raises:
        OfflineFileError: the file is none of W&B's, cannot be read, or holds no run yet.
    """
    reader = RecordFile(path)
    for place, data in enumerate(reader.read()):
        try:
            record = decode(data)
        except UndecodableError as error:
            raise OfflineFileError(path, f"{error} (before byte {reader.offset})") from error
        if record.kind == "run":
            run = record.fields
            return FoundRun(
                seconds(run, "start_time") or 0.0,
                path,
                text(run, "entity") or auth.USERNAME,
                text(run, "project") or DEFAULT_PROJECT,
                text(run, "run_id"),
            )
        if place >= _FIRST_RECORDS:
            break
    stop = reader.stop
    size = path.stat().st_size
    why = f": {stop.problem} (at byte {stop.offset})" if stop.problem else ""
    raise OfflineFileError(path, f"has {size} bytes and holds no run{why}")


def _below(path: Path) -> Iterator[Path]:
    own = list(_files_in(path))
    if own:
        yield from own
        return
    for folder in path.iterdir():
        # The SDK's link to the newest run would bring that run twice.
        if folder.is_dir() and not folder.is_symlink() and folder.name != _LATEST:
            yield from _files_in(folder)
    inner = path / "wandb"
    if inner.is_dir():
        yield from _below(inner)


def _files_in(folder: Path) -> Iterator[Path]:
    return (each for each in folder.glob(f"*{SUFFIX}") if each.is_file())
