"""Every error that runql raises, in one tree.

RunqlError
├── ConfigurationError (ValueError)         settings that cannot be used
│   └── MissingCredentialsError             no API key was found anywhere
├── PathError (ValueError)                  a run, project or sweep path that cannot be read
├── MissingExtraError (ImportError)         an optional library is not installed
├── ClientClosedError                       a request was made after ``close()``
├── UnshareableError (TypeError)            a client was pickled, or used where its connections cannot follow
├── DriftInputError (ValueError)            a schema, query, recording or approvals file cannot be read
├── IntrospectionRefusedError               the server does not allow introspection
├── TransportError                          no usable response arrived
│   ├── ConnectionFailedError               the host could not be reached, or closed the connection
│   ├── RequestTimedOutError (TimeoutError) the host did not respond in time
│   ├── DeadlineExceededError (TimeoutError) the call did not end within its deadline
│   ├── DigestMismatchError                 the received bytes are not those of the file
│   └── ResponseLimitError                  a response is beyond one of `Limits`; defined in `runql.limits`
│       ├── ResponseTooLargeError           its bytes, as received or after decompression
│       ├── RowTooLargeError                the bytes of a history row; also an UnreadableValueError
│       ├── JSONTooDeepError                the nesting of its JSON; also an UnreadableValueError
│       └── TooManyRedirectsError           such as redirects in a circle
├── AnswerError                             the server responded with a refusal or a failure
│   ├── AuthenticationError                 401: the API key is missing or wrong
│   ├── AccessDeniedError                   403: the key may not do this
│   ├── RateLimitedError                    429: too many requests; see ``retry_after``
│   ├── ServerFailureError                  5xx or 408
│   ├── InvalidAnswerError                  another status, or a body that is not JSON
│   └── QueryError                          GraphQL errors; partial data stays in ``data``
│       └── OutdatedServerError             the server does not know a part of the query
├── MismatchedResponseError                 the response is about another run, project, sweep or artifact
├── NotFoundError (LookupError)             the object does not exist, or this key may not see it
│   ├── ProjectNotFoundError
│   ├── RunNotFoundError
│   ├── SweepNotFoundError
│   ├── FileNotFoundInRunError
│   ├── ArtifactNotFoundError
│   ├── UnorderedError                      ``missing="raise"``: no run has the value that an order compares
│   ├── EntryNotFoundError (KeyError)       the artifact's manifest has no entry of this name
│   └── NoItemError                         ``one()`` of a list that is empty
├── SeveralItemsError (LookupError)         ``one()`` of a list that has more than one item
├── UnreadableValueError (ValueError)       a JSON string that the server stores cannot be decoded
│   └── CorruptHistoryError                 such as a history row
├── UnexpectedValueError (ValueError)       a value is not of the type that the caller asked for
├── UnreadableTableError                    the value logged under a name is no table
├── FrameValueError (ValueError)            a value does not fit the dtype that ``schema`` asks for
├── UnsafeNameError (ValueError)            file names that leave their folder, or that this system cannot store
├── LocalFileError (OSError)                a local file cannot be read or written
├── UploadRefusedError                      the server does not accept a file
├── DeletionRefusedError                    the server does not delete a file
├── DeletionUnconfirmedError                the response to a deletion was lost; it may have happened
├── ChangeRefusedError                      the server does not make a change, and gives no reason
├── ArtifactPendingError                    an artifact version is still being written
├── ManifestError                           an artifact's list of files cannot be read
├── ArtifactDamagedError (ValueError)       local files are not those of the artifact
├── ReferenceUnavailableError               a file that an artifact refers to cannot be fetched
├── ArchiveError                            a folder is no whole archive, or a project cannot take it; in `runql.archive`
├── RunChangedError                         ``update(if_unchanged=True)``: the run was changed since it was read
├── IncompleteUpdateError                   some parts of an update were written, the others were not
├── NotLoadedError                          a property of an async run or sweep was read before ``load()``
├── SchemaDriftError                        the response does not fit the generated model
├── PaginationError                         a cursor does not advance, or a page has null in place of an item
├── HistoryNotExportedError                 some history rows are in no parquet file
├── IncompleteHistoryError                  the server does not send every row of a run; received rows are in ``partial``
├── IncompleteHistoriesError                some runs could not be read; the others are in ``partial``
└── RunStillActiveError (TimeoutError)      ``wait_until_finished(timeout=...)`` ran out of time

Bad arguments raise plain ``ValueError`` or ``TypeError`` before anything is sent. The warning classes are
`UnorderedWarning`, `PartialResultWarning` in `runql.partial_results`, and `OfflineRunsWarning` in `runql.opened`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runql.escaping import one_line

MOST_SHOWN: Final = 80  # characters of a value in a message

_KEPT_BY_BASES: Final = ("errno", "strerror", "filename", "msg")
"""Attributes that `OSError` and `ImportError` keep outside an error's ``__dict__``."""


class RunqlError(Exception):
    """The root of every error that runql raises; each can be copied and pickled, with its attributes.

    Its message is one line of limited length, in which what is not printable is escaped. Attributes hold raw values.
    """

    def __str__(self) -> str:
        return one_line(Exception.__str__(self))

    def __reduce__(self) -> tuple[object, ...]:
        # By default Python calls the class with `args`, which fails for classes whose constructors take other arguments.
        state = dict(vars(self))
        for name in _KEPT_BY_BASES:
            value: object = getattr(self, name, None)
            if value is not None:
                state[name] = value
        return _restore, (type(self), self.args), state


def _restore(kind: type[RunqlError], args: tuple[object, ...]) -> RunqlError:
    """Make an error without calling its constructor; `pickle` and `copy` then set its attributes."""
    error = kind.__new__(kind, *args)
    error.args = args
    return error


class ConfigurationError(RunqlError, ValueError):
    """A setting cannot be used; the message names it, its source, and a valid value."""


class MissingCredentialsError(ConfigurationError):
    """No API key was found in the arguments, the environment or netrc."""


class PathError(RunqlError, ValueError):
    """A path names no run, project or sweep; the message lists the valid forms."""


class MissingExtraError(RunqlError, ImportError):
    """A call needs an optional library; the message gives the command that installs it."""

    def __init__(self, library: str, *, extra: str, needed_for: str) -> None:
        self.library = library
        self.extra = extra
        super().__init__(
            f"{needed_for} needs {library}, which is not installed: pip install 'runql[{extra}]'"
        )


class ClientClosedError(RunqlError):
    """A request was made after the client was closed; data that was read before stays readable."""


class UnshareableError(RunqlError, TypeError):
    """A client was pickled, or one made with ``transport=`` was used in a forked child or another event loop."""


class DriftInputError(RunqlError, ValueError):
    """An input file of the drift check cannot be read; the message names the file and the mistake."""


class IntrospectionRefusedError(RunqlError):
    """The server responds, but does not return its schema: introspection is switched off there."""


class TransportError(RunqlError):
    """No usable response arrived.

    Attributes:
        operation: name of the GraphQL operation, or the path of the file.
        attempts: how many times the request was sent.
        sent: whether the server may have received the request.
        seconds: from the first attempt to the end of the last, waits included.
        waited: seconds of them that were waits between attempts.
    """

    sent: bool = True
    seconds: float = 0.0
    waited: float = 0.0

    def __init__(self, message: str, *, operation: str = "", attempts: int = 1) -> None:
        self.message = message
        self.operation = operation
        self.attempts = attempts
        super().__init__(message)

    def __str__(self) -> str:
        return _with_request(self.message, self.operation, self.attempts, self.seconds, self.waited)


class ConnectionFailedError(TransportError):
    """The host could not be reached, or closed the connection before it responded."""


class RequestTimedOutError(TransportError, TimeoutError):
    """The host did not respond within the timeout."""


class DeadlineExceededError(TransportError, TimeoutError):
    """The call did not end within its deadline; see ``deadline`` of `Api`."""


class DigestMismatchError(TransportError):
    """The received bytes are not those of the file; nothing was saved."""


class AnswerError(RunqlError):
    """The server responded with a refusal or a failure.

    Attributes:
        status: the HTTP status.
        operation: name of the GraphQL operation, or the path of the file.
        attempts: how many times the request was sent.
        seconds: as of `TransportError`.
        waited: as of `TransportError`.
        request_id: the server's id of the request; None where it sends none.
    """

    seconds: float = 0.0
    waited: float = 0.0
    request_id: str | None = None

    def __init__(self, message: str, *, status: int, operation: str = "", attempts: int = 1) -> None:
        self.message = message
        self.status = status
        self.operation = operation
        self.attempts = attempts
        super().__init__(message)

    def __str__(self) -> str:
        start = _with_request(self.message, self.operation, self.attempts, self.seconds, self.waited)
        return start + (f" (request id {self.request_id})" if self.request_id else "")


class AuthenticationError(AnswerError):
    """The server does not accept the API key (401)."""


class AccessDeniedError(AnswerError):
    """The API key is valid but may not do this (403)."""


class RateLimitedError(AnswerError):
    """The server refused too many requests (429), also after retries.

    Attributes:
        retry_after: seconds that the server asked to wait, or None when it did not say.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        operation: str = "",
        attempts: int = 1,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, status=status, operation=operation, attempts=attempts)
        self.retry_after = retry_after


class ServerFailureError(AnswerError):
    """The server, or a proxy before it, failed (5xx) or gave up waiting (408)."""


class InvalidAnswerError(AnswerError):
    """The response has an unexpected status, or its body is not a GraphQL response."""


@dataclass(frozen=True)
class GraphQLProblem:
    """One entry of a GraphQL response's ``errors``.

    Attributes:
        message: the server's message.
        path: where in the response it happened, such as ``("project", "run")``; empty when the server does not say.
    """

    message: str
    path: tuple[str | int, ...] = ()


class QueryError(AnswerError):
    """The server reported GraphQL errors.

    Attributes:
        problems: every error that the server reported, in its order.
        data: the partial data that came with them, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        operation: str = "",
        attempts: int = 1,
        problems: Sequence[GraphQLProblem] = (),
        data: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message, status=status, operation=operation, attempts=attempts)
        self.problems: tuple[GraphQLProblem, ...] = tuple(problems)
        self.data = data


class OutdatedServerError(QueryError):
    """The server does not know a part of the query: it is older than this runql, or another implementation.

    Attributes:
        unknown: the parts that it does not know, such as ``("Run.projectId",)``.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        operation: str = "",
        attempts: int = 1,
        problems: Sequence[GraphQLProblem] = (),
        unknown: Sequence[str] = (),
    ) -> None:
        super().__init__(message, status=status, operation=operation, attempts=attempts, problems=problems)
        self.unknown: tuple[str, ...] = tuple(unknown)


class MismatchedResponseError(RunqlError):
    """The response is about another object than the request; runql uses nothing of it.

    Attributes:
        asked: the object of the request, such as ``run entity/project/id``.
        found: the object of the response.
    """

    def __init__(self, asked: str, found: str) -> None:
        self.asked = asked
        self.found = found
        super().__init__(
            f"the request is about {asked}, the response about {found}: nothing of it was used. "
            "If it was renamed, use its new name; otherwise a proxy or a cache on the way mixes up responses"
        )


class NotFoundError(RunqlError, LookupError):
    """The object does not exist, or this API key may not see it."""


class NoItemError(NotFoundError):
    """A list of which the only item was requested is empty; ``first()`` returns None there."""

    def __init__(self, description: str) -> None:
        super().__init__(f"{description} is empty, and one() returns its only item: check filters and names")


class SeveralItemsError(RunqlError, LookupError):
    """A list of which the only item was requested has more than one; ``first()`` returns the first of them."""

    def __init__(self, description: str) -> None:
        super().__init__(
            f"{description} has more than one item, and one() returns the only one: "
            "filter for one of them, or take the first by first()"
        )


class ProjectNotFoundError(NotFoundError):
    """The server returned null for the project: it does not exist, or this API key may not see it."""

    def __init__(self, entity: str, project: str) -> None:
        self.entity = entity
        self.project = project
        super().__init__(
            f"project {entity}/{project} does not exist, or your API key may not see it "
            "(the server's response is the same for both): check the spelling, the entity and the key"
        )


class RunNotFoundError(NotFoundError):
    """The project exists but has no run with this id."""

    def __init__(self, entity: str, project: str, run_id: str) -> None:
        self.entity = entity
        self.project = project
        self.run_id = run_id
        super().__init__(
            f"run {entity}/{project}/{run_id} does not exist: a run is addressed by its id "
            "(the last part of its URL), not by its display name"
        )


class RunChangedError(RunqlError):
    """The run was changed on the server since it was read; nothing was written.

    Attributes:
        fields: the changed fields, such as ``("summary", "tags")``.
    """

    def __init__(self, run: str, fields: Sequence[str]) -> None:
        self.fields: tuple[str, ...] = tuple(fields)
        super().__init__(
            f"run {run} has changed since it was read ({', '.join(self.fields)}), so nothing was written: "
            "load(force=True) reads it again and discards your changes, update() overwrites the changes of others"
        )


class IncompleteUpdateError(RunqlError):
    """Some of a run's or an artifact's fields were written, the others were not.

    Attributes:
        written: the fields that the server stores now.
        failed: the others, such as ``("config.lr",)``. After a failed request they stay changed in memory, and the same
            call retries them. Where the server kept other values, such as deleted keys, memory holds the server's.
    """

    def __init__(self, subject: str, written: Sequence[str], failed: Sequence[str], reason: str) -> None:
        self.written: tuple[str, ...] = tuple(written)
        self.failed: tuple[str, ...] = tuple(failed)
        lost = first_few(self.failed)
        state = (
            f"{subject} is updated in part: {first_few(self.written)} was written, {lost} was not"
            if self.written
            else f"{subject} is not updated: {lost} was not written"
        )
        super().__init__(f"{state}: {reason}")


class SweepNotFoundError(NotFoundError):
    """The project exists but has no sweep with this id."""

    def __init__(self, entity: str, project: str, sweep_id: str) -> None:
        self.entity = entity
        self.project = project
        self.sweep_id = sweep_id
        super().__init__(
            f"sweep {entity}/{project}/{sweep_id} does not exist: a sweep is addressed by its id "
            "(the last part of its URL), not by its name"
        )


class FileNotFoundInRunError(NotFoundError):
    """The run has no file of this name; a file that was announced and never uploaded does not count."""

    def __init__(self, run_path: str, name: str) -> None:
        self.run_path = run_path
        self.name = name
        super().__init__(f"run {run_path} has no file {name!r}: Run.files() lists those it has")


class UnsafeNameError(RunqlError, ValueError):
    """File names lead out of the folder they are saved to, or this system cannot store them.

    Attributes:
        refused: the reasons, by name.
        saved: paths of the other files of the same call, which were saved.
    """

    def __init__(self, refused: Mapping[str, str], saved: Sequence[Path] = (), doing: str = "saved") -> None:
        self.refused: dict[str, str] = dict(refused)
        self.saved: tuple[Path, ...] = tuple(saved)
        self.doing = doing
        super().__init__(self.refused, self.saved, doing)

    def __str__(self) -> str:
        if len(self.refused) == 1:
            ((name, reason),) = self.refused.items()
            message = f"{name!r} is not {self.doing}: {reason}"
        else:
            reasons = first_few([f"{name!r} ({reason})" for name, reason in self.refused.items()])
            message = f"{len(self.refused)} files are not {self.doing}: {reasons}"
        return one_line(f"{message}. The other {len(self.saved)} are {self.doing}" if self.saved else message)


class LocalFileError(RunqlError, OSError):
    """A local file cannot be read or written; ``errno`` says why, as for any `OSError`."""

    def __init__(self, message: str, reason: OSError) -> None:
        super().__init__(f"{message}: {reason.strerror or reason}")
        self.errno: int | None = reason.errno


class UnreadableValueError(RunqlError, ValueError):
    """A JSON string that the server stores, such as a config or a history row, cannot be decoded; the message shows its start."""


class UnexpectedValueError(RunqlError, ValueError):
    """A value of a run is not of the type that the caller asked for.

    Attributes:
        run: entity, project and run id.
        place: ``config``, ``summary`` or ``row``.
        key: of the value, dotted where it leads into objects; empty where the values together are refused.
        value: None where it is missing.
        expected: the type, such as ``float | None``.
        step: of the row, where it has one.
        others: what else does not fit in the same config, summary or row, such as ``acc is 'high', expected float``.
    """

    def __init__(
        self,
        run: str,
        place: str,
        key: str,
        value: object,
        expected: str,
        problems: Sequence[str],
        step: int | None = None,
    ) -> None:
        self.run = run
        self.place = place
        self.key = key
        self.value = value
        self.expected = expected
        self.step = step
        self.others: tuple[str, ...] = tuple(problems[1:])
        where = place if step is None else f"{place} of step {step}"
        more = f" (and {first_few(self.others)})" if self.others else ""
        super().__init__(f"the {where} of run {run} does not fit: {problems[0]}{more}")


class UnreadableTableError(RunqlError):
    """The value logged under this name is no table, or an incomplete one."""


class FrameValueError(RunqlError, ValueError):
    """A value does not fit the dtype that ``schema`` asks for, or that the first rows of a stream gave its column.

    Attributes:
        run: entity, project and id of the run, or the id alone in frames of many runs.
        column: the column.
        value: as the server sent it; None where the dtype holds no missing value.
        dtype: the dtype, in words.
    """

    def __init__(self, run: str, column: str, value: object, dtype: str, *, inferred: bool = False) -> None:
        self.run = run
        self.column = column
        self.value = value
        self.dtype = dtype
        what = "no value in a row" if value is None else f"a value that does not fit: {_excerpt(value)}"
        why = f"for which schema asks {dtype}: ask for a dtype that holds it, or leave the column out"
        if inferred:
            why = f'which the first rows make {dtype}: name it in schema, or infer="all"'
        super().__init__(f"run {run} has {what} of column {column!r}, {why}")


class UploadRefusedError(RunqlError):
    """The server gave no upload URL for a file, or did not register it."""


class DeletionRefusedError(RunqlError):
    """The server did not delete a file, and gave no reason."""


class DeletionUnconfirmedError(RunqlError):
    """The response to a deletion was lost, and a check afterwards did not confirm the deletion.

    Attributes:
        subject: the object to delete.
        is_there: True when it still existed afterwards, None when the check failed.
    """

    def __init__(self, subject: str, is_there: bool | None, reason: str) -> None:
        self.subject = subject
        self.is_there = is_there
        state = (
            "it was not deleted: it still exists, and deleting it again is safe"
            if is_there
            else "it may have been deleted: the check afterwards failed, so look before deleting it again"
        )
        super().__init__(f"the response to the deletion of {subject} was lost ({reason}); {state}")


class ChangeRefusedError(RunqlError):
    """The server did not make a change, and gave no reason."""


class NotLoadedError(RunqlError):
    """A property of an `AsyncRun` or `AsyncSweep` needs fields that are not loaded, and a property cannot await."""


class SchemaDriftError(RunqlError):
    """The server's response does not fit the model generated from the pinned schema.

    Attributes:
        operation: name of the GraphQL operation.
        places: where the response differs, such as ``project.run.id: Field required``.
    """

    def __init__(self, operation: str, places: Sequence[str]) -> None:
        self.operation = operation
        self.places: tuple[str, ...] = tuple(places)
        super().__init__(
            f"the response to {operation} does not fit the schema that runql was built with: "
            f"{'; '.join(self.places)}. The server is newer or older than this runql: upgrade runql, or report it"
        )


class PaginationError(RunqlError):
    """A list cannot be read to its end: the cursor of its pages does not advance, or the server hides items of a page."""


class IncompleteHistoriesError(RunqlError):
    """Some runs' histories could not be read, or the list of runs ended early.

    Attributes:
        partial: the rows read, as dicts with a ``run_id``, in list order; empty where the caller or a file has them.
        failed: ids of the runs that could not be read; empty when the list ended early.
        reasons: why, by their ids.
    """

    def __init__(
        self,
        partial: Sequence[Mapping[str, object]],
        failed: Sequence[str],
        reason: str,
        kept: str = "",
        reasons: Mapping[str, str] | None = None,
    ) -> None:
        self.reasons: dict[str, str] = dict(reasons or {})
        self.partial: list[Mapping[str, object]] = list(partial)
        self.failed: tuple[str, ...] = tuple(failed)
        which = (
            f"of {len(self.failed)} run(s), {first_few(self.failed)}," if failed else "of the remaining runs"
        )
        where = kept or "is in this error's `partial`"
        super().__init__(f"the history {which} could not be read: {reason}. What was read {where}")


class ArtifactNotFoundError(NotFoundError):
    """There is no such artifact version, collection or type, or this API key may not see it."""


class EntryNotFoundError(NotFoundError, KeyError):
    """The artifact's manifest has no entry of this name."""

    def __init__(self, artifact: str, name: str) -> None:
        self.artifact = artifact
        self.name = name
        super().__init__(f"artifact {artifact} has no entry {name!r}: Artifact.entries lists those it has")

    # `KeyError.__str__` puts the message in quotes.
    def __str__(self) -> str:
        return RunqlError.__str__(self)


class ArtifactPendingError(RunqlError):
    """An artifact version is still being written: it has no files yet, and no run can use it."""

    def __init__(self, artifact: str, state: str) -> None:
        self.artifact = artifact
        self.state = state
        super().__init__(
            f"artifact {artifact} is {state}, not COMMITTED: wait until the run that logs it ends, and get it again"
        )


class ManifestError(RunqlError):
    """An artifact's manifest, the list of its files, has a format that this version of runql does not know."""


class ArtifactDamagedError(RunqlError, ValueError):
    """The files of a local folder are not those of the artifact.

    Attributes:
        missing: entries without a file.
        changed: entries whose file has other bytes.
        unexpected: files that belong to no entry.
        unstorable: reasons by entry name, for names that lead out of the folder or that this system cannot store.
    """

    def __init__(
        self,
        artifact: str,
        missing: Sequence[str],
        changed: Sequence[str],
        unexpected: Sequence[str],
        unstorable: Mapping[str, str] | None = None,
    ) -> None:
        self.missing: tuple[str, ...] = tuple(missing)
        self.changed: tuple[str, ...] = tuple(changed)
        self.unexpected: tuple[str, ...] = tuple(unexpected)
        self.unstorable: dict[str, str] = dict(unstorable or {})
        found = {
            "missing": self.missing,
            "changed": self.changed,
            "not of the artifact": self.unexpected,
            "not storable here": [f"{name!r} ({reason})" for name, reason in self.unstorable.items()],
        }
        differences = "; ".join(f"{what}: {first_few(names)}" for what, names in found.items() if names)
        super().__init__(
            f"the folder does not hold artifact {artifact} ({differences}): "
            "download() fetches missing and changed files"
        )


class ReferenceUnavailableError(RunqlError):
    """A file that an artifact refers to, and does not hold, cannot be fetched.

    Attributes:
        references: the URLs, by entry name.
    """

    def __init__(self, artifact: str, references: Mapping[str, str], reason: str) -> None:
        self.references: dict[str, str] = dict(references)
        shown = first_few([f"{name} -> {address}" for name, address in self.references.items()])
        super().__init__(f"artifact {artifact} has references that cannot be fetched: {shown}: {reason}")


class IncompleteHistoryError(RunqlError):
    """The server does not send every row of a run's history.

    Attributes:
        run: entity, project and run id.
        found: number of rows received.
        expected: number of rows by the server's count; None where it has none.
        partial: the received rows, as dicts; empty where the caller has them already.
    """

    def __init__(
        self,
        run: str,
        found: int,
        expected: int | None,
        reason: str,
        partial: Sequence[Mapping[str, object]] = (),
    ) -> None:
        self.run = run
        self.found = found
        self.expected = expected
        self.reason = reason
        self.partial: list[Mapping[str, object]] = list(partial)
        missing = (
            "rows" if expected is None or expected <= found else f"{expected - found} of {expected} rows"
        )
        super().__init__(
            f"{missing} of the history of run {run} are missing: {reason}; {found} rows were received"
        )

    def with_partial(self, partial: Sequence[Mapping[str, object]]) -> IncompleteHistoryError:
        """Return the same error with the received rows."""
        return IncompleteHistoryError(self.run, self.found, self.expected, self.reason, partial)


class CorruptHistoryError(UnreadableValueError):
    """The server sent a history row that cannot be decoded.

    Attributes:
        run: entity, project and run id.
        row: index of the row in the response, from 0.
    """

    def __init__(self, run: str, row: int, reason: str) -> None:
        self.run = run
        self.row = row
        self.reason = reason
        super().__init__(f"row {row} of a response with the history of run {run} cannot be read: {reason}")


class HistoryNotExportedError(RunqlError):
    """Some rows of a run's history are in no parquet file; nothing was fetched.

    Attributes:
        run: entity, project and run id.
        live_rows: number of those rows.
    """

    def __init__(self, run: str, live_rows: int) -> None:
        self.run = run
        self.live_rows = live_rows
        super().__init__(
            f"{live_rows} rows of run {run} are in no export yet: servers write exports some time after a run logs. "
            "require_complete=False fetches the exports there are, scan_history() reads all rows"
        )


class RunStillActiveError(RunqlError, TimeoutError):
    """The run did not reach a terminal state within the given time."""


class UnorderedError(NotFoundError):
    """No run has the value that an order compares, and the caller asked for an error: ``missing="raise"``.

    Attributes:
        order: the sign and the key.
    """

    def __init__(self, path: str, order: str, runs: str) -> None:
        self.order = order
        super().__init__(
            f"none of {runs} of {path} has a value of {order[1:]} to order by: check the spelling against "
            "Run.summary and Run.config"
        )


class UnorderedWarning(UserWarning):
    """No run of a list's first page has the value that the list is ordered by, so the order means nothing."""


def _excerpt(value: object) -> str:
    try:
        shown = repr(value)
    except ValueError:  # an int of thousands of digits
        return f"<{type(value).__name__}>"
    return shown if len(shown) <= MOST_SHOWN else shown[:MOST_SHOWN] + "…"


def first_few(names: Sequence[str]) -> str:
    """Join the first few of many names, for an error message."""
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")


def _with_request(message: str, operation: str, attempts: int, seconds: float, waited: float) -> str:
    took = f" in {seconds:.3g} s, {waited:.3g} s of them waiting" if seconds else ""
    tried = f" (after {attempts} attempts{took})" if attempts > 1 else ""
    return one_line(message + (f" [{operation}]" if operation else "") + tried)
