"""Decompression in bounded steps: what comes out, what is refused, and that no step is large."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from itertools import pairwise

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runql.transport.limits.decoding import MOST_ENCODINGS, STEP, Decoder, decoder_of


def raw_deflate(content: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(content) + stream.flush()


def two_members(content: bytes) -> bytes:
    half = len(content) // 2
    return gzip.compress(content[:half]) + gzip.compress(content[half:]) + bytes(7)


ENCODINGS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("X-Gzip", gzip.compress),
    "members": ("gzip", two_members),
    "deflate": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw_deflate),
    "twice": ("gzip, gzip", lambda content: gzip.compress(gzip.compress(content))),
    "mixed": ("deflate, identity, gzip", lambda content: gzip.compress(zlib.compress(content))),
}


def decoder(value: str) -> Decoder:
    found = decoder_of({"content-encoding": value})
    assert found is not None
    return found


def decoded(value: str, chunks: list[bytes]) -> bytes:
    reader = decoder(value)
    pieces = [piece for chunk in chunks for piece in reader.pieces(chunk)]
    reader.finish()
    assert all(len(piece) <= STEP for piece in pieces)
    return b"".join(pieces)


@pytest.mark.parametrize("name", ENCODINGS)
@given(content=st.binary(max_size=3000), cuts=st.lists(st.integers(2, 4000), max_size=6))
def test_every_encoding_comes_back_however_it_was_cut(name: str, content: bytes, cuts: list[int]) -> None:
    value, encode = ENCODINGS[name]
    body = encode(content)
    places = sorted({0, *(min(cut, len(body)) for cut in cuts), len(body)})
    assert decoded(value, [body[start:stop] for start, stop in pairwise(places)]) == content


@pytest.mark.parametrize("name", ENCODINGS)
def test_a_bomb_comes_in_small_steps(name: str) -> None:
    value, encode = ENCODINGS[name]
    size = 20 * STEP + 1
    body = encode(bytes(size))
    assert len(body) < size // 100
    assert len(decoded(value, [body])) == size


@pytest.mark.parametrize("name", ENCODINGS)
def test_a_body_that_ends_too_early_is_refused(name: str) -> None:
    value, encode = ENCODINGS[name]
    body = encode(b"content" * 100).rstrip(b"\0")
    with pytest.raises(httpx.DecodingError, match="too early"):
        decoded(value, [body[: len(body) // 2]])


@pytest.mark.parametrize("value", ["gzip", "deflate", "gzip, deflate"])
def test_what_is_not_compressed_is_refused(value: str) -> None:
    with pytest.raises(httpx.DecodingError):
        decoded(value, [b"<html>busy</html>"])


def test_no_body_is_a_complete_one() -> None:
    assert decoded("gzip", []) == decoded("deflate", [b""]) == b""


@pytest.mark.parametrize("value", ["", "identity", "br", "zstd", "gzip, br", "aws-chunked"])
def test_what_was_not_asked_for_is_not_decoded(value: str) -> None:
    assert decoder_of({"content-encoding": value}) is None
    assert decoder_of({}) is None


def test_encodings_on_top_of_each_other_are_bounded() -> None:
    decoder(", ".join(["gzip"] * MOST_ENCODINGS))
    with pytest.raises(httpx.DecodingError, match="6 times"):
        decoder(", ".join(["gzip"] * (MOST_ENCODINGS + 1)))
