"""The logic's side of the wire: a flow yields effects, a driver performs them and sends the replies back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar
from urllib.parse import urljoin, urlsplit

from runql.errors import ConnectionFailedError, RunqlError
from runql.transport.bodies import Sink, Source
from runql.transport.byte_ranges import ByteRange, FilePart, read_part
from runql.transport.codec import (
    RawList,
    answer_error,
    read_response,
    read_response_with_raw_lists,
    string_list_size,
)
from runql.transport.single_flight import Flight, SingleFlight
from runql.transport.wire import Response
from runql_graphql.operation import Operation

T = TypeVar("T")
MAX_REDIRECTS = 5

DEFAULT_CONCURRENCY = 8
"""Flows that a `Gather` has under way at the same time, where its caller does not say."""

EXTRA_WORKERS = 2
"""Flows that may do offloaded work beside those that a `Gather` has under way; more of them take turns with these."""

EXPIRED_URL_STATUSES = (400, 403)
"""What storages answer to a signed URL whose time is over (Google's the first, Amazon's the second): a new one is asked for, once."""

RANGE_REFUSED_STATUSES = (206, 416)
"""Answers to a request for the rest of a file: another part than the one asked for, or none."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send one operation, and reply with the `Response`.

    Attributes:
        operation: what to send.
        fail_fast: give up at the first server failure or timeout; the flow then asks for less instead.
        repeatable: sending it twice does no harm although it is a mutation; queries always are.
        needs: parts of the schema that the flow has an older way without. When the server has refused one of them
            before, nothing is sent and `OutdatedServerError` is thrown.
    """

    operation: Operation[Any]  # Any: the driver does not read the answer, `fetch` does
    fail_fast: bool = False
    repeatable: bool = False
    needs: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Download:
    """Get what lies at a URL that the server named, and reply with the `Response`.

    Attributes:
        url: absolute, or relative to the base URL.
        sink: takes the body of a good answer, the `Response` is then empty; None keeps it in memory.
        part: only these bytes are wanted, in memory; a server may answer with all of them.
    """

    url: str
    sink: Sink | None = None
    part: ByteRange | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """Put a file at a URL that the server named, without our credentials, and reply with the `Response`.

    Attributes:
        url: absolute, or a path that the base URL is put in front of.
        source: the bytes.
        headers: what the server wants the request to carry.
    """

    url: str
    source: Source
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Gather:
    """Run flows, several at once but never more than ``limit``, and reply with None; see `gather`.

    Attributes:
        flows: what to run.
        limit: how many of them at once.
        release_on_offload: those that do offloaded work do not count.
    """

    flows: Sequence[Flow[None]]
    limit: int
    release_on_offload: bool = False

    @property
    def workers(self) -> int:
        """Threads or tasks that run them."""
        return min(self.limit + EXTRA_WORKERS if self.release_on_offload else self.limit, len(self.flows))


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait this many seconds, and reply with None."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Offload:
    """Do blocking work on local files, away from the event loop where there is one, and reply with None; see `offload`."""

    work: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Join:
    """Wait until another flow's read is over, and reply with None; see `single`."""

    flight: Flight


Effect: TypeAlias = Send | Download | Upload | Gather | Sleep | Offload | Join
Reply: TypeAlias = Response | None
Flow: TypeAlias = Generator[Effect, Reply, T]


def fetch(
    operation: Operation[T],
    *,
    fail_fast: bool = False,
    repeatable: bool = False,
    needs: Collection[str] = (),
) -> Flow[T]:
    """Send one operation and read its answer; see `Send`.

    Raises:
        AnswerError: the server refused, failed or reported GraphQL errors.
        SchemaDriftError: the answer does not fit the model.
        TransportError: nothing usable arrived.
    """
    response = _response((yield Send(operation, fail_fast, repeatable, needs)))
    return read_response(operation, response)


def fetch_with_raw_lists(
    operation: Operation[T], *cuts: RawList, fail_fast: bool = False
) -> Flow[tuple[T, Mapping[str, list[bytes]]]]:
    """As `fetch`, with some lists as texts beside the model; see `codec.read_response_with_raw_lists`."""
    response = _response((yield Send(operation, fail_fast)))
    answer = read_response_with_raw_lists(operation, response, cuts)
    response.release()
    return answer


def fetch_with_list_size(
    operation: Operation[T], field: str, *, fail_fast: bool = False
) -> Flow[tuple[T, int | None]]:
    """As `fetch`, with the bytes that the list of texts under ``field`` took; see `codec.string_list_size`."""
    response = _response((yield Send(operation, fail_fast)))
    answer, size = read_response(operation, response), string_list_size(response.content, field)
    response.release()
    return answer, size


def download(url: str) -> Flow[bytes]:
    """Get the bytes at a URL that the server named, following redirects.

    Each hop is an effect of its own, so that the driver decides anew whether it may carry credentials.
    """
    response = yield from _followed(url)
    if response.status != 200:
        raise answer_error(_path(url), response)
    return response.content


def download_part(url: str, wanted: ByteRange) -> Flow[FilePart]:
    """Get some bytes of what lies at a URL that the server named, following redirects; all of them where it does not give less.

    Raises:
        AnswerError: it was refused, or other bytes came than were asked for.
    """
    response = yield from _followed(url, part=wanted)
    part = read_part(wanted, response)
    if part is None:
        raise answer_error(_path(url), response)
    return part


def save(url: str, sink: Sink) -> Flow[None]:
    """Get what lies at a URL that the server named into a file, following redirects.

    Whatever happens, the sink's target holds what it held before or the whole new file, and nothing lies beside it.

    Raises:
        DigestMismatchError: other bytes arrived than the server told of.
        LocalFileError: the disk did not take them.
    """
    try:
        response = yield from _followed(url, sink)
        if response.status in RANGE_REFUSED_STATUSES and sink.received and not sink.accepted:
            sink.restart()
            response = yield from _followed(url, sink)
        if not sink.accepted:
            raise answer_error(_path(url), response)
        # Going elsewhere for little takes longer.
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


def gather(flows: Sequence[Flow[T]], *, limit: int, release_on_offload: bool = False) -> Flow[list[T]]:
    """Run flows, at most ``limit`` at once, and give their results in their order.

    With ``release_on_offload`` up to `EXTRA_WORKERS` more may do offloaded work, which does not count: the connection of a file that
    has arrived fetches the next while that one is hashed and written.

    The first failure is raised; no further flow is then begun, and those under way end or are cancelled before.
    """
    results: dict[int, T] = {}

    def kept(index: int, flow: Flow[T]) -> Flow[None]:
        results[index] = yield from flow

    yield Gather([kept(index, flow) for index, flow in enumerate(flows)], limit, release_on_offload)
    return [results[index] for index in range(len(flows))]


def offload(work: Callable[[], T]) -> Flow[T]:
    """Do blocking work on local files and give its result."""
    results: list[T] = []
    yield Offload(lambda: results.append(work()))
    return results[0]


def share_read(
    flights: SingleFlight, is_needed: Callable[[], bool], read: Callable[[], Flow[None]]
) -> Flow[None]:
    """Repeat ``read`` while it ``is_needed``; of several flows that need it at the same time one reads, the others wait.

    Those that wait get the reader's `RunqlError`. When the reader is cancelled or interrupted, one of them reads.
    A ``read`` must neither gather nor begin a read of another `SingleFlight`: two such flows could wait for each other.
    """
    while is_needed():
        mine = Flight()
        # Before anything is begun, so that an interrupt between two instructions ends it too.
        try:
            current = flights.begin(mine)
            if current is mine:
                # The read before may have ended between the two looks.
                if is_needed():
                    yield from read()
                continue
        except RunqlError as error:
            mine.error = error
            raise
        finally:
            mine.end()
        yield Join(current)
        if current.error is not None:
            raise current.error


class ReadOnce(Generic[T]):
    """A value that is read when it is first needed, however many flows need it at the same time; see `single`."""

    def __init__(self, read: Callable[[], Flow[T]]) -> None:
        self._read = read
        self._values: list[T] = []
        self._reads = SingleFlight()

    def get(self) -> Flow[T]:
        """The value, read when nobody has read it yet."""
        yield from share_read(self._reads, lambda: not self._values, self._fill)
        return self._values[0]

    def _fill(self) -> Flow[None]:
        self._values.append((yield from self._read()))


def _followed(url: str, sink: Sink | None = None, part: ByteRange | None = None) -> Flow[Response]:
    response = _response((yield Download(url, sink, part)))
    for _ in range(MAX_REDIRECTS):
        location = response.headers.get("location")
        if response.status // 100 != 3 or location is None:
            break
        url = _joined(url, location)
        response = _response((yield Download(url, sink, part)))
    return response


def sleep(seconds: float) -> Flow[None]:
    """Wait."""
    yield Sleep(seconds)


def _path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise ConnectionFailedError("the server redirects to something that is no URL") from error


def _response(reply: Reply) -> Response:
    if reply is None:
        raise TypeError("the driver replied None where a response was due")
    return reply
