"""Request bodies: read up to a limit, decompressed in bounded steps."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from starlette.requests import ClientDisconnect, Request

from runql_server.errors import RequestError, StorageFullError, TooLargeError, UnknownEncodingError

_MIB: Final = 1024 * 1024
_STEP: Final = 256 * 1024
_WINDOW_BITS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}


@dataclass(frozen=True)
class BodyLimits:
    """Bytes of a body, as sent and decompressed; files go to the disk, which is their limit.

    The official SDK sends at most 10 MiB of lines in a chunk, and 10,000 announced files in an operation.
    """

    graphql: int = 32 * _MIB
    file_stream: int = 64 * _MIB
    manifest: int = 512 * _MIB


class Decoder(Protocol):
    """Decodes the chunks of one body."""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the decoded bytes in bounded pieces."""
        ...

    def check_end(self) -> None:
        """Raise ``RequestError`` if the body stopped early."""
        ...


class PlainDecoder:
    """A body without compression."""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the chunk."""
        yield chunk

    def check_end(self) -> None:
        """Accept any end."""


class ZlibDecoder:
    """A body in gzip or deflate; gzip may have several members."""

    def __init__(self, window_bits: int) -> None:
        self._window_bits = window_bits
        self._stream = zlib.decompressobj(window_bits)
        self._is_fresh = True

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield pieces of at most 256 KiB, however well the chunk was compressed."""
        pending = chunk
        while pending:
            if self._stream.eof:
                self._stream, self._is_fresh = zlib.decompressobj(self._window_bits), True
            try:
                piece = self._stream.decompress(pending, _STEP)
            except zlib.error as error:
                raise RequestError(f"the body cannot be read: {error}") from error
            self._is_fresh = False
            pending = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
            yield piece
            # zlib may hold back decoded bytes after it took the whole chunk.
            while not self._stream.eof and not pending and len(piece) == _STEP:
                piece = self._stream.decompress(b"", _STEP)
                yield piece

    def check_end(self) -> None:
        """Refuse a body that stops within a compressed stream."""
        if self._is_fresh or not self._stream.eof:
            raise RequestError("the body cannot be read: it stops within its compressed stream")


def decoder(encoding: str) -> Decoder:
    """Return the decoder for a ``Content-Encoding``; raises ``UnknownEncodingError``."""
    name = encoding.strip().lower()
    if name in {"", "identity"}:
        return PlainDecoder()
    if name not in _WINDOW_BITS:
        raise UnknownEncodingError(f"Content-Encoding {name[:40]!r} is not known: send gzip, deflate or none")
    return ZlibDecoder(_WINDOW_BITS[name])


def check_announced(announced: str | None, most: int) -> None:
    """Refuse a ``Content-Length`` above the limit."""
    if announced is not None and announced.isdecimal() and (len(announced) > 18 or int(announced) > most):
        raise _too_large(most)


async def bounded(chunks: AsyncIterator[bytes], most: int) -> AsyncIterator[bytes]:
    """Pass chunks on; raises ``TooLargeError`` once there are more than ``most`` bytes."""
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > most:
            raise _too_large(most)
        yield chunk


def check_room(request: Request, folder: Path) -> None:
    """Refuse an upload that announces more bytes than the disk of ``folder`` has; raises ``StorageFullError``."""
    announced = request.headers.get("content-length", "")
    free = shutil.disk_usage(folder).free
    if announced.isdecimal() and (len(announced) > 18 or int(announced) > free):
        raise StorageFullError(f"the server's disk has {free} bytes left: {announced[:40]} were announced")


async def read(request: Request, most: int) -> bytes:
    """Read a body of at most ``most`` decompressed bytes; raises ``TooLargeError`` as soon as it is longer."""
    check_announced(request.headers.get("content-length"), most)
    return await collect(request.stream(), decoder(request.headers.get("content-encoding", "")), most)


async def collect(chunks: AsyncIterator[bytes], decoding: Decoder, most: int) -> bytes:
    """Decode chunks to at most ``most`` bytes."""
    body = bytearray()
    try:
        async for chunk in chunks:
            for piece in decoding.feed(chunk):
                if len(body) + len(piece) > most:
                    raise _too_large(most)
                body += piece
    except ClientDisconnect as error:
        raise RequestError("the client closed the connection within the body") from error
    decoding.check_end()
    return bytes(body)


def _too_large(most: int) -> TooLargeError:
    limit = f"{most} bytes" if most % _MIB else f"{most // _MIB} MiB"
    return TooLargeError(f"the body is too large: this route reads at most {limit}, decompressed")
