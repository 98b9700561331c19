"""HTTP requests, responses and failures as plain values, without a type of an HTTP library."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from runql.errors import TransportError
from runql.transport.files.bodies import Sink, Source


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request.

    Attributes:
        name: for logs and errors: an operation's name, or a file's path without its query.
        url: absolute, or relative to the base URL.
        content: the JSON body of a POST.
        repeatable: the request is idempotent.
        fail_fast: do not retry server failures and timeouts.
        sink: takes the response's body; a GET.
        part: the value of a `Range` header; a GET.
        most_attempts: how often to send it at most; None leaves that to the policy.
        repeats_conflicts: a conflict (409) passes.
        source: the body of a PUT, which never carries our credentials.
        source_headers: headers that the server wants on the PUT.
    """

    name: str
    url: str
    content: bytes | None = None
    repeatable: bool = True
    fail_fast: bool = False
    most_attempts: int | None = None
    repeats_conflicts: bool = False
    sink: Sink | None = None
    part: str | None = None
    source: Source | None = None
    source_headers: tuple[tuple[str, str], ...] = ()

    @property
    def is_operation(self) -> bool:
        """Whether it carries a GraphQL operation; the server's rate limit counts those alone."""
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
    """An HTTP response.

    Attributes:
        status: the HTTP status.
        headers: by lower-case name.
        content: the body, decompressed; empty after `release`.
        elapsed: seconds from the first byte sent to the last received.
        attempts: how many times the request was sent.
        seconds: from the first attempt to the end of the last, waits included.
        waited: seconds of them that were waits between attempts.
        received: bytes of the body as received, which may be compressed.
        redact: blanks the API key, which no error may show and servers may repeat.
    """

    status: int
    content: bytes = field(repr=False)
    headers: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    elapsed: float = 0.0
    attempts: int = 1
    seconds: float = 0.0
    waited: float = 0.0
    received: int = 0
    redact: Callable[[bytes], bytes] = field(default=bytes, repr=False, compare=False)

    def release(self) -> None:
        """Free the body after it is read: a driver holds the response until the flow's next effect."""
        self.content = b""

    @property
    def showable(self) -> bytes:
        """The body without the API key, for errors."""
        return self.redact(self.content)


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that got no response.

    Attributes:
        error: the error to raise when there is no further attempt.
        elapsed: seconds until the request failed.
        sent: whether the server may have received the request.
        most_attempts: how often to send the request at most; None leaves that to the policy.
    """

    error: TransportError
    elapsed: float = 0.0
    sent: bool = True
    most_attempts: int | None = None


@dataclass(slots=True)
class Traffic:
    """What a client has sent and received so far.

    Attributes:
        requests: HTTP requests, retries included.
        bytes_sent: bytes of request bodies.
        bytes_received: bytes of response bodies as received, which may be compressed.
        retries: how often a request was sent again.
        waited_seconds: seconds of waiting before requests: backoff, what servers asked for, and the rate limit. Waits
            of several threads or tasks at the same time add up.
        rate_limited: how many responses had status 429.
    """

    requests: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    retries: int = 0
    waited_seconds: float = 0.0
    rate_limited: int = 0
