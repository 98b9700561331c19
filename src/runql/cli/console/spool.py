"""What waits until all of it was read: in memory while it is small, then in a file that has no name."""

from __future__ import annotations

# Only `Spool` writes what it reads.
import pickle  # nosec B403
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from tempfile import SpooledTemporaryFile, gettempdir
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

from runql.errors import LocalFileError

T = TypeVar("T")

MOST_IN_MEMORY: Final = 1 << 24
"""Bytes."""


class Spool(Generic[T]):
    """Pieces, to be read once all of them are there; it is empty once the ``with`` block ends, however that ends."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile[bytes](max_size=MOST_IN_MEMORY)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, piece: T) -> None:
        """Keep a piece.

        Raises:
            LocalFileError: the folder of temporary files is full.
        """
        with temporary_file_errors():
            pickle.dump(piece, self._file, pickle.HIGHEST_PROTOCOL)

    def __iter__(self) -> Iterator[T]:
        self._file.seek(0)
        while True:
            try:
                # Nobody else can write the file: it has no name.
                piece: T = pickle.load(self._file)  # noqa: S301 # nosec B301
            except EOFError:
                return
            yield piece


@contextmanager
def temporary_file_errors() -> Generator[None]:
    """Say where the file is that cannot be written.

    Raises:
        LocalFileError: in place of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise LocalFileError(f"cannot keep rows in {gettempdir()}", error) from error
