"""Connections on which more than the response came are not used again."""

# httpcore keeps bytes that follow a response and takes them for the response to the next request. Before it uses an idle
# connection again, it only asks whether the socket can be read. By then these bytes lie in the parser of HTTP, in the
# buffer of TLS or in the buffer of the event loop. Whether they do has to be asked while the connection is still in use:
# an idle one may be another thread's at once.

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator
from typing import Final, Protocol

from runql.transport.http_library import httpx

_TO_CONNECTION: Final = ("_httpcore_stream", "_stream", "_connection")
"""The way from a response's stream to its connection. No public name of httpx or httpcore leads there."""


class _Network(Protocol):
    """What httpx's extension ``network_stream`` is asked for, by threads and in event loops."""

    def get_extra_info(self, info: str) -> object: ...


class _Parser(Protocol):
    """h11's parser of a connection."""

    @property
    def trailing_data(self) -> tuple[bytes, bool]: ...

    def send_failed(self) -> None: ...


def watch(response: httpx.Response) -> None:
    """Close the response's connection after it, if more than the response has come."""
    stream, parser = response.stream, _parser_of(response)
    if parser is not None and isinstance(stream, httpx.SyncByteStream):
        response.stream = _Watched(stream, parser, response.extensions["network_stream"])


def watch_awaited(response: httpx.Response) -> None:
    """Close the response's connection after it, if more than the response has come."""
    stream, parser = response.stream, _parser_of(response)
    if parser is not None and isinstance(stream, httpx.AsyncByteStream):
        response.stream = _AwaitedWatched(stream, parser, response.extensions["network_stream"])


class _Watched(httpx.SyncByteStream):
    def __init__(self, inner: httpx.SyncByteStream, parser: _Parser, network: _Network) -> None:
        self._inner = inner
        self._parser = parser
        self._network = network
        self._is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._inner)

    def close(self) -> None:
        if self._is_closed:
            # The connection may be another request's by now.
            return
        self._is_closed = True
        try:
            _retire_with_leftovers(self._parser, self._network)
        finally:
            self._inner.close()


class _AwaitedWatched(httpx.AsyncByteStream):
    def __init__(self, inner: httpx.AsyncByteStream, parser: _Parser, network: _Network) -> None:
        self._inner = inner
        self._parser = parser
        self._network = network
        self._is_closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._inner.__aiter__()

    async def aclose(self) -> None:
        if self._is_closed:
            # The connection may be another request's by now.
            return
        self._is_closed = True
        try:
            _retire_with_leftovers(self._parser, self._network)
        finally:
            await self._inner.aclose()


def _parser_of(response: httpx.Response) -> _Parser | None:
    """The parser of the response's connection; None for HTTP/2, which numbers responses, and for other transports."""
    connection: object = response.stream
    for name in _TO_CONNECTION:
        connection = getattr(connection, name, None)
    parser: _Parser | None = getattr(connection, "_h11_state", None)
    return parser


def _retire_with_leftovers(parser: _Parser, network: _Network) -> None:
    if parser.trailing_data[0] or _tls_has_leftovers(network) or _loop_has_leftovers(network):
        # For httpcore the exchange has failed: it closes the connection.
        parser.send_failed()


def _tls_has_leftovers(network: _Network) -> bool:
    tls = network.get_extra_info("ssl_object")
    if isinstance(tls, ssl.SSLObject):
        # It decrypts what an event loop has read, and never waits.
        try:
            tls.read(1)
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError:
            return True
        return True
    pending = getattr(tls, "pending", None)
    return pending is not None and pending() > 0


def _loop_has_leftovers(network: _Network) -> bool:
    """Whether asyncio has read more than anyio has handed on."""
    stream = getattr(network, "_stream", None)
    stream = getattr(stream, "transport_stream", stream)
    return bool(getattr(getattr(stream, "_protocol", None), "read_queue", None))
