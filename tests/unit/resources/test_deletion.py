"""What became of a deletion whose response was lost, stepped by hand."""

from __future__ import annotations

import pytest
from tests.unit.resources.answers import in_project
from tests.unit.transport.stepping import answered, played, sent

from runql.errors import (
    AccessDeniedError,
    ConnectionFailedError,
    DeletionUnconfirmedError,
    InvalidAnswerError,
    RequestTimedOutError,
    RunqlError,
    ServerFailureError,
)
from runql.paths import RunAddress
from runql.resources.runs.mutations import delete
from runql.transport.flow import Flow
from runql.transport.wire import Response

THERE = in_project(run={"state": "running"})
GONE = in_project(run=None)
HIDDEN = answered({"project": None})

LOST = [
    ConnectionFailedError("hung up"),
    RequestTimedOutError("silent"),
    Response(502, b"bad gateway"),
    Response(408, b""),
    Response(200, b"<html>"),
    Response(200, b'{"data": {"deleteRun": {'),
    answered({"deleteRun": {"clientMutationId": ["x"]}}),
]
each_loss = pytest.mark.parametrize("lost", LOST)


def deleting() -> Flow[None]:
    return delete(RunAddress("e", "p", "r"), "storage:r", with_artifacts=False)


@each_loss
def test_what_is_gone_was_deleted(lost: Response | RunqlError) -> None:
    _, effects = played(deleting(), [lost, GONE])
    assert [sent(effect).name for effect in effects] == ["DeleteRun", "GetRunState"]


@each_loss
def test_what_is_there_was_not(lost: Response | RunqlError) -> None:
    with pytest.raises(DeletionUnconfirmedError, match=r"run e/p/r was lost .* still exists") as caught:
        played(deleting(), [lost, THERE])
    assert (caught.value.subject, caught.value.is_there) == ("run e/p/r", True)
    assert caught.value.__cause__ is not None


@each_loss
@pytest.mark.parametrize(
    "second", [ConnectionFailedError("down"), HIDDEN, Response(503, b""), Response(403, b"")]
)
def test_what_cannot_be_asked_for_may_have_been(
    lost: Response | RunqlError, second: Response | RunqlError
) -> None:
    with pytest.raises(DeletionUnconfirmedError, match="may have been deleted") as caught:
        played(deleting(), [lost, second])
    assert caught.value.is_there is None


def unsent() -> RunqlError:
    error = ConnectionFailedError("no such host")
    error.sent = False
    return error


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (unsent(), ConnectionFailedError),
        (Response(403, b"no"), AccessDeniedError),
        (Response(404, b"no"), InvalidAnswerError),
        (Response(501, b"no"), ServerFailureError),
    ],
)
def test_a_deletion_that_did_not_happen_is_not_asked_about(
    reply: Response | RunqlError, error: type[RunqlError]
) -> None:
    with pytest.raises(error):
        played(deleting(), [reply])
