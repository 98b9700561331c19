"""What a strictly typed program sees of an error that it catches. Checked, never run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_type

from runql import (
    AccessDeniedError,
    AnswerError,
    AuthenticationError,
    CorruptHistoryError,
    GraphQLProblem,
    HistoryNotExportedError,
    IncompleteHistoriesError,
    IncompleteHistoryError,
    IncompleteUpdateError,
    InvalidAnswerError,
    MissingExtraError,
    ProjectNotFoundError,
    QueryError,
    RateLimitedError,
    RequestTimedOutError,
    RunChangedError,
    RunNotFoundError,
    RunqlError,
    SchemaDriftError,
    ServerFailureError,
    TransportError,
)


def answers(error: AnswerError) -> None:
    """The server said no."""
    assert_type(error.message, str)
    assert_type(error.status, int)
    assert_type(error.operation, str)
    assert_type(error.attempts, int)
    if isinstance(error, RateLimitedError):
        assert_type(error.retry_after, float | None)
    if isinstance(error, QueryError):
        assert_type(error.problems, tuple[GraphQLProblem, ...])
        assert_type(error.problems[0].message, str)
        assert_type(error.problems[0].path, tuple[str | int, ...])
        assert_type(error.data, Mapping[str, object] | None)


def nothing_usable(error: TransportError) -> None:
    """No answer came."""
    assert_type(error.message, str)
    assert_type(error.operation, str)
    assert_type(error.attempts, int)


def not_there(error: RunNotFoundError, project: ProjectNotFoundError) -> None:
    """What was asked for is absent."""
    assert_type((error.entity, error.project, error.run_id), tuple[str, str, str])
    assert_type((project.entity, project.project), tuple[str, str])


def others(drift: SchemaDriftError, incomplete: IncompleteHistoriesError, extra: MissingExtraError) -> None:
    """What they carry."""
    assert_type(drift.operation, str)
    assert_type(drift.places, tuple[str, ...])
    assert_type(incomplete.partial, list[Mapping[str, object]])
    assert_type(incomplete.failed, tuple[str, ...])
    assert_type((extra.library, extra.extra), tuple[str, str])


def not_exported(error: HistoryNotExportedError) -> None:
    """Rows are in no file."""
    assert_type((error.run, error.live_rows), tuple[str, int])


def missing(error: IncompleteHistoryError, corrupt: CorruptHistoryError) -> None:
    """Rows that did not come, or cannot be read."""
    assert_type((error.run, error.found, error.expected), tuple[str, int, int | None])
    assert_type(error.partial, list[Mapping[str, object]])
    assert_type((corrupt.run, corrupt.row), tuple[str, int])


def writing(changed: RunChangedError, incomplete: IncompleteUpdateError) -> None:
    """Why a run was not written, or only in part."""
    assert_type(changed.fields, tuple[str, ...])
    assert_type((incomplete.written, incomplete.failed), tuple[tuple[str, ...], tuple[str, ...]])


def one_root(
    error: AuthenticationError | AccessDeniedError | ServerFailureError | InvalidAnswerError,
    timeout: RequestTimedOutError,
) -> tuple[RunqlError, AnswerError, TimeoutError, LookupError]:
    """Errors are what the standard library calls them, too."""
    return error, error, timeout, RunNotFoundError("e", "p", "r")
