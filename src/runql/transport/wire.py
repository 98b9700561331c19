"""What goes over HTTP, and what comes back: plain values that name no HTTP library."""

from __future__ import annotations

from dataclasses import dataclass, field

from runql.errors import TransportError
from runql.transport.bodies import Sink, Source


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request.

    Attributes:
        name: what it is for, in logs and errors: an operation's name, or a file's path without its query.
        url: absolute, or relative to the base URL.
        content: the JSON body of a POST.
        repeatable: sending it twice does no harm.
        fail_fast: give up at the first server failure or timeout.
        sink: takes the answer's body; a GET.
        part: the value of `Range`, when only some bytes are wanted; a GET.
        source: the body of a PUT, which never carries our credentials.
        source_headers: what the server wants the PUT to carry.
    """

    name: str
    url: str
    content: bytes | None = None
    repeatable: bool = True
    fail_fast: bool = False
    sink: Sink | None = None
    part: str | None = None
    source: Source | None = None
    source_headers: tuple[tuple[str, str], ...] = ()

    @property
    def is_operation(self) -> bool:
        """Whether it carries a GraphQL operation, which is what the API's limits are about."""
        return self.content is not None

    @property
    def method(self) -> str:
        """The HTTP method."""
        if self.source is not None:
            return "PUT"
        return "GET" if self.content is None else "POST"

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return len(self.content or b"") if self.source is None else self.source.size


@dataclass(slots=True)
class Response:
    """What came back.

    Attributes:
        status: the HTTP status.
        headers: by lower-case name.
        content: the body, decompressed; empty after `release`.
        elapsed: seconds from the first byte sent to the last received.
        attempts: how many times the request was sent until this came.
        secrets: what must not be shown although the server may repeat it.
    """

    status: int
    content: bytes
    headers: dict[str, str] = field(default_factory=dict[str, str])
    elapsed: float = 0.0
    attempts: int = 1
    secrets: tuple[bytes, ...] = field(default=(), repr=False, compare=False)

    def release(self) -> None:
        """Forget the body, once it is read: a driver holds the response until the flow's next effect."""
        self.content = b""

    @property
    def showable(self) -> bytes:
        """The body without the secrets: what an error may tell."""
        content = self.content
        for secret in self.secrets:
            content = content.replace(secret, b"***")
        return content


@dataclass(frozen=True, slots=True)
class Failure:
    """Nothing came back.

    Attributes:
        error: what to raise when trying again does not help.
        elapsed: seconds until it was clear.
        sent: whether the server may have seen the request.
        most_attempts: how often the request is sent at most, when further attempts would end the same way.
    """

    error: TransportError
    elapsed: float = 0.0
    sent: bool = True
    most_attempts: int | None = None


@dataclass(slots=True)
class Traffic:
    """What a client has sent and received so far.

    Attributes:
        requests: HTTP requests, repeated ones included.
        bytes_sent: bytes of request bodies.
        bytes_received: bytes of answer bodies as they crossed the wire, so compressed ones count compressed.
    """

    requests: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
