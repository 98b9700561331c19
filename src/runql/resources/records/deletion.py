"""Deletions whose response may be lost: what became of them is found out by one read."""

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
    """Run a deletion, which is sent once; when its response is lost, ask whether what it deletes ``is_there``.

    Returns:
        What ``deletion`` returns, None when its response was lost and nothing is there any more.

    Raises:
        DeletionUnconfirmedError: it is still there, or the server cannot be asked.
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
        # Absent or hidden, which says nothing about what lies in it.
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
    # A proxy's page in place of the server's response; any other status is a refusal.
    return not isinstance(error, InvalidAnswerError) or error.status == 200
