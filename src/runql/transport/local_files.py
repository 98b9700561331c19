"""Local files: what they hold, and copying one so that it appears whole or not at all."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

from runql.errors import LocalFileError
from runql.transport.bodies import CHUNK, Hash, new_md5
from runql.transport.part_file import PartFile


def digest_of(path: Path, new_hash: Callable[[], Hash] = new_md5) -> str:
    """The digest of a file's bytes in base64.

    Raises:
        LocalFileError: it cannot be read.
    """
    found = new_hash()
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                found.update(chunk)
    except OSError as error:
        raise LocalFileError(f"cannot read {path}", error) from error
    return base64.b64encode(found.digest()).decode("ascii")


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, where they are missing.

    Raises:
        LocalFileError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LocalFileError(f"cannot make the folder {folder}", error) from error


def copy_file(source: Path, target: Path) -> None:
    """Copy a file; the target holds what it held before, or all of the source.

    Raises:
        LocalFileError: one cannot be read, or the other not written.
    """
    try:
        with source.open("rb") as file:
            write_atomically(target, lambda: file.read(CHUNK))
    except OSError as error:
        raise LocalFileError(f"cannot copy {source} to {target}", error) from error


def write_atomically(target: Path, read: Callable[[], bytes]) -> None:
    """Write what ``read`` gives until it gives nothing; the target holds what it held before, or all of it.

    Raises:
        OSError: the disk did not take it.
    """
    part = PartFile(target)
    try:
        while chunk := read():
            part.write(chunk)
        part.publish()
    except BaseException:
        part.discard()
        raise
