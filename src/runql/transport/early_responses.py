"""Responses that came before their request: a server that responds twice must not have the second taken for the next."""

# httpcore keeps the bytes that follow a response, and reads the next response from them. It reads from the connection
# only when it needs more, so a response to a request that was just sent needs at least one read after the last write.

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import httpcore
import httpx

if TYPE_CHECKING:
    import ssl

    from httpcore import SOCKET_OPTION


@runtime_checkable
class Watched(Protocol):
    """A connection that knows whether anything arrived since something was sent.

    Attributes:
        has_read: whether bytes were read after the last write.
    """

    has_read: bool


def refuse_early(response: httpx.Response) -> None:
    """Refuse a response that had arrived before its request was sent; httpx then closes the connection.

    Raises:
        httpx.RemoteProtocolError: it had.
    """
    stream = response.extensions.get("network_stream")
    if isinstance(stream, Watched) and not stream.has_read:
        raise httpx.RemoteProtocolError(
            "the server had sent more than one response to the request before", request=response.request
        )


async def refuse_early_async(response: httpx.Response) -> None:
    """Refuse a response as `refuse_early` does."""
    refuse_early(response)


def watch_connections(client: httpx.AsyncClient) -> None:
    """Let the connections that an asynchronous client opens know what `refuse_early` asks, also those through proxies.

    httpx has no parameter for it, so this replaces a private attribute of its connection pools, as `bind_sockets` does.
    """
    mounts = [transport for transport in client._mounts.values() if transport is not None]  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] — see above
    for transport in (client._transport, *mounts):  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] — see above
        if isinstance(transport, httpx.AsyncHTTPTransport):
            pool = transport._pool  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] — see above
            backend = pool._network_backend  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] — see above
            if not isinstance(backend, WatchedBackend):
                pool._network_backend = WatchedBackend(backend)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] — see above


class WatchedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections that are `Watched`."""

    def __init__(self, inner: httpcore.AsyncNetworkBackend) -> None:
        self._inner = inner

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Open a connection."""
        return WatchedStream(
            await self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
        )

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - as above
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Open a connection to a socket of this machine."""
        return WatchedStream(await self._inner.connect_unix_socket(path, timeout, socket_options))

    async def sleep(self, seconds: float) -> None:
        """Wait between two attempts of httpcore, which runql does not ask for."""
        await self._inner.sleep(seconds)


class WatchedStream(httpcore.AsyncNetworkStream):
    """A connection that is `Watched`."""

    def __init__(self, inner: httpcore.AsyncNetworkStream) -> None:
        self._inner = inner
        self.has_read: bool = False

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - as above
        """Return the bytes that have arrived."""
        found = await self._inner.read(max_bytes, timeout)
        self.has_read = True
        return found

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as above
        """Send all bytes."""
        self.has_read = False
        await self._inner.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._inner.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - as above
    ) -> httpcore.AsyncNetworkStream:
        """Return the connection with TLS on it."""
        return WatchedStream(await self._inner.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:  # Any: as httpcore declares it
        """Return what httpcore asks about the connection."""
        return self._inner.get_extra_info(info)
