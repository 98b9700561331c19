"""Parts of files: what is asked for, which answers hold it, and which hold something else."""

from __future__ import annotations

import pytest
from tests.unit.transport.stepping import played

from runql import AnswerError
from runql.transport.byte_ranges import ByteRange, FilePart, read_part
from runql.transport.flow import Download, download_part
from runql.transport.wire import Response

URL = "https://storage.host/a.parquet?signature=1"
SIZE = 1000


def part(start: int, stop: int, **more: str) -> Response:
    headers = {"content-range": f"bytes {start}-{stop - 1}/{SIZE}", "etag": '"e"'} | more
    return Response(206, bytes(stop - start), headers)


@pytest.mark.parametrize(
    ("wanted", "header"),
    [
        (ByteRange(0, 10), "bytes=0-9"),
        (ByteRange(5), "bytes=5-"),
        (ByteRange(-100), "bytes=-100"),
    ],
)
def test_a_range_is_asked_for_in_http_words(wanted: ByteRange, header: str) -> None:
    assert wanted.header == header


@pytest.mark.parametrize(
    ("wanted", "answer", "start", "stop"),
    [
        (ByteRange(100, 200), part(100, 200), 100, 200),
        (ByteRange(900, 2000), part(900, 1000), 900, 1000),
        (ByteRange(-100), part(900, 1000), 900, 1000),
        (ByteRange(-5000), part(0, 1000), 0, 1000),
        (ByteRange(100, 200), Response(200, bytes(SIZE)), 0, 1000),
        (ByteRange(-100), part(0, 1000), 0, 1000),
    ],
    ids=["middle", "past the end", "end", "more than there is", "whole", "whole as a part"],
)
def test_the_range_or_the_file_is_taken(wanted: ByteRange, answer: Response, start: int, stop: int) -> None:
    found = read_part(wanted, answer)
    assert found is not None
    assert (found.start, found.stop, found.size) == (start, stop, SIZE)
    assert found.is_whole == (stop - start == SIZE)


@pytest.mark.parametrize(
    "answer",
    [
        part(101, 200),
        part(100, 150),
        Response(206, bytes(99), {"content-range": "bytes 100-199/1000"}),
        Response(206, bytes(100)),
        Response(206, bytes(100), {"content-range": "bytes 100-199/*"}),
        Response(206, bytes(100), {"content-range": "rows 100-199/1000"}),
        part(100, 200, **{"content-encoding": "gzip"}),
        Response(416, b""),
        Response(404, b"<Error/>"),
    ],
    ids=["elsewhere", "shorter", "cut", "without a range", "unsized", "rows", "packed", "416", "404"],
)
def test_anything_else_is_no_part(answer: Response) -> None:
    wanted = ByteRange(100, 200)
    assert read_part(wanted, answer) is None
    if answer.status == 404:
        with pytest.raises(AnswerError):
            played(download_part(URL, wanted), [answer])
    else:
        assert played(download_part(URL, wanted), [answer])[0] is None


def test_redirects_ask_for_the_same_range() -> None:
    wanted = ByteRange(-10)
    moved = Response(307, b"", {"location": "https://other.host/b"})
    found, effects = played(download_part(URL, wanted), [moved, part(990, 1000)])
    assert found == FilePart(990, bytes(10), SIZE, '"e"')
    assert effects == [Download(URL, part=wanted), Download("https://other.host/b", part=wanted)]
