"""A file of parts: what is here is read like the file, what is not is an error."""

from __future__ import annotations

import io
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runql.frames.sparse_file import SparseFile

CONTENT = bytes(range(100))


@given(
    st.lists(st.tuples(st.integers(0, 99), st.integers(1, 50)), max_size=6),
    st.integers(0, 120),
    st.integers(-1, 120),
)
def test_what_is_here_is_read_and_nothing_else(parts: list[tuple[int, int]], start: int, size: int) -> None:
    file, here = SparseFile(len(CONTENT)), set[int]()
    for first, length in parts:
        file.add(first, CONTENT[first : first + length])
        here.update(range(first, min(first + length, 100)))
    assert file.filled().getvalue() == bytes(CONTENT[place] if place in here else 0 for place in range(100))
    plain = io.BytesIO(CONTENT)
    assert file.seek(start) == plain.seek(start)
    expected = plain.read(size)
    places = set(range(start, start + len(expected)))
    missing = file.missing(start, start + len(expected))
    assert {place for low, high in missing for place in range(low, high)} == places - here
    assert missing == sorted(missing)
    if places <= here:
        assert file.read(size) == expected
        assert file.tell() == max(start, plain.tell()) or not expected
    else:
        with pytest.raises(OSError, match="not fetched"):
            file.read(size)


def test_positions_count_from_wherever_is_asked() -> None:
    file = SparseFile(100)
    assert file.seek(-10, os.SEEK_END) == 90
    assert file.seek(5, os.SEEK_CUR) == 95
    assert (file.readable(), file.seekable(), file.writable()) == (True, True, False)
    assert file.read(0) == b""
