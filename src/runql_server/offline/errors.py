"""Errors of reading offline runs; each message says which file, where, and what to do."""

from __future__ import annotations

from pathlib import Path


class OfflineFileError(ValueError):
    """A path that holds no readable offline run.

    Attributes:
        path: the file or folder.
    """

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path: Path = path
