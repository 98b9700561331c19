"""One DEBUG line for each request."""

from __future__ import annotations

import logging
from typing import Final

from runql.escaping import one_line
from runql.transport.response_headers import request_id
from runql.transport.wire import Failure, Request, Response

logger: Final = logging.getLogger("runql.transport")


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
