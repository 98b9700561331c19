"""Flows: what the client does, written once for threads and for event loops.

A flow is a generator. It decides what to ask and reads what comes back, and does no I/O itself.
It yields an effect, a plain value that describes one piece of I/O. A driver performs the effect and
sends the reply into the flow:

    flow yields                        the driver                              the flow gets
    Send(operation)                    posts it, with retries                  Response
    Download(url), Upload(url, …)      moves a file, with retries              Response
    Post(path, content)                posts JSON, with retries                Response
    Gather(flows, limit)               runs flows at the same time             None
    Sleep(seconds)                     waits                                   None
    Offload(work)                      calls work, off the event loop          None
    Join(flight)                       waits for another flow's read           None

There are two drivers: `sync.RetryingClient` blocks its thread, `aio.AsyncRetryingClient` suspends its
task. Both stop when the flow returns, and hand its result to the caller.

When an effect fails with a `RunqlError`, the driver throws the error into the flow at its `yield`.
The flow handles it, or lets it reach the caller. Any other exception closes the flow. A response
with a bad status is a reply, not an error: the flow judges it.

Flows call the helpers below instead of yielding effects, and call each other by `yield from`:

    def read_state(run: str) -> Flow[str]:
        data = yield from fetch(get_run_state(entity="e", project="p", run=run))   # yields Send
        return data.project.run.state

    RetryingClient(settings).run(read_state("r"))              # in a script
    await AsyncRetryingClient(settings).run(read_state("r"))   # in an event loop

So both clients share every decision, and a test steps a flow by hand, without a network or a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from typing import Any, Generic, TypeAlias, TypeVar
from urllib.parse import urljoin, urlsplit

from runql.errors import ConnectionFailedError, DeadlineExceededError, RunqlError
from runql.limits import TooManyRedirectsError, current_limits
from runql.quick_dataclasses import dataclass
from runql.transport.byte_ranges import ByteRange, FilePart, read_part
from runql.transport.codec import (
    PartPath,
    RawList,
    answer_error,
    read_response,
    read_response_with_raw_lists,
    string_list_size,
)
from runql.transport.files.bodies import Sink, Source
from runql.transport.pacing.concurrency import AT_FIRST
from runql.transport.single_flight import Flight, SingleFlight
from runql.transport.wire import Response
from runql_graphql.operation import Operation

T = TypeVar("T")

DEFAULT_CONCURRENCY = 8
"""How many queries a `Gather` runs at the same time unless its caller says otherwise."""

MOST_TRANSFERS = 64
"""How many files a `Gather` transfers at the same time at most, unless its caller says otherwise; see `Concurrency`."""

EXTRA_WORKERS = 2
"""Workers that a `Gather` adds to its limit when flows release their slot while they do offloaded work."""

EXPIRED_URL_STATUSES = (400, 403)
"""Statuses of an expired signed URL: 400 from Google's storage, 403 from Amazon's. The flow then asks for a new URL, once."""

RANGE_REFUSED_STATUSES = (206, 416)
"""Statuses of a storage that cannot resume where asked: another part of the file, or none."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send one operation, and reply with the `Response`.

    Attributes:
        operation: what to send.
        fail_fast: do not retry server failures and timeouts; the flow then asks for less.
        repeatable: the operation is idempotent although it is a mutation; queries always are.
        needs: parts of the schema that the operation uses and the flow can work without. When the server has refused
            one of them before, the driver sends nothing and throws `OutdatedServerError`.
    """

    operation: Operation[Any]  # Any: `fetch` reads the response, the driver does not
    fail_fast: bool = False
    repeatable: bool = False
    needs: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Download:
    """Get the content of a URL that the server named, and reply with the `Response`.

    Attributes:
        url: absolute, or relative to the base URL.
        sink: takes the body of a successful response, which is then empty; None keeps the body in memory.
        part: the bytes to ask for, kept in memory; a server may send the whole file instead.
        most_attempts: how often to send it at most; None leaves that to the policy.
    """

    url: str
    sink: Sink | None = None
    part: ByteRange | None = None
    most_attempts: int | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """Put a file at a URL that the server named, without credentials, and reply with the `Response`.

    Attributes:
        url: absolute, or a path below the base URL.
        source: the file.
        headers: what the server wants the request to carry.
    """

    url: str
    source: Source
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Post:
    """Post JSON to a path of the API, with credentials, and reply with the `Response`; sending it again does no harm.

    Attributes:
        path: relative to the base URL.
        content: the JSON.
    """

    path: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Gather:
    """Run flows concurrently, at most ``limit`` at the same time, and reply with None; see `gather`.

    Attributes:
        flows: the flows to run.
        limit: how many run at the same time, at most; see `Concurrency`.
        release_on_offload: a flow that does offloaded work does not count towards the limit.
        at_first: how many of them run before their rate is known; fewer in threads with ``release_on_offload``.
    """

    flows: Sequence[Flow[None]]
    limit: int
    release_on_offload: bool = False
    at_first: int = AT_FIRST

    def workers(self, at_once: int) -> int:
        """Return how many threads or tasks run the flows, when so many flows may run at the same time."""
        return min(at_once + EXTRA_WORKERS if self.release_on_offload else at_once, len(self.flows))


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait this many seconds, and reply with None."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Offload:
    """Do blocking work on local files, in a thread where there is an event loop, and reply with None; see `offload`."""

    work: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Join:
    """Wait until another flow's read has ended, and reply with None; see `share_read`."""

    flight: Flight


Alone: TypeAlias = Send | Download | Upload | Post | Sleep | Offload | Join
"""An effect that runs no further flows."""

Effect: TypeAlias = Alone | Gather
Reply: TypeAlias = Response | None
Flow: TypeAlias = Generator[Effect, Reply, T]


def name_of(effect: Effect) -> str:
    """Return the operation or the path that an effect is about, as errors name it; empty for other effects."""
    if isinstance(effect, Send):
        return effect.operation.name
    if isinstance(effect, Post):
        return _path(effect.path)
    return _path(effect.url) if isinstance(effect, (Download, Upload)) else ""


def fetch(
    operation: Operation[T],
    *,
    fail_fast: bool = False,
    repeatable: bool = False,
    needs: Collection[str] = (),
    may_lack: Sequence[PartPath] = (),
) -> Flow[T]:
    """Send one operation and return the response's data as its model; see `Send`, and `codec.read_response`.

    Raises:
        AnswerError: the server refused, failed or reported GraphQL errors.
        SchemaDriftError: the data does not fit the model.
        TransportError: no usable response arrived.
    """
    response = _response((yield Send(operation, fail_fast, repeatable, needs)))
    return read_response(operation, response, may_lack)


def fetch_with_raw_lists(
    operation: Operation[T], *lists: RawList, fail_fast: bool = False
) -> Flow[tuple[T, Mapping[str, list[bytes]]]]:
    """As `fetch`, with some lists as JSON bytes beside the model; see `codec.read_response_with_raw_lists`."""
    response = _response((yield Send(operation, fail_fast)))
    data = read_response_with_raw_lists(operation, response, lists)
    response.release()
    return data


def fetch_with_list_size(
    operation: Operation[T], field: str, *, fail_fast: bool = False
) -> Flow[tuple[T, int | None]]:
    """As `fetch`, with the bytes that the list of strings under ``field`` takes; see `codec.string_list_size`."""
    response = _response((yield Send(operation, fail_fast)))
    data, size = read_response(operation, response), string_list_size(response.content, field)
    response.release()
    return data, size


def download(url: str, *, most_attempts: int | None = None) -> Flow[bytes]:
    """Get the content of a URL that the server named, following redirects; see `Download`.

    Each redirect is an effect of its own, so that the driver decides for each URL whether it may carry credentials.
    """
    response = yield from _follow_redirects(url, most_attempts=most_attempts)
    if response.status != 200:
        raise answer_error(_path(url), response)
    return response.content


def download_part(url: str, wanted: ByteRange, *, most_attempts: int | None = None) -> Flow[FilePart | None]:
    """Get some bytes of a file, following redirects; the whole file where the server sends no parts.

    Returns:
        None where the server sends other bytes than these, or refuses the range.

    Raises:
        AnswerError: the server refused the file.
    """
    response = yield from _follow_redirects(url, part=wanted, most_attempts=most_attempts)
    part = read_part(wanted, response)
    if part is None and response.status not in RANGE_REFUSED_STATUSES:
        raise answer_error(_path(url), response)
    return part


def download_whole(url: str, *, most_attempts: int | None = None) -> Flow[FilePart]:
    """As `download`, as the part that is the whole file."""
    response = yield from _follow_redirects(url, most_attempts=most_attempts)
    if response.status != 200:
        raise answer_error(_path(url), response)
    content = response.content
    return FilePart(0, content, len(content), response.headers.get("etag", ""))


def save(url: str, sink: Sink) -> Flow[None]:
    """Download a URL into a local file, following redirects.

    The write is atomic: the sink's target holds the whole new file, or what it held before.

    Raises:
        DigestMismatchError: the bytes are not those that the server announced.
        LocalFileError: the file cannot be written.
    """
    try:
        response = yield from _follow_redirects(url, sink)
        if response.status in RANGE_REFUSED_STATUSES and sink.received and not sink.accepted:
            sink.restart()
            response = yield from _follow_redirects(url, sink)
        if not sink.accepted:
            raise answer_error(_path(url), response)
        # For small files a thread hop costs more than the work.
        if sink.is_nearly_empty:
            sink.finish()
        else:
            yield from offload(sink.finish)
    finally:
        sink.discard()


def upload(url: str, source: Source, headers: Sequence[tuple[str, str]]) -> Flow[None]:
    """Put a file at a URL that the server named."""
    response = _response((yield Upload(url, source, tuple(headers))))
    if response.status // 100 != 2:
        raise answer_error(_path(url), response)


def post(path: str, content: bytes) -> Flow[None]:
    """Post JSON to a path of the API; see `Post`."""
    response = _response((yield Post(path, content)))
    if response.status // 100 != 2:
        raise answer_error(_path(path), response)


def gather(
    flows: Sequence[Flow[T]], *, limit: int, release_on_offload: bool = False, at_first: int = AT_FIRST
) -> Flow[list[T]]:
    """Run flows concurrently, at most ``limit`` at the same time, and return their results in their order.

    With ``release_on_offload`` a flow releases its slot while it does offloaded work, and `EXTRA_WORKERS` more flows
    run: one file downloads while another is hashed and written.

    The first error is raised. No further flow starts then; those that run end or are cancelled before it is raised.
    """
    results: dict[int, T] = {}

    def keep_result(index: int, flow: Flow[T]) -> Flow[None]:
        results[index] = yield from flow

    kept = [keep_result(index, flow) for index, flow in enumerate(flows)]
    yield Gather(kept, limit, release_on_offload, at_first)
    return [results[index] for index in range(len(flows))]


def offload(work: Callable[[], T]) -> Flow[T]:
    """Do blocking work on local files and return its result."""
    results: list[T] = []
    yield Offload(lambda: results.append(work()))
    return results[0]


def share_read(
    reads: SingleFlight, is_needed: Callable[[], bool], read: Callable[[], Flow[None]]
) -> Flow[None]:
    """Repeat ``read`` while it ``is_needed``; of several flows that need it at the same time one reads, the others wait.

    The waiting flows get the reader's `RunqlError`. When the reader is cancelled or interrupted, or its call's deadline
    passes, another flow reads.
    A ``read`` must not gather, nor start a read of another `SingleFlight`: two flows could wait for each other.
    """
    while is_needed():
        mine = Flight()
        # Inside `try` before anything begins, so that an interrupt between two instructions ends the flight too.
        try:
            current = reads.begin(mine)
            if current is mine:
                # Another read may have ended since `is_needed` was called.
                if is_needed():
                    yield from read()
                continue
        except DeadlineExceededError:
            # Of this flow's call alone: another flow reads.
            raise
        except RunqlError as error:
            mine.error = error
            raise
        finally:
            mine.end()
        yield Join(current)
        if current.error is not None:
            raise current.error


class ReadOnce(Generic[T]):
    """A value that is read when it is first needed, once for all flows that need it; see `share_read`."""

    def __init__(self, read: Callable[[], Flow[T]]) -> None:
        self._read = read
        self._values: list[T] = []
        self._reads = SingleFlight()

    def get(self) -> Flow[T]:
        """Return the value, after reading it if no flow has."""
        yield from share_read(self._reads, lambda: not self._values, self._read_value)
        return self._values[0]

    def _read_value(self) -> Flow[None]:
        self._values.append((yield from self._read()))


def sleep(seconds: float) -> Flow[None]:
    """Wait."""
    yield Sleep(seconds)


def _follow_redirects(
    url: str, sink: Sink | None = None, part: ByteRange | None = None, most_attempts: int | None = None
) -> Flow[Response]:
    response = _response((yield Download(url, sink, part, most_attempts)))
    most, followed = current_limits().redirects, 0
    while (location := response.headers.get("location")) is not None and response.status // 100 == 3:
        if followed == most:
            name = _path(url)
            raise TooManyRedirectsError(
                f"{name} is redirected more than {most} times", limit="redirects", most=most, operation=name
            )
        followed += 1
        url = _join_url(url, location)
        response = _response((yield Download(url, sink, part, most_attempts)))
    return response


def _path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def _join_url(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise ConnectionFailedError("the server redirects to something that is no URL") from error


def _response(reply: Reply) -> Response:
    if reply is None:
        raise TypeError("the driver replied None where a response was due")
    return reply
