"""Whatever a server sends in whichever pieces: a sink holds the exact bytes or says no, and progress never lies."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from tests.contract.file_responses import digest
from tests.profiles import examples

from runql.errors import RunqlError
from runql.transport.files.bodies import BUFFER_SIZE, LARGE_WRITE, Sink
from runql.transport.files.shared_progress import shared_progress
from runql.transport.flow import Download, save
from runql.transport.wire import Response

OLD = b"old"


@dataclass(frozen=True)
class Try:
    """What a server does once.

    Attributes:
        status: of its answer; a 206 sends a part, as asked or not.
        headers: beside those that follow from the part.
        shift: how far the part begins from where it was asked for.
        short: bytes that the part ends before the end of the file.
        cut: bytes that arrive before the connection breaks; None when it does not.
        pieces: sizes of the chunks that arrive.
    """

    status: int
    headers: dict[str, str]
    shift: int
    short: int
    cut: int | None
    pieces: list[int]


sizes = st.integers(0, 60)
etags = st.sampled_from([{}, {"etag": '"e"'}, {"etag": '"e"'}, {"etag": 'W/"e"'}, {"etag": '"f"'}])
tries = st.builds(
    Try,
    status=st.sampled_from([200, 200, 200, 206, 206, 416, 500]),
    headers=etags,
    shift=st.sampled_from([0, 0, 0, 0, -1, 1]),
    short=st.sampled_from([0, 0, 0, 1]),
    cut=st.none() | st.integers(1, 30),
    pieces=st.lists(st.integers(1, 20), min_size=1, max_size=5),
)


def sent(body: bytes, turn: Try, sink: Sink) -> tuple[int, dict[str, str], bytes]:
    """The answer to what the sink asks for: status, headers and the body as far as it arrives."""
    asked = sink.headers().get("Range", "bytes=0-")
    start = max(0, int(asked.removeprefix("bytes=").removesuffix("-")) + turn.shift)
    headers, answer = dict(turn.headers), b""
    if turn.status == 200:
        answer = body
        headers["content-length"] = str(len(body))
    elif turn.status == 206:
        end = max(start, len(body) - turn.short)
        answer = body[start:end]
        headers["content-range"] = f"bytes {start}-{end - 1}/{len(body)}"
    return turn.status, headers, answer if turn.cut is None else answer[: turn.cut]


def play(sink: Sink, body: bytes, turns: list[Try]) -> None:
    """Drive `save` as the drivers do: a broken attempt is followed by the next, a last one is raised."""
    flow, left = save("/x", sink), iter(turns)
    effect = next(flow)
    try:
        while True:
            assert isinstance(effect, Download)
            effect = flow.send(answered(sink, body, left))
    except StopIteration:
        return
    finally:
        flow.close()


def answered(sink: Sink, body: bytes, turns: Iterator[Try]) -> Response:
    for turn in turns:
        status, headers, arrived = sent(body, turn, sink)
        if not sink.begin(status, headers):
            return Response(status, arrived, headers)
        place = 0
        while place < len(arrived):
            piece = arrived[place : place + turn.pieces[place % len(turn.pieces)]]
            sink.take(piece)
            sink.report()
            place += len(piece)
        if turn.cut is None:
            return Response(status, b"", headers)
    raise RunqlError("no patience left")


@examples(600)
@given(
    body=st.binary(max_size=40),
    turns=st.lists(tries, min_size=1, max_size=6),
    knows=st.sampled_from(["md5", "size", "length"]),
)
def test_a_target_holds_the_old_bytes_or_exactly_the_new_ones(
    body: bytes, turns: list[Try], knows: str
) -> None:
    told: list[tuple[int, int | None]] = []
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "x")
        target.write_bytes(OLD)
        (share,) = shared_progress(lambda done, total: told.append((done, total)), [len(body)])
        sink = Sink(
            target,
            digest=digest(body) if knows == "md5" else None,
            size=len(body) if knows == "size" else None,
            progress=share,
        )
        try:
            play(sink, body, turns)
        except RunqlError:
            assert target.read_bytes() == OLD
        else:
            assert target.read_bytes() == body
            assert told[-1] == (len(body), len(body))
        assert [each.name for each in Path(folder).iterdir()] == ["x"]
    assert told == sorted(told)


Step = tuple[int, int, int | None]
steps = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 100), st.none() | st.integers(0, 100)), max_size=60
)


@given(
    expected=st.lists(sizes, min_size=4, max_size=4),
    actual=st.lists(sizes, min_size=4, max_size=4),
    steps=steps,
)
def test_shared_progress_never_falls_and_ends_at_the_total(
    expected: list[int], actual: list[int], steps: list[Step]
) -> None:
    told: list[tuple[int, int]] = []

    def listen(done: int, total: int | None) -> None:
        assert total is not None
        told.append((done, total))

    shares = [share for share in shared_progress(listen, expected) if share is not None]
    assert told == [(0, sum(expected))]
    for index, passed, size in steps:
        shares[index](passed, size)
    for share, size in zip(shares, actual, strict=True):
        share(size, size)
    done = [each for each, _ in told]
    assert done == sorted(done)
    assert all(each <= total for each, total in told)
    assert told[-1][0] == told[-1][1]
    furthest = [max([0, *(passed for at, passed, _ in steps if at == index)]) for index in range(4)]
    assert told[-1][0] == sum(map(max, furthest, actual))


def test_nobody_listens_to_nothing() -> None:
    assert shared_progress(None, [1, 2]) == [None, None]


@given(st.lists(st.sampled_from([1, LARGE_WRITE - 1, LARGE_WRITE, BUFFER_SIZE]), max_size=5))
def test_pieces_of_any_size_are_written_in_order_and_hashed(lengths: list[int]) -> None:
    pieces = [bytes([place]) * length for place, length in enumerate(lengths)]
    body = b"".join(pieces)
    with tempfile.TemporaryDirectory() as folder:
        sink = Sink(Path(folder) / "x", digest=digest(body), size=len(body))
        assert sink.begin(200, {"content-length": str(len(body))})
        for piece in pieces:
            sink.take(piece)
            if sink.is_full:
                sink.flush()
        sink.finish()
        assert sink.target.read_bytes() == body
