"""A response's body in memory, within the limits of the client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NoReturn, TypeAlias

from runql.limits import Limits, ResponseTooLargeError
from runql.transport.byte_ranges import range_size
from runql.transport.http_library import httpx
from runql.transport.limits.decoding import Decoder, decoder_of
from runql.transport.wire import Request

_SUCCESSES: Final = (200, 206)

Bound: TypeAlias = tuple[str, int]
"""A field of `Limits` and its value."""


class LimitedBody:
    """Collects a body chunk by chunk, decoded, and stops at the limit.

    It refuses a response by its announced length before the first byte is read.
    """

    def __init__(self, request: Request, http_response: httpx.Response, limits: Limits) -> None:
        """Read the status and the headers.

        Raises:
            ResponseTooLargeError: the announced length is beyond the limit.
            httpx.DecodingError: the body cannot be decoded.
        """
        self._name = request.name
        self._status = http_response.status_code
        self._received_bound, self._decoded_bound = _bounds(request, self._status, limits)
        self._received = 0
        self._decoded = 0
        self._pieces: list[bytes] = []
        self._decoder: Decoder | None = None
        if http_response.is_stream_consumed:
            # A transport of the caller has read and decoded it.
            self._received_bound = self._decoded_bound
            return
        announced = http_response.headers.get("content-length", "")
        # No length has more digits; `int` would refuse thousands of them.
        if announced.isdecimal() and (len(announced) > 19 or int(announced) > self._received_bound[1]):
            self._refuse(f"announces {announced[:20]} bytes", self._received_bound)
        self._decoder = decoder_of(http_response.headers)

    def take(self, chunk: bytes) -> None:
        """Append bytes as received.

        Raises:
            ResponseTooLargeError: there are more than the limit.
            httpx.DecodingError: they cannot be decoded.
        """
        self._received += len(chunk)
        if self._received > self._received_bound[1]:
            self._refuse("has more bytes", self._received_bound)
        if self._decoder is None:
            self._pieces.append(chunk)
            return
        for piece in self._decoder.pieces(chunk):
            self._keep(piece)

    def content(self) -> bytes:
        """Return the whole body.

        Raises:
            httpx.DecodingError: it ends too early.
        """
        if self._decoder is not None:
            self._decoder.finish()
        return b"".join(self._pieces)

    def _keep(self, piece: bytes) -> None:
        self._decoded += len(piece)
        if self._decoded > self._decoded_bound[1]:
            self._pieces.clear()
            self._refuse(
                f"has more bytes after decompression ({self._received:,} as received so far)",
                self._decoded_bound,
            )
        self._pieces.append(piece)

    def _refuse(self, found: str, bound: Bound) -> NoReturn:
        limit, most = bound
        raise ResponseTooLargeError(
            f"the response to {self._name} (status {self._status}) {found}",
            limit=limit,
            most=most,
            operation=self._name,
        )


class SinkBody:
    """Decodes a body on its way to a file; its length is limited by what the server announced for the file."""

    def __init__(self, request: Request, http_response: httpx.Response, limits: Limits) -> None:
        """Raises httpx.DecodingError when the body cannot be decoded."""
        is_decoded = http_response.is_stream_consumed
        self._decoder = None if is_decoded else decoder_of(http_response.headers)
        self._name = request.name
        self._most = limits.file_bytes
        self._decoded = 0
        # A file may be larger than any limit where its length is announced; decompressed bytes have no such length.
        self._has_size = request.sink is not None and request.sink.has_size

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """Yield what the chunk decodes to.

        Raises:
            ResponseTooLargeError: it decompresses to more than the limit, and the file has no announced size.
            httpx.DecodingError: it cannot be decoded.
        """
        if self._decoder is None:
            yield chunk
            return
        for piece in self._decoder.pieces(chunk):
            self._decoded += len(piece)
            if not self._has_size and self._decoded > self._most:
                raise ResponseTooLargeError(
                    f"the file {self._name} has more bytes after decompression",
                    limit="file_bytes",
                    most=self._most,
                    operation=self._name,
                )
            yield piece

    def finish(self) -> None:
        """Raises httpx.DecodingError when the body ends too early."""
        if self._decoder is not None:
            self._decoder.finish()


def _bounds(request: Request, status: int, limits: Limits) -> tuple[Bound, Bound]:
    """Return the limits of a body as received and after decompression."""
    received, decoded = ("response_bytes", limits.response_bytes), ("decoded_bytes", limits.decoded_bytes)
    if request.is_operation or request.source is not None or status not in _SUCCESSES:
        return received, decoded
    file = ("file_bytes", limits.file_bytes)
    wanted = None if request.part is None or status == 200 else range_size(request.part)
    # A part that was asked for may be as large as it was asked for; the whole file may come in its place.
    return (file, file) if wanted is None or wanted > received[1] else (received, received)
