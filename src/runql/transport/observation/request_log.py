"""One DEBUG line for each request."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from runql.escaping import one_line
from runql.transport.wire import Failure, Request, Response

logger: Final = logging.getLogger("runql.transport")

MOST_OF_ID: Final = 100
"""Characters of a request id."""

ID_HEADERS: Final = (
    "x-request-id",
    "request-id",
    "x-amz-request-id",
    "x-guploader-uploadid",
    "x-cloud-trace-context",
)
"""Headers in which servers and storages name a request."""


def log_request(request: Request, outcome: Response | Failure, attempt: int) -> None:
    """Log operation or path, status or error, bytes of the response as received, milliseconds, attempt and request id."""
    if not logger.isEnabledFor(logging.DEBUG):
        return
    milliseconds = outcome.elapsed * 1000
    name = one_line(request.name, 200)
    if isinstance(outcome, Failure):
        logger.debug("%s: %s, %.1f ms, attempt %d", name, type(outcome.error).__name__, milliseconds, attempt)
        return
    logger.debug(
        "%s: status %d, %d bytes, %.1f ms, attempt %d, request id %s",
        name,
        outcome.status,
        outcome.received,
        milliseconds,
        attempt,
        request_id(outcome.headers) or "-",
    )


def request_id(headers: Mapping[str, str]) -> str:
    """Return the id that the server gave a request, for its operators to find it; empty when it gave none."""
    found = next((headers[name] for name in ID_HEADERS if name in headers), "")
    return one_line(found, MOST_OF_ID)
