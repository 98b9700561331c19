"""A strictly typed client for the runs side of the Weights & Biases public API."""

from importlib import import_module
from typing import TYPE_CHECKING

from runql.errors import (
    AccessDeniedError,
    AnswerError,
    ArtifactDamagedError,
    ArtifactNotFoundError,
    ArtifactPendingError,
    AuthenticationError,
    ChangeRefusedError,
    ClientClosedError,
    ConfigurationError,
    ConnectionFailedError,
    CorruptHistoryError,
    DeadlineExceededError,
    DeletionRefusedError,
    DeletionUnconfirmedError,
    DigestMismatchError,
    DriftInputError,
    EntryNotFoundError,
    FileNotFoundInRunError,
    FrameValueError,
    GraphQLProblem,
    HistoryNotExportedError,
    IncompleteHistoriesError,
    IncompleteHistoryError,
    IncompleteUpdateError,
    IntrospectionRefusedError,
    InvalidAnswerError,
    LocalFileError,
    ManifestError,
    MismatchedResponseError,
    MissingCredentialsError,
    MissingExtraError,
    NoItemError,
    NotFoundError,
    NotLoadedError,
    OutdatedServerError,
    PaginationError,
    PathError,
    ProjectNotFoundError,
    QueryError,
    RateLimitedError,
    ReferenceUnavailableError,
    RequestTimedOutError,
    RunChangedError,
    RunNotFoundError,
    RunqlError,
    RunStillActiveError,
    SchemaDriftError,
    ServerFailureError,
    SeveralItemsError,
    SweepNotFoundError,
    TransportError,
    UnexpectedValueError,
    UnorderedError,
    UnorderedWarning,
    UnreadableTableError,
    UnreadableValueError,
    UnsafeNameError,
    UnshareableError,
    UploadRefusedError,
)
from runql.limits import (
    JSONTooDeepError,
    Limits,
    ResponseLimitError,
    ResponseTooLargeError,
    RowTooLargeError,
    TooManyRedirectsError,
)
from runql.partial_results import OnPartial, PartialResultWarning
from runql.transport.observation.schema_drift import OnSchemaDrift, SchemaDrift, SchemaDriftWarning
from runql.values import Filters, JSONInput, JSONValue, Missing
from runql.version import __version__

if TYPE_CHECKING:
    from runql.archive.archive import Archive
    from runql.archive.errors import ArchiveError
    from runql.archive.importing.report import ImportReport
    from runql.config import Settings
    from runql.frames.asked_types import Schema
    from runql.frames.streams.plan import Infer
    from runql.opened import OfflineRunsWarning, OpenedRuns, open  # noqa: A004 - as `gzip.open`
    from runql.progress_bar import progress_bar
    from runql.projections.checked import OnInvalid
    from runql.resources.api import Api, AsyncApi
    from runql.resources.artifacts.artifact import Artifact, AsyncArtifact
    from runql.resources.artifacts.collections.collection import (
        ArtifactCollection,
        ArtifactCollections,
        AsyncArtifactCollection,
        AsyncArtifactCollections,
        AsyncProjectArtifactCollections,
        ProjectArtifactCollections,
    )
    from runql.resources.artifacts.collections.types import (
        ArtifactType,
        ArtifactTypes,
        AsyncArtifactType,
        AsyncArtifactTypes,
    )
    from runql.resources.artifacts.entry import ArtifactEntry, AsyncArtifactEntry
    from runql.resources.artifacts.files import (
        ArtifactFile,
        ArtifactFiles,
        AsyncArtifactFile,
        AsyncArtifactFiles,
    )
    from runql.resources.artifacts.logged_table import LoggedTable
    from runql.resources.artifacts.manifest import Manifest, ManifestEntry
    from runql.resources.artifacts.versions import Artifacts, AsyncArtifacts, AsyncRunArtifacts, RunArtifacts
    from runql.resources.capabilities import Capabilities
    from runql.resources.files.files import AsyncFile, AsyncFiles, File, Files
    from runql.resources.files.names import OnUnsafe
    from runql.resources.history.plan import Match
    from runql.resources.history.sampled import Row, Stream
    from runql.resources.history.scan import AsyncHistoryScan, HistoryScan
    from runql.resources.project import AsyncProject, AsyncProjects, Project, Projects
    from runql.resources.runs.async_run import AsyncRun
    from runql.resources.runs.console import AsyncConsoleLogs, ConsoleLogLine, ConsoleLogs
    from runql.resources.runs.histories.formats import SampleFormat, ScanFormat
    from runql.resources.runs.histories.scan import AsyncHistoriesScan, HistoriesScan
    from runql.resources.runs.history_files import HistoryFiles
    from runql.resources.runs.mutations import FirstState, RequestedState
    from runql.resources.runs.run import Run
    from runql.resources.runs.runs import AsyncRuns, Runs
    from runql.resources.runs.summary import AsyncSummary, Summary
    from runql.resources.runs.typed.typed_runs import AsyncTypedRun, AsyncTypedRuns, TypedRun, TypedRuns
    from runql.resources.sweeps.sweep import AsyncSweep, Sweep
    from runql.resources.sweeps.sweeps import AsyncSweeps, Sweeps
    from runql.resources.user import User
    from runql.transport.aio import AsyncRetryingClient
    from runql.transport.files.bodies import Progress
    from runql.transport.queries.connection import SupportsConnection
    from runql.transport.queries.operation import SupportsOperation
    from runql.transport.retry import RetryPolicy
    from runql.transport.sync import RetryingClient
    from runql.transport.wire import Traffic
    from runql_graphql.base_model import UNSET, UnsetType
    from runql_graphql.operation import Operation

_LAZY_NAMES = {
    "runql.archive.archive": ("Archive",),
    "runql.archive.errors": ("ArchiveError",),
    "runql.archive.importing.report": ("ImportReport",),
    "runql.config": ("Settings",),
    "runql.frames.asked_types": ("Schema",),
    "runql.frames.streams.plan": ("Infer",),
    "runql.opened": ("OfflineRunsWarning", "OpenedRuns", "open"),
    "runql.progress_bar": ("progress_bar",),
    "runql.projections.checked": ("OnInvalid",),
    "runql.resources.api": ("Api", "AsyncApi"),
    "runql.resources.artifacts.artifact": ("Artifact", "AsyncArtifact"),
    "runql.resources.artifacts.entry": ("ArtifactEntry", "AsyncArtifactEntry"),
    "runql.resources.artifacts.collections.collection": (
        "ArtifactCollection",
        "ArtifactCollections",
        "AsyncArtifactCollection",
        "AsyncArtifactCollections",
        "AsyncProjectArtifactCollections",
        "ProjectArtifactCollections",
    ),
    "runql.resources.artifacts.collections.types": (
        "ArtifactType",
        "ArtifactTypes",
        "AsyncArtifactType",
        "AsyncArtifactTypes",
    ),
    "runql.resources.artifacts.files": (
        "ArtifactFile",
        "ArtifactFiles",
        "AsyncArtifactFile",
        "AsyncArtifactFiles",
    ),
    "runql.resources.artifacts.versions": (
        "Artifacts",
        "AsyncArtifacts",
        "AsyncRunArtifacts",
        "RunArtifacts",
    ),
    "runql.resources.runs.async_run": ("AsyncRun",),
    "runql.resources.capabilities": ("Capabilities",),
    "runql.resources.files.files": ("AsyncFile", "AsyncFiles", "File", "Files"),
    "runql.resources.runs.histories.scan": ("AsyncHistoriesScan", "HistoriesScan"),
    "runql.resources.history.scan": ("AsyncHistoryScan", "HistoryScan"),
    "runql.resources.artifacts.logged_table": ("LoggedTable",),
    "runql.resources.artifacts.manifest": ("Manifest", "ManifestEntry"),
    "runql.resources.project": ("AsyncProject", "AsyncProjects", "Project", "Projects"),
    "runql.resources.runs.run": ("Run",),
    "runql.resources.runs.console": ("AsyncConsoleLogs", "ConsoleLogLine", "ConsoleLogs"),
    "runql.resources.runs.history_files": ("HistoryFiles",),
    "runql.resources.runs.runs": ("AsyncRuns", "Runs"),
    "runql.resources.runs.typed.typed_runs": ("AsyncTypedRun", "AsyncTypedRuns", "TypedRun", "TypedRuns"),
    "runql.resources.runs.summary": ("AsyncSummary", "Summary"),
    "runql.resources.sweeps.sweep": ("AsyncSweep", "Sweep"),
    "runql.resources.sweeps.sweeps": ("AsyncSweeps", "Sweeps"),
    "runql.resources.user": ("User",),
    "runql.transport.aio": ("AsyncRetryingClient",),
    "runql.transport.files.bodies": ("Progress",),
    "runql.transport.queries.connection": ("SupportsConnection",),
    "runql.transport.queries.operation": ("SupportsOperation",),
    "runql.transport.retry": ("RetryPolicy",),
    "runql.transport.sync": ("RetryingClient",),
    "runql.transport.wire": ("Traffic",),
    "runql.resources.history.plan": ("Match",),
    "runql.resources.history.sampled": ("Row", "Stream"),
    "runql.resources.runs.histories.formats": ("SampleFormat", "ScanFormat"),
    "runql_graphql.operation": ("Operation",),
    "runql_graphql.base_model": ("UNSET", "UnsetType"),
    "runql.resources.files.names": ("OnUnsafe",),
    "runql.resources.runs.mutations": ("FirstState", "RequestedState"),
}
"""Names by the module that defines them. Each module is imported when one of its names is first used."""

_MODULE_OF = {name: module for module, names in _LAZY_NAMES.items() for name in names}

__all__ = [
    "UNSET",
    "AccessDeniedError",
    "AnswerError",
    "Api",
    "Archive",
    "ArchiveError",
    "Artifact",
    "ArtifactCollection",
    "ArtifactCollections",
    "ArtifactDamagedError",
    "ArtifactEntry",
    "ArtifactFile",
    "ArtifactFiles",
    "ArtifactNotFoundError",
    "ArtifactPendingError",
    "ArtifactType",
    "ArtifactTypes",
    "Artifacts",
    "AsyncApi",
    "AsyncArtifact",
    "AsyncArtifactCollection",
    "AsyncArtifactCollections",
    "AsyncArtifactEntry",
    "AsyncArtifactFile",
    "AsyncArtifactFiles",
    "AsyncArtifactType",
    "AsyncArtifactTypes",
    "AsyncArtifacts",
    "AsyncConsoleLogs",
    "AsyncFile",
    "AsyncFiles",
    "AsyncHistoriesScan",
    "AsyncHistoryScan",
    "AsyncProject",
    "AsyncProjectArtifactCollections",
    "AsyncProjects",
    "AsyncRetryingClient",
    "AsyncRun",
    "AsyncRunArtifacts",
    "AsyncRuns",
    "AsyncSummary",
    "AsyncSweep",
    "AsyncSweeps",
    "AsyncTypedRun",
    "AsyncTypedRuns",
    "AuthenticationError",
    "Capabilities",
    "ChangeRefusedError",
    "ClientClosedError",
    "ConfigurationError",
    "ConnectionFailedError",
    "ConsoleLogLine",
    "ConsoleLogs",
    "CorruptHistoryError",
    "DeadlineExceededError",
    "DeletionRefusedError",
    "DeletionUnconfirmedError",
    "DigestMismatchError",
    "DriftInputError",
    "EntryNotFoundError",
    "File",
    "FileNotFoundInRunError",
    "Files",
    "Filters",
    "FirstState",
    "FrameValueError",
    "GraphQLProblem",
    "HistoriesScan",
    "HistoryFiles",
    "HistoryNotExportedError",
    "HistoryScan",
    "ImportReport",
    "IncompleteHistoriesError",
    "IncompleteHistoryError",
    "IncompleteUpdateError",
    "Infer",
    "IntrospectionRefusedError",
    "InvalidAnswerError",
    "JSONInput",
    "JSONTooDeepError",
    "JSONValue",
    "Limits",
    "LocalFileError",
    "LoggedTable",
    "Manifest",
    "ManifestEntry",
    "ManifestError",
    "Match",
    "MismatchedResponseError",
    "Missing",
    "MissingCredentialsError",
    "MissingExtraError",
    "NoItemError",
    "NotFoundError",
    "NotLoadedError",
    "OfflineRunsWarning",
    "OnInvalid",
    "OnPartial",
    "OnSchemaDrift",
    "OnUnsafe",
    "OpenedRuns",
    "Operation",
    "OutdatedServerError",
    "PaginationError",
    "PartialResultWarning",
    "PathError",
    "Progress",
    "Project",
    "ProjectArtifactCollections",
    "ProjectNotFoundError",
    "Projects",
    "QueryError",
    "RateLimitedError",
    "ReferenceUnavailableError",
    "RequestTimedOutError",
    "RequestedState",
    "ResponseLimitError",
    "ResponseTooLargeError",
    "RetryPolicy",
    "RetryingClient",
    "Row",
    "RowTooLargeError",
    "Run",
    "RunArtifacts",
    "RunChangedError",
    "RunNotFoundError",
    "RunStillActiveError",
    "RunqlError",
    "Runs",
    "SampleFormat",
    "ScanFormat",
    "Schema",
    "SchemaDrift",
    "SchemaDriftError",
    "SchemaDriftWarning",
    "ServerFailureError",
    "Settings",
    "SeveralItemsError",
    "Stream",
    "Summary",
    "SupportsConnection",
    "SupportsOperation",
    "Sweep",
    "SweepNotFoundError",
    "Sweeps",
    "TooManyRedirectsError",
    "Traffic",
    "TransportError",
    "TypedRun",
    "TypedRuns",
    "UnexpectedValueError",
    "UnorderedError",
    "UnorderedWarning",
    "UnreadableTableError",
    "UnreadableValueError",
    "UnsafeNameError",
    "UnsetType",
    "UnshareableError",
    "UploadRefusedError",
    "User",
    "__version__",
    "open",
    "progress_bar",
]

if not TYPE_CHECKING:  # type checkers still report unknown names

    def __getattr__(name: str) -> object:
        if name not in _MODULE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_MODULE_OF[name]), name)
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
