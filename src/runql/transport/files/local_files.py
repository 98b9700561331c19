"""Local files: their digests, their folders, and atomic writes and copies."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

from runql.errors import LocalFileError
from runql.transport.files.bodies import CHUNK, Hash, new_md5
from runql.transport.files.part_file import PartFile


def digest_of(path: Path, new_hash: Callable[[], Hash] = new_md5) -> str:
    """Return the digest of a file's bytes in base64.

    Raises:
        LocalFileError: the file cannot be read.
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
    """Create a folder, and its missing parents.

    Raises:
        LocalFileError: it cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LocalFileError(f"cannot create the folder {folder}", error) from error


def copy_file(source: Path, target: Path) -> None:
    """Copy a file atomically.

    Raises:
        LocalFileError: the source cannot be read, or the target not written.
    """
    try:
        with source.open("rb") as file:
            write_atomically(target, lambda: file.read(CHUNK))
    except OSError as error:
        raise LocalFileError(f"cannot copy {source} to {target}", error) from error


def write_atomically(target: Path, read: Callable[[], bytes]) -> None:
    """Write the chunks that ``read`` returns until it returns none; the target changes only when all are written.

    Raises:
        OSError: the target cannot be written.
    """
    part = PartFile(target)
    try:
        while chunk := read():
            part.write(chunk)
        part.publish()
    except BaseException:
        part.discard()
        raise
