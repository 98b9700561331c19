"""A front that misbehaves: a TCP server between a client and an embedded server that applies a fault to requests."""

from __future__ import annotations

import contextlib
import http.client
import json
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import BinaryIO, Literal, Self, TypeAlias
from urllib.parse import urlsplit

Kind: TypeAlias = Literal["operation", "storage", "upload"]
Apply: TypeAlias = "Callable[[Exchange], object]"

# The server builds URLs from the host, so files are fetched through the front as well.
_NEVER_FORWARDED = {"accept-encoding", "connection"}
_NEVER_RETURNED = {"connection", "content-length", "transfer-encoding", "server"}
_RESET = struct.pack("ii", 1, 0)
_POLL = 0.05
_TLS = b"\x16"


@dataclass(frozen=True)
class Received:
    """A request as the front received it; ``body`` is empty while only the head is read."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def kind(self) -> Kind:
        """What the request is for."""
        return {"POST": "operation", "PUT": "upload"}.get(self.method, "storage")  # type: ignore[return-value] # pyright: ignore[reportReturnType] - each is a kind

    @property
    def length(self) -> int:
        """Bytes of the body, as announced."""
        return int(self.headers.get("content-length", "0"))

    @property
    def operation(self) -> str:
        """The operation's name; for other requests the path."""
        if self.kind != "operation":
            return f"{self.method} {self.path.partition('?')[0]}"
        try:
            return str(json.loads(self.body)["operationName"])
        except (ValueError, KeyError, TypeError):
            return ""


@dataclass(frozen=True)
class Given:
    """A response of the server behind the front."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def head(self, *more: tuple[str, str], version: str = "HTTP/1.1", status: int | None = None) -> bytes:
        """Return the status line and the headers, without a length."""
        lines = [f"{version} {self.status if status is None else status} Reason"]
        lines += [f"{name}: {value}" for name, value in (*self.headers, *more)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def whole(self, *more: tuple[str, str]) -> bytes:
        """Return the response as bytes, with its length."""
        return self.head(("Content-Length", str(len(self.body))), *more) + self.body

    def chunked(self, *more: tuple[str, str]) -> bytes:
        """Return the response in two chunks."""
        half = len(self.body) // 2
        parts = [part for part in (self.body[:half], self.body[half:]) if part]
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
        return self.head(("Transfer-Encoding", "chunked"), *more) + chunks + b"0\r\n\r\n"


@dataclass
class Seen:
    """A request that came, and whether it had the fault."""

    received: Received
    had: bool


@dataclass
class Plan:
    """Which requests a fault is applied to, and what happened so far.

    Attributes:
        apply: sends whatever the client gets; returns False when the fault does not fit the response, which is then
            sent unchanged.
        kinds: the requests that count.
        first: number of the first request with the fault, from 1.
        times: how many requests have it; None for all further ones.
        early: apply before the body of the request is read.
        answered: the response says that the request was not carried out.
        hits: requests that had the fault.
        seen: every request, unless ``records`` is false.
        released: set when the call has ended; held exchanges end then.
    """

    apply: Apply | None = None
    kinds: frozenset[Kind] = frozenset({"operation", "storage", "upload"})
    first: int = 1
    times: int | None = None
    early: bool = False
    answered: bool = False
    hits: int = 0
    counted: int = 0
    records: bool = True
    seen: list[Seen] = field(default_factory=list["Seen"])
    released: threading.Event = field(default_factory=threading.Event)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def wants(self, received: Received) -> bool:
        """Whether this request gets the fault; counts it."""
        if self.apply is None or received.kind not in self.kinds:
            return False
        with self._guard:
            self.counted += 1
            past = self.counted - self.first
            if past < 0 or (self.times is not None and past >= self.times):
                return False
            self.hits += 1
            return True

    def note(self, received: Received, *, had: bool) -> Seen:
        """Record a request."""
        seen = Seen(received, had)
        if self.records:
            self.seen.append(seen)
        return seen

    def missed(self) -> None:
        """Take back a hit: the fault did not fit the response."""
        with self._guard:
            self.hits -= 1
            # The next response may fit: a fault that comes once has not come yet.
            self.counted -= 1


class Exchange:
    """One request, and what a fault does with it."""

    def __init__(
        self, front: Front, plan: Plan, connection: socket.socket, reader: BinaryIO, received: Received
    ) -> None:
        self.front = front
        self.plan = plan
        self.received = received
        self.is_over = False
        self._connection = connection
        self._reader = reader
        self._given: Given | None = None

    def forward(self) -> Given:
        """Return the server's response; the server has carried out the request then."""
        if self._given is None:
            self._given = self.front.ask(self.received)
        return self._given

    def send(self, data: bytes) -> None:
        """Send bytes to the client."""
        self._connection.sendall(data)

    def read_more(self, size: int) -> None:
        """Read a part of the request's body."""
        self._reader.read(min(size, self.received.length))

    def respond(self, given: Given) -> None:
        """Send a whole response."""
        self.send(given.whole())

    def close(self) -> None:
        """End the connection in order."""
        self.is_over = True

    def reset(self) -> None:
        """Break the connection: the client reads an error, not an end."""
        # A TLS socket has none of it, and its client reads an end without a farewell.
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.is_over = True

    def hold(self) -> None:
        """Wait until the client hangs up or the call has ended, and close."""
        self.is_over = True
        while not self.plan.released.is_set():
            readable, _, _ = select.select([self._connection], [], [], _POLL)
            if readable and not self._connection.recv(1 << 16):
                return

    def go_on(self, piece: bytes, every: float, most: int) -> None:
        """Send a piece again and again, until the client hangs up, the call has ended or ``most`` pieces are sent."""
        self.is_over = True
        for _ in range(most):
            if self.plan.released.wait(every):
                return
            self.send(piece)


class _Broken(Exception):  # noqa: N818 - no error: a peer that has gone
    """The client has hung up, or sends no HTTP."""


class _Unreadable(Exception):  # noqa: N818 - as above
    """The client speaks TLS to a front without it."""


class Front:
    """Passes requests on to a server, except for those that the current plan changes.

    Attributes:
        url: where clients connect.
        plan: what happens to requests; replaced by `begin`.
        kept: a response to an earlier request, for faults that mix up responses.
        elsewhere: URL of another host, for redirects.
        pending: the plan that begins when a client in another process requests `/begin`.
    """

    def __init__(
        self, target: str, host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "", parts.port or 0)
        self._tls = tls
        self._listening = socket.create_server((host, port), backlog=512)
        self.port: int = self._listening.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://{host}:{self.port}"
        self.plan = Plan()
        self.kept: Given | None = None
        self.elsewhere = ""
        self.pending: Plan | None = None
        self._upstream = threading.local()
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        self._thread = threading.Thread(target=self._accept, name="front", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.plan.released.set()
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()
        self.drop()

    def begin(self, plan: Plan) -> None:
        """Follow another plan; what the old one holds ends."""
        old, self.plan = self.plan, plan
        old.released.set()

    def drop(self) -> None:
        """Close all connections of clients."""
        with self._guard:
            found = list(self._open)
        for each in found:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def ask(self, received: Received) -> Given:
        """Send a request to the server."""
        headers = {name: value for name, value in received.headers.items() if name not in _NEVER_FORWARDED}
        if self._tls is not None:
            headers["x-forwarded-proto"] = "https"
        upstream = self._connected()
        upstream.request(received.method, received.path, received.body, headers)
        response = upstream.getresponse()
        body = response.read()
        kept = tuple(
            (name, value) for name, value in response.getheaders() if name.lower() not in _NEVER_RETURNED
        )
        return Given(response.status, kept, body)

    def hang_up(self) -> None:
        """Close this thread's connection to the server."""
        upstream: http.client.HTTPConnection | None = getattr(self._upstream, "connection", None)
        if upstream is not None:
            upstream.close()

    def _connected(self) -> http.client.HTTPConnection:
        found: http.client.HTTPConnection | None = getattr(self._upstream, "connection", None)
        if found is None:
            found = http.client.HTTPConnection(*self._target)
            self._upstream.connection = found
        return found

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(client,), name="front", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with (
            contextlib.suppress(OSError, _Broken),
            self._connection(client) as connection,
            connection.makefile("rb") as reader,
        ):
            while self._exchange(connection, reader):
                pass

    @contextlib.contextmanager
    def _connection(self, client: socket.socket) -> Generator[socket.socket]:
        with client:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = client if self._tls is None else self._tls.wrap_socket(client, server_side=True)
            with connection:
                with self._guard:
                    self._open.add(connection)
                try:
                    yield connection
                finally:
                    with self._guard:
                        self._open.discard(connection)
                    self.hang_up()

    def _exchange(self, connection: socket.socket, reader: BinaryIO) -> bool:
        """Serve one request, and return whether the connection stays open."""
        try:
            received = _head(reader)
        except _Unreadable:
            connection.sendall(Given(400, (), b"").whole())
            return False
        if received.path == "/begin" and self.pending is not None:
            self.begin(self.pending)
            connection.sendall(Given(200, (), b"").whole())
            return True
        plan = self.plan
        if plan.early and plan.apply is not None and plan.wants(received):
            plan.note(received, had=True)
            exchange = Exchange(self, plan, connection, reader, received)
            plan.apply(exchange)
            return not exchange.is_over
        body = reader.read(received.length)
        if len(body) < received.length:
            raise _Broken
        received = Received(received.method, received.path, received.headers, body)
        exchange = Exchange(self, plan, connection, reader, received)
        if plan.apply is None or plan.early or not plan.wants(received):
            plan.note(received, had=False)
            exchange.respond(exchange.forward())
            return True
        seen = plan.note(received, had=True)
        if plan.apply(exchange) is False:
            plan.missed()
            seen.had = False
            exchange.respond(exchange.forward())
        return not exchange.is_over


def _head(reader: BinaryIO) -> Received:
    first = reader.read(1)
    if first == _TLS:
        # A server without TLS reads no line of HTTP here, and says so.
        raise _Unreadable
    line = first + reader.readline(1 << 16)
    try:
        method, path, _ = line.decode("latin-1").split(" ", 2)
    except ValueError:
        raise _Broken from None
    headers: dict[str, str] = {}
    while (line := reader.readline(1 << 16)) not in {b"\r\n", b""}:
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    return Received(method, path, headers)
