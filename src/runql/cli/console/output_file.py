"""Files that a command writes: whole or not at all."""

from __future__ import annotations

import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from runql.arguments import checked_path
from runql.cli.console.failures import AskedWronglyError
from runql.errors import LocalFileError, RunqlError
from runql.transport.files.part_file import PartFile


def check_output(output: Path, *, force: bool) -> None:
    """Refuse a file that exists, before anything is sent.

    Raises:
        AskedWronglyError: it exists and ``force`` is off, or it is a folder.
        LocalFileError: it cannot be looked at.
    """
    mode = _mode(checked_path("the output file", output))
    if mode is None:
        return
    if stat.S_ISDIR(mode):
        raise AskedWronglyError(f"{output} is a folder: give a file")
    if stat.S_ISREG(mode) and not force:
        raise AskedWronglyError(f"{output} exists: give --force to replace it, or another file")


@contextmanager
def opened_output(output: Path, *, force: bool) -> Generator[BinaryIO]:
    """Open a file to write; it appears when the block ends well, and stays as it was otherwise.

    A pipe or a device is written to as it is.

    Raises:
        AskedWronglyError: as `check_output`.
        LocalFileError: the file cannot be written, such as on a full disk.
    """
    check_output(output, force=force)
    try:
        mode = _mode(output)
        if mode is not None and not stat.S_ISREG(mode):
            with output.open("wb") as device:
                yield device
            return
        # A link stays a link; the file behind it is replaced.
        part = PartFile(output.resolve())
        try:
            yield part.file
            check_output(output, force=force)
            part.publish()
        except BaseException:
            part.discard()
            raise
    except RunqlError:
        raise
    except BrokenPipeError:
        raise
    except OSError as error:
        raise LocalFileError(f"cannot write {output}", error) from error


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LocalFileError(f"cannot write {path}", error) from error
