"""Journals on a disk that becomes full: a line is whole or absent, and later ones are read."""

from __future__ import annotations

import resource
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from runql import LocalFileError
from runql.archive.journal import Journal

pytestmark = pytest.mark.posix


@contextmanager
def _full_at(size: int) -> Generator[None]:
    """Let no file of this process become larger."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("room", [0, 1, 10])
def test_a_line_that_did_not_fit_is_absent(tmp_path: Path, room: int) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path, {"what": "test"}) as journal:
        journal.note({"first": 1})
        with (
            _full_at(path.stat().st_size + room),
            pytest.raises(LocalFileError, match=r"cannot write .*File too large"),
        ):
            journal.note({"second": "a line of more than ten bytes"})
        journal.note({"third": 3})
    with Journal(path, {"what": "test"}) as journal:
        assert journal.entries == [{"first": 1}, {"third": 3}]
