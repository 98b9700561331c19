"""The logic's side of the wire: a flow yields effects, a driver performs them and sends the replies back."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar
from urllib.parse import urljoin, urlsplit

from runql.errors import ConnectionFailedError
from runql.transport.codec import answer_error, read_answer
from runql.transport.wire import Response
from runql_graphql.operation import Operation

T = TypeVar("T")
MAX_REDIRECTS = 5


@dataclass(frozen=True, slots=True)
class Send:
    """Send one operation, and reply with the `Response`.

    Attributes:
        operation: what to send.
        spare_server: give up at the first server failure or timeout; the flow then asks for less instead.
        repeatable: sending it twice does no harm although it is a mutation; queries always are.
    """

    operation: Operation[Any]  # Any: the driver does not read the answer, `fetch` does
    spare_server: bool = False
    repeatable: bool = False


@dataclass(frozen=True, slots=True)
class Download:
    """Get what lies at a URL that the server named, and reply with the `Response`."""

    url: str


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait this many seconds, and reply with None."""

    seconds: float


Effect: TypeAlias = Send | Download | Sleep
Reply: TypeAlias = Response | None
Flow: TypeAlias = Generator[Effect, Reply, T]


def fetch(operation: Operation[T], *, spare_server: bool = False, repeatable: bool = False) -> Flow[T]:
    """Send one operation and read its answer.

    Raises:
        AnswerError: the server refused, failed or reported GraphQL errors.
        SchemaDriftError: the answer does not fit the model.
        TransportError: nothing usable arrived.
    """
    response = _response((yield Send(operation, spare_server, repeatable)))
    return read_answer(operation, response)


def download(url: str) -> Flow[bytes]:
    """Get the bytes at a URL that the server named, following redirects.

    Each hop is an effect of its own, so that the driver decides anew whether it may carry credentials.
    """
    name = _path(url)
    response = _response((yield Download(url)))
    for _ in range(MAX_REDIRECTS):
        location = response.headers.get("location")
        if response.status // 100 != 3 or location is None:
            break
        url = _joined(url, location)
        response = _response((yield Download(url)))
    if response.status != 200:
        raise answer_error(name, response)
    return response.content


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
