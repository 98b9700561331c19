"""Decompression of a response's body in bounded steps."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from typing import Final, Protocol

from runql.transport.http_library import httpx

STEP: Final = 1 << 20
"""Bytes that one step decompresses at most: a chunk of 64 KiB can hold 64 MiB."""

MOST_ENCODINGS: Final = 5
"""Encodings on top of each other."""

ACCEPTED: Final = "gzip, deflate"
"""The value of Accept-Encoding: what `decoder_of` decodes."""

_GZIP: Final = 16 + zlib.MAX_WBITS


class Decoder(Protocol):
    """Decodes a body piece by piece."""

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """Yield what the chunk decodes to, in pieces of at most `STEP` bytes.

        Raises:
            httpx.DecodingError: the body is not encoded as its headers say.
        """
        ...

    def finish(self) -> None:
        """Check that the body is complete.

        Raises:
            httpx.DecodingError: it ends too early.
        """
        ...


class _Inflater(Protocol):
    """A decompressor of `zlib`."""

    @property
    def eof(self) -> bool: ...

    @property
    def unconsumed_tail(self) -> bytes: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


def decoder_of(headers: Mapping[str, str]) -> Decoder | None:
    """Return a decoder for the body; None where it is not encoded, or in no way that runql asks for.

    Raises:
        httpx.DecodingError: the body is encoded again and again.
    """
    value = headers.get("content-encoding", "")
    if not value:
        return None
    names = [name.strip().lower() for name in value.split(",")]
    names = [name for name in names if name not in {"", "identity"}]
    if len(names) > MOST_ENCODINGS:
        raise httpx.DecodingError(f"the body is encoded {len(names)} times")
    if not names or not set(names) <= {"gzip", "x-gzip", "deflate"}:
        return None
    # The last encoding in the header was applied last.
    decoders: list[Decoder] = [Deflate() if name == "deflate" else Gzip() for name in reversed(names)]
    return decoders[0] if len(decoders) == 1 else _Chain(decoders)


class Gzip:
    """Decodes gzip, also of several members."""

    def __init__(self) -> None:
        self._stream: _Inflater = zlib.decompressobj(_GZIP)
        self._is_empty = True

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """See `Decoder`."""
        while chunk:
            if self._stream.eof:
                # Zeros may fill up the end of a file.
                chunk = chunk.lstrip(b"\0")
                if not chunk:
                    return
                self._stream = zlib.decompressobj(_GZIP)
            self._is_empty = False
            yield from _inflate(self._stream, chunk)
            chunk = self._stream.unused_data

    def finish(self) -> None:
        """See `Decoder`."""
        _require_end(self._stream, self._is_empty)


class Deflate:
    """Decodes deflate, with the header of zlib as the standard says, or without as some servers send it."""

    def __init__(self) -> None:
        self._stream: _Inflater = zlib.decompressobj()
        self._is_empty = True

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """See `Decoder`."""
        if not chunk:
            return
        if self._is_empty:
            self._is_empty = False
            try:
                first = self._stream.decompress(chunk, STEP)
            except zlib.error:
                self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
            else:
                yield first
                chunk = self._stream.unconsumed_tail
        yield from _inflate(self._stream, chunk)

    def finish(self) -> None:
        """See `Decoder`."""
        _require_end(self._stream, self._is_empty)


class _Chain:
    """Decodes a body that is encoded several times."""

    def __init__(self, decoders: list[Decoder]) -> None:
        self._decoders = decoders

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        pieces: Iterator[bytes] = iter([chunk])
        for decoder in self._decoders:
            pieces = _decoded(decoder, pieces)
        return pieces

    def finish(self) -> None:
        for decoder in self._decoders:
            decoder.finish()


def _decoded(decoder: Decoder, chunks: Iterator[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        yield from decoder.pieces(chunk)


def _inflate(stream: _Inflater, chunk: bytes) -> Iterator[bytes]:
    """Yield what a chunk decompresses to, step by step."""
    try:
        while not stream.eof:
            piece = stream.decompress(chunk, STEP)
            chunk = stream.unconsumed_tail
            if piece:
                yield piece
            # A full step may have left output in the decompressor, also where no input is left.
            if not chunk and len(piece) < STEP:
                return
    except zlib.error as error:
        raise httpx.DecodingError(f"the body cannot be decompressed: {error}") from error


def _require_end(stream: _Inflater, is_empty: bool) -> None:
    if not is_empty and not stream.eof:
        raise httpx.DecodingError("the compressed body ends too early")
