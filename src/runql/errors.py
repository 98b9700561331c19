"""Every error that runql raises, in one tree.

RunqlError
├── ConfigurationError (ValueError)         settings that cannot be used
│   └── MissingCredentialsError             no API key was found anywhere
├── PathError (ValueError)                  a run, project or sweep path that cannot be read
├── MissingExtraError (ImportError)         an optional library is not installed
├── ClientClosedError                       a request was made after ``close()``
├── UnshareableError (TypeError)            a client was to be pickled, or taken where its connections cannot follow
├── DriftInputError (ValueError)            a schema, query, recording or approvals file cannot be read
├── IntrospectionRefusedError               the server does not tell its schema
├── TransportError                          no usable answer arrived
│   ├── ConnectionFailedError               the host could not be reached, or hung up
│   ├── RequestTimedOutError (TimeoutError) the host did not answer in time
│   └── DigestMismatchError                 the bytes that arrived are not those of the file
├── AnswerError                             the server answered, and said no
│   ├── AuthenticationError                 401: the API key is missing or wrong
│   ├── AccessDeniedError                   403: the key may not do this
│   ├── RateLimitedError                    429: too many requests; see ``retry_after``
│   ├── ServerFailureError                  5xx or 408
│   ├── InvalidAnswerError                  another status, or a body that is not JSON
│   └── QueryError                          GraphQL errors; partial data stays in ``data``
│       └── OutdatedServerError             the server does not know a part of what was asked for
├── MismatchedResponseError                 the response is about another run, project, sweep or artifact
├── NotFoundError (LookupError)             what was asked for is absent, or hidden from this key
│   ├── ProjectNotFoundError
│   ├── RunNotFoundError
│   ├── SweepNotFoundError
│   ├── FileNotFoundInRunError
│   ├── ArtifactNotFoundError
│   └── EntryNotFoundError (KeyError)       the artifact's manifest has no entry of this name
├── UnreadableValueError (ValueError)       JSON that the server keeps as a str cannot be read
│   └── CorruptHistoryError                 such as a history row
├── UnreadableTableError                    what was logged under a name is no table
├── UnsafeNameError (ValueError)            files whose names leave their folder, or cannot be stored on this system
├── LocalFileError (OSError)                a local file cannot be read or written
├── UploadRefusedError                      the server does not take a file
├── DeletionRefusedError                    the server does not delete a file
├── DeletionUnconfirmedError                the response to a deletion was lost; it may have happened
├── ChangeRefusedError                      the server does not make a change, and gives no reason
├── ArtifactPendingError                    an artifact version is still being written
├── ManifestError                           an artifact's list of files cannot be read
├── ArtifactDamagedError (ValueError)       local files are not those of the artifact
├── ReferenceUnavailableError               what an artifact refers to cannot be fetched
├── RunChangedError                         ``update(if_unchanged=True)``: somebody else changed the run meanwhile
├── IncompleteUpdateError                   some parts of an update were written, the others were not
├── NotLoadedError                          an awaited run's or sweep's fields were looked at before they were loaded
├── SchemaDriftError                        the answer does not fit the generated model
├── PaginationError                         the server's cursor stands still
├── HistoryNotExportedError                 rows of a history are in none of its parquet files
├── IncompleteHistoryError                  the server does not send every row of a run; what came is in ``partial``
├── IncompleteHistoriesError                some runs could not be read; the others are in ``partial``
└── RunStillActiveError (TimeoutError)      ``wait_until_finished(timeout=...)`` ran out

Bad arguments are plain ``ValueError`` or ``TypeError``, raised before anything is sent. `UnorderedWarning` is the only
warning of our own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_KEPT_BY_BASES: Final = ("errno", "strerror", "filename", "msg")
"""What `OSError` and `ImportError` keep outside of an error's ``__dict__``."""


class RunqlError(Exception):
    """The root of every error raised by runql.

    Each can be copied and pickled, with its attributes: errors cross the border of a process pool.
    """

    def __reduce__(self) -> tuple[object, ...]:
        # Python would call the class with `args`, and an error with arguments of its own could then not be loaded.
        state = dict(vars(self))
        for name in _KEPT_BY_BASES:
            value: object = getattr(self, name, None)
            if value is not None:
                state[name] = value
        return _remade, (type(self), self.args), state


def _remade(kind: type[RunqlError], args: tuple[object, ...]) -> RunqlError:
    """An error as it was made, without calling its class; `pickle` and `copy` then give it its attributes."""
    error = kind.__new__(kind, *args)
    error.args = args
    return error


class ConfigurationError(RunqlError, ValueError):
    """A setting cannot be used; the text names it, where it came from, and what would do."""


class MissingCredentialsError(ConfigurationError):
    """No API key was found in the arguments, the environment or netrc."""


class PathError(RunqlError, ValueError):
    """A path names no run, project or sweep; the text says which forms are understood."""


class MissingExtraError(RunqlError, ImportError):
    """A call needs an optional library; the text gives the command that installs it."""

    def __init__(self, library: str, *, extra: str, needed_for: str) -> None:
        self.library = library
        self.extra = extra
        super().__init__(
            f"{needed_for} needs {library}, which is not installed: pip install 'runql[{extra}]'"
        )


class ClientClosedError(RunqlError):
    """A request was made after the client was closed; what was read before stays readable."""


class UnshareableError(RunqlError, TypeError):
    """A client cannot be pickled, nor follow a fork or change its event loop with a ``transport=`` of the caller's."""


class DriftInputError(RunqlError, ValueError):
    """A file that the drift check was given cannot be read; the text names it and what is wrong in it."""


class IntrospectionRefusedError(RunqlError):
    """The server answers, and does not tell its schema: introspection is switched off there."""


class TransportError(RunqlError):
    """No usable answer arrived.

    Attributes:
        operation: name of the GraphQL operation, or the path of the file.
        attempts: how many times it was sent.
        sent: whether the server may have received it.
    """

    sent: bool = True

    def __init__(self, message: str, *, operation: str = "", attempts: int = 1) -> None:
        self.message = message
        self.operation = operation
        self.attempts = attempts
        super().__init__(message)

    def __str__(self) -> str:
        return _with_request(self.message, self.operation, self.attempts)


class ConnectionFailedError(TransportError):
    """The host could not be reached, or closed the connection before it answered."""


class RequestTimedOutError(TransportError, TimeoutError):
    """The host did not answer within the timeout."""


class DigestMismatchError(TransportError):
    """The bytes that arrived are not those of the file; nothing was saved."""


class AnswerError(RunqlError):
    """The server answered, and the answer is a refusal or a failure.

    Attributes:
        status: the HTTP status.
        operation: name of the GraphQL operation, or the path of the file.
        attempts: how many times it was sent.
    """

    def __init__(self, message: str, *, status: int, operation: str = "", attempts: int = 1) -> None:
        self.message = message
        self.status = status
        self.operation = operation
        self.attempts = attempts
        super().__init__(message)

    def __str__(self) -> str:
        return _with_request(self.message, self.operation, self.attempts)


class AuthenticationError(AnswerError):
    """The server does not accept the API key (401)."""


class AccessDeniedError(AnswerError):
    """The API key is good but may not do this (403)."""


class RateLimitedError(AnswerError):
    """Too many requests (429), also after waiting.

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
    """The answer has an unexpected status, or its body is not a GraphQL answer."""


@dataclass(frozen=True)
class GraphQLProblem:
    """One entry of a GraphQL answer's ``errors``.

    Attributes:
        message: the server's text.
        path: where in the answer it happened, such as ``("project", "run")``; empty when not said.
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
        self.problems = tuple(problems)
        self.data = data


class OutdatedServerError(QueryError):
    """The server does not know a part of what was asked for: it is older than this runql, or another implementation.

    Attributes:
        unknown: what it does not know, such as ``("Run.projectId",)``.
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
        self.unknown = tuple(unknown)


class MismatchedResponseError(RunqlError):
    """The response is about something else than what was asked for; nothing of it is used.

    Attributes:
        asked: what was asked for, such as ``run entity/project/id``.
        found: what the response says it is about.
    """

    def __init__(self, asked: str, found: str) -> None:
        self.asked = asked
        self.found = found
        super().__init__(
            f"{asked} was asked for, and the response is about {found}: nothing of it was used. "
            "If it was renamed, ask for it by its new name; otherwise something between here and the server mixes "
            "responses up, such as a proxy or a cache"
        )


class NotFoundError(RunqlError, LookupError):
    """What was asked for does not exist, or this API key may not see it."""


class ProjectNotFoundError(NotFoundError):
    """The server answered null for the project: it is absent or hidden, which W&B does not tell apart."""

    def __init__(self, entity: str, project: str) -> None:
        self.entity = entity
        self.project = project
        super().__init__(
            f"project {entity}/{project} does not exist, or your API key may not see it "
            "(the server answers the same for both): check the spelling, the entity and the key"
        )


class RunNotFoundError(NotFoundError):
    """The project exists, and holds no run with this id."""

    def __init__(self, entity: str, project: str, run_id: str) -> None:
        self.entity = entity
        self.project = project
        self.run_id = run_id
        super().__init__(
            f"run {entity}/{project}/{run_id} does not exist: a run is addressed by its id "
            "(the last part of its URL), not by its display name"
        )


class RunChangedError(RunqlError):
    """The run is not what it was when it was read; nothing was written.

    Attributes:
        fields: what differs, such as ``("summary", "tags")``.
    """

    def __init__(self, run: str, fields: Sequence[str]) -> None:
        self.fields = tuple(fields)
        super().__init__(
            f"run {run} has changed since it was read ({', '.join(self.fields)}), so nothing was written: "
            "load(force=True) reads it again and forgets your changes, update() writes over what others changed"
        )


class IncompleteUpdateError(RunqlError):
    """Some of a run's or an artifact's fields were written, the others were not.

    Attributes:
        written: what is stored now.
        failed: what is not, such as ``("summary",)`` or ``("config.lr",)``. Where a request failed it stays changed
            in memory, so that the same call tries it again. Where the server kept something else, such as keys
            that were deleted, what is in memory is what the server holds.
    """

    def __init__(self, subject: str, written: Sequence[str], failed: Sequence[str], reason: str) -> None:
        self.written = tuple(written)
        self.failed = tuple(failed)
        lost = first_few(self.failed)
        state = (
            f"{subject} is updated in part: {first_few(self.written)} was written, {lost} was not"
            if self.written
            else f"{subject} is not updated: {lost} was not written"
        )
        super().__init__(f"{state}: {reason}")


class SweepNotFoundError(NotFoundError):
    """The project exists, and holds no sweep with this id."""

    def __init__(self, entity: str, project: str, sweep_id: str) -> None:
        self.entity = entity
        self.project = project
        self.sweep_id = sweep_id
        super().__init__(
            f"sweep {entity}/{project}/{sweep_id} does not exist: a sweep is addressed by its id "
            "(the last part of its URL), not by its name"
        )


class FileNotFoundInRunError(NotFoundError):
    """The run holds no file of this name; an entry that was announced and never uploaded counts as none."""

    def __init__(self, run_path: str, name: str) -> None:
        self.run_path = run_path
        self.name = name
        super().__init__(f"run {run_path} has no file {name!r}: Run.files() lists those it has")


class UnsafeNameError(RunqlError, ValueError):
    """Files' names lead out of the folder they are saved to, or this system cannot store them.

    Attributes:
        refused: the reasons, by name.
        saved: where the other files of the same call are, which have arrived.
    """

    def __init__(self, refused: Mapping[str, str], saved: Sequence[Path] = (), doing: str = "saved") -> None:
        self.refused = dict(refused)
        self.saved = tuple(saved)
        self.doing = doing
        super().__init__(self.refused, self.saved, doing)

    def __str__(self) -> str:
        if len(self.refused) == 1:
            ((name, reason),) = self.refused.items()
            text = f"{name!r} is not {self.doing}: {reason}"
        else:
            reasons = first_few([f"{name!r} ({reason})" for name, reason in self.refused.items()])
            text = f"{len(self.refused)} files are not {self.doing}: {reasons}"
        return f"{text}. The other {len(self.saved)} have arrived" if self.saved else text


class LocalFileError(RunqlError, OSError):
    """A local file cannot be read or written; ``errno`` says why, as of any `OSError`."""

    def __init__(self, message: str, reason: OSError) -> None:
        super().__init__(f"{message}: {reason.strerror or reason}")
        self.errno = reason.errno


class UnreadableValueError(RunqlError, ValueError):
    """JSON that the server keeps as a str, such as a config or a row of metrics, cannot be read; the error shows its beginning."""


class UnreadableTableError(RunqlError):
    """What was logged under this name is no table, or not all of one."""


class UploadRefusedError(RunqlError):
    """The server gave no place to put a file, or did not take note of it."""


class DeletionRefusedError(RunqlError):
    """The server did not delete a file, and gave no reason."""


class DeletionUnconfirmedError(RunqlError):
    """The response to a deletion was lost, and asking afterwards did not show that it happened.

    Attributes:
        subject: what was to be deleted.
        is_there: True when it was still there afterwards, None when the server could not be asked.
    """

    def __init__(self, subject: str, is_there: bool | None, reason: str) -> None:
        self.subject = subject
        self.is_there = is_there
        told = (
            "it was not deleted: it is still there, and deleting it again is safe"
            if is_there
            else "it may have been deleted: the server could not be asked afterwards, so look before deleting it again"
        )
        super().__init__(f"the response to the deletion of {subject} was lost ({reason}); {told}")


class ChangeRefusedError(RunqlError):
    """The server did not make a change, and gave no reason."""


class NotLoadedError(RunqlError):
    """A property of an `AsyncRun` or `AsyncSweep` needs fields that were not loaded, and a property cannot await them."""


class SchemaDriftError(RunqlError):
    """The server's answer does not fit the model generated from the pinned schema.

    Attributes:
        operation: name of the GraphQL operation.
        places: where the answer differs, such as ``project.run.id: Field required``.
    """

    def __init__(self, operation: str, places: Sequence[str]) -> None:
        self.operation = operation
        self.places = tuple(places)
        super().__init__(
            f"the answer to {operation} does not fit the schema runql was built with: "
            f"{'; '.join(self.places)}. The server is newer or older than this runql: upgrade runql, or report it"
        )


class PaginationError(RunqlError):
    """The server says there is another page, but its cursor does not move."""


class IncompleteHistoriesError(RunqlError):
    """Some runs' histories could not be read, or the list of runs not to its end.

    Attributes:
        partial: rows that were read, as dicts with a ``run_id``, in list order; empty where they are handed out or on disk.
        failed: ids of the runs that were passed over; empty when the list ended early.
    """

    def __init__(
        self, partial: Sequence[Mapping[str, object]], failed: Sequence[str], reason: str, kept: str = ""
    ) -> None:
        self.partial = list(partial)
        self.failed = tuple(failed)
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

    # KeyError would show its message in quotes.
    __str__ = RunqlError.__str__


class ArtifactPendingError(RunqlError):
    """An artifact version is still being written: it has no files yet, and no run can use it."""

    def __init__(self, artifact: str, state: str) -> None:
        self.artifact = artifact
        self.state = state
        super().__init__(
            f"artifact {artifact} is {state}, not COMMITTED: wait until the run that logs it is done, and get it again"
        )


class ManifestError(RunqlError):
    """An artifact's manifest, the list of its files, has a form that this version of runql does not know."""


class ArtifactDamagedError(RunqlError, ValueError):
    """The files of a local folder are not those of the artifact.

    Attributes:
        missing: entries without a file.
        changed: entries whose file holds something else.
        unexpected: files that are no entry.
        unstorable: why there is no file, by the names of entries that lead out of the folder or that this system
            cannot store.
    """

    def __init__(
        self,
        artifact: str,
        missing: Sequence[str],
        changed: Sequence[str],
        unexpected: Sequence[str],
        unstorable: Mapping[str, str] | None = None,
    ) -> None:
        self.missing = tuple(missing)
        self.changed = tuple(changed)
        self.unexpected = tuple(unexpected)
        self.unstorable = dict(unstorable or {})
        found = {
            "missing": self.missing,
            "changed": self.changed,
            "not of the artifact": self.unexpected,
            "not storable here": [f"{name!r} ({reason})" for name, reason in self.unstorable.items()],
        }
        told = "; ".join(f"{what}: {first_few(names)}" for what, names in found.items() if names)
        super().__init__(
            f"the folder does not hold artifact {artifact} ({told}): download() fetches what is missing or changed"
        )


class ReferenceUnavailableError(RunqlError):
    """Something that an artifact refers to, and does not hold, cannot be fetched.

    Attributes:
        references: the addresses, by entry name.
    """

    def __init__(self, artifact: str, references: Mapping[str, str], reason: str) -> None:
        self.references = dict(references)
        shown = first_few([f"{name} -> {address}" for name, address in self.references.items()])
        super().__init__(f"artifact {artifact} refers to what cannot be fetched: {shown}: {reason}")


class IncompleteHistoryError(RunqlError):
    """The server does not send every row of a run's history.

    Attributes:
        run: entity, project and run id.
        found: rows that came.
        expected: rows that the server counts; None where it does not count them.
        partial: the rows that came, as dicts; empty where they were handed out.
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
        self.partial = list(partial)
        missing = (
            "rows" if expected is None or expected <= found else f"{expected - found} of {expected} rows"
        )
        super().__init__(f"{missing} of the history of run {run} are missing: {reason}; {found} rows came")

    def with_partial(self, partial: Sequence[Mapping[str, object]]) -> IncompleteHistoryError:
        """The same error, with the rows that came."""
        return IncompleteHistoryError(self.run, self.found, self.expected, self.reason, partial)


class CorruptHistoryError(UnreadableValueError):
    """The server sent a history row that cannot be read.

    Attributes:
        run: entity, project and run id.
        row: place of the row in the response, counted from 0.
    """

    def __init__(self, run: str, row: int, reason: str) -> None:
        self.run = run
        self.row = row
        self.reason = reason
        super().__init__(f"row {row} of a response with the history of run {run} cannot be read: {reason}")


class HistoryNotExportedError(RunqlError):
    """Some rows of a run's history are in none of its parquet files; nothing was fetched.

    Attributes:
        run: entity, project and run id.
        live_rows: how many rows.
    """

    def __init__(self, run: str, live_rows: int) -> None:
        self.run = run
        self.live_rows = live_rows
        super().__init__(
            f"{live_rows} rows of run {run} are in no export yet: servers write exports some time after a run has "
            "logged. require_complete=False fetches what there is, scan_history() reads all rows"
        )


class RunStillActiveError(RunqlError, TimeoutError):
    """The run did not reach a terminal state within the given time."""


class UnorderedWarning(UserWarning):
    """No run of a list's first page has the value that the list is ordered by: the order says nothing."""


def first_few(names: Sequence[str]) -> str:
    """The first few of many names, for the text of an error."""
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")


def _with_request(message: str, operation: str, attempts: int) -> str:
    return (
        message
        + (f" [{operation}]" if operation else "")
        + (f" (after {attempts} attempts)" if attempts > 1 else "")
    )
