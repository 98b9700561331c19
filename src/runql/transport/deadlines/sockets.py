"""Sockets of threads that respect the deadline of the call that uses them."""

# httpx gives httpcore one timeout for all reads of a response's headers, and one for all reads of its body. httpcore
# starts it again for every piece that arrives, so a server that sends a byte now and then holds a call for ever. These
# sockets therefore ask the running call how long they may wait. Event loops need none of it: they cancel.

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from runql.transport.deadlines.call import Call
from runql.transport.http_library import httpcore

_PIECE: Final = 1 << 14
"""Bytes of one write within a deadline: a socket that can be written to takes so many at once."""

_MOST_READ: Final = 120 << 10
"""Bytes of one read of a body that comes fast: each read lets another thread run."""

_active: Final[ContextVar[Call | None]] = ContextVar("runql call of this thread's sockets", default=None)


@contextmanager
def bounding_sockets(call: Call) -> Generator[None]:
    """Let the sockets that this thread uses inside the block wait no longer than the call may take."""
    token = _active.set(call if call.deadline is not None else None)
    try:
        yield
    finally:
        _active.reset(token)


def bind_sockets(pool: httpcore.ConnectionPool) -> None:
    """Let the connections that a pool opens respect the deadlines of calls, also those through proxies.

    httpcore's pools are made by httpx, which has no parameter for it: this replaces a private attribute.
    """
    backend = pool._network_backend  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] — see above
    if not isinstance(backend, BoundedBackend):
        pool._network_backend = BoundedBackend(backend)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] — see above


def _bound(timeout: float | None, expired: type[httpcore.TimeoutException]) -> float | None:
    call = _active.get()
    if call is None:
        return timeout
    limit = call.bound(timeout)
    if limit is not None and limit <= 0:
        raise expired("the deadline of the call has passed")
    return limit


class BoundedBackend(httpcore.NetworkBackend):
    """Opens connections within the deadline of the running call."""

    def __init__(self, inner: httpcore.NetworkBackend) -> None:
        self._inner = inner

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Open a connection. Within a deadline also the lookup of the name is bounded, and all its addresses together."""
        call = _active.get()
        hosts = [host] if call is None else _addresses(host, port, _bound(timeout, httpcore.ConnectTimeout))
        failed: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in hosts:
            limit = _bound(timeout, httpcore.ConnectTimeout)
            try:
                return BoundedStream(
                    self._inner.connect_tcp(address, port, limit, local_address, socket_options)
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failed = failed or error
        raise failed or httpcore.ConnectError(f"{host} has no address")

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Open a connection to a socket of this machine."""
        limit = _bound(timeout, httpcore.ConnectTimeout)
        return BoundedStream(self._inner.connect_unix_socket(path, limit, socket_options))

    def sleep(self, seconds: float) -> None:
        """Wait between two attempts of httpcore, which runql does not ask for."""
        self._inner.sleep(seconds)


class BoundedStream(httpcore.NetworkStream):
    """A connection that waits no longer than the running call may take."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner
        self._is_fast = False

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return the bytes that have arrived: more than httpcore asks for, where they come faster than it takes them."""
        most = _MOST_READ if self._is_fast else max_bytes
        read = self._inner.read(most, _bound(timeout, httpcore.ReadTimeout))
        self._is_fast = len(read) >= max_bytes
        return read

    @property
    def fills(self) -> bool:
        """Whether `read_into` can be used: not where TLS goes through another TLS, which no socket decrypts."""
        return not isinstance(self.get_extra_info("ssl_object"), ssl.SSLObject) and isinstance(
            self.get_extra_info("socket"), socket.socket
        )

    def read_into(self, buffer: memoryview, timeout: float | None = None) -> int:
        """Fill the beginning of a buffer with the bytes that have arrived, and return how many; 0 at the end."""
        connected: socket.socket = self.get_extra_info("socket")
        try:
            connected.settimeout(_bound(timeout, httpcore.ReadTimeout))
            return connected.recv_into(buffer)
        except TimeoutError as error:
            raise httpcore.ReadTimeout(str(error)) from error
        except OSError as error:
            raise httpcore.ReadError(str(error)) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send all bytes."""
        # httpcore starts the timeout again whenever the system has taken some of the bytes.
        size = len(buffer) if _active.get() is None else _PIECE
        for start in range(0, len(buffer), size or 1):
            self._inner.write(buffer[start : start + size], _bound(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        """Close the connection."""
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        """Return the connection with TLS on it."""
        limit = _bound(timeout, httpcore.ConnectTimeout)
        return BoundedStream(self._inner.start_tls(ssl_context, server_hostname, limit))

    def get_extra_info(self, info: str) -> Any:  # Any: as httpcore declares it
        """Return what httpcore asks about the connection."""
        return self._inner.get_extra_info(info)


def _addresses(host: str, port: int, timeout: float | None) -> list[str]:
    """Look up a name, in a thread that is left behind when the lookup takes too long: nothing can interrupt it."""
    found: list[str] = []
    errors: list[Exception] = []

    def look_up() -> None:
        try:
            for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
                found.append(str(address[0]))
        except Exception as error:  # noqa: BLE001 - raised by the thread that waits
            errors.append(error)

    thread = threading.Thread(target=look_up, name="runql lookup", daemon=True)
    thread.start()
    thread.join(timeout)
    if thread.is_alive():
        raise httpcore.ConnectTimeout(f"the lookup of {host} took too long")
    for error in errors:
        try:
            # As the context of httpcore's error: its pool removes the cause.
            raise error
        except OSError:
            raise httpcore.ConnectError(str(error)) from error
    return [*dict.fromkeys(found)]
