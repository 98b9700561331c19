"""Deletions whose response may be lost: one read finds out whether they happened."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from runql.errors import (
    DeletionUnconfirmedError,
    InvalidAnswerError,
    MismatchedResponseError,
    NotFoundError,
    ProjectNotFoundError,
    RunqlError,
    SchemaDriftError,
    ServerFailureError,
    TransportError,
)
from runql.transport.flow import Flow
from runql.transport.retry import NOT_IMPLEMENTED

T = TypeVar("T")


def confirm_deletion(deletion: Flow[T], is_there: Callable[[], Flow[bool]], subject: str) -> Flow[T | None]:
    """Send a deletion once; if its response is lost, send one read to find out whether it happened.

    Args:
        deletion: the flow that sends it.
        is_there: the flow that reads whether its object still exists.
        subject: names the object in the error.

    Returns:
        What ``deletion`` returns; None if its response was lost and the object is gone.

    Raises:
        DeletionUnconfirmedError: the object still exists, or the read failed.
    """
    try:
        return (yield from deletion)
    except (
        *(TransportError, ServerFailureError, InvalidAnswerError),
        *(SchemaDriftError, MismatchedResponseError),
    ) as error:
        if not _may_have_happened(error):
            raise
        lost = error
    found: bool | None
    try:
        found = yield from is_there()
    except ProjectNotFoundError:
        # The project is absent or hidden: nothing is known about what is in it.
        found = None
    except NotFoundError:
        found = False
    except RunqlError:
        found = None
    if found is not False:
        raise DeletionUnconfirmedError(subject, found, str(lost)) from lost
    return None


def _may_have_happened(error: RunqlError) -> bool:
    if isinstance(error, TransportError):
        return error.sent
    if isinstance(error, ServerFailureError):
        return error.status != NOT_IMPLEMENTED
    # A proxy may send its own page with status 200; any other status is a refusal.
    return not isinstance(error, InvalidAnswerError) or error.status == 200
