"""A strictly typed client for the runs side of the Weights & Biases public API."""

from runql.config import Settings
from runql.errors import (
    AccessDeniedError,
    AnswerError,
    AuthenticationError,
    ConfigurationError,
    ConnectionFailedError,
    DeletionRefusedError,
    DigestMismatchError,
    FileNotFoundInRunError,
    GraphQLProblem,
    IncompleteHistoriesError,
    IncompleteUpdateError,
    InvalidAnswerError,
    LocalFileError,
    MissingCredentialsError,
    MissingExtraError,
    NotFoundError,
    NotLoadedError,
    PaginationError,
    PathError,
    ProjectNotFoundError,
    QueryError,
    RateLimitedError,
    RequestTimedOutError,
    RunChangedError,
    RunNotFoundError,
    RunqlError,
    RunStillActiveError,
    SchemaDriftError,
    ServerFailureError,
    SweepNotFoundError,
    TransportError,
    UnsafeNameError,
    UploadRefusedError,
)
from runql.progress_bar import progress_bar
from runql.resources.api import Api, AsyncApi
from runql.resources.async_run import AsyncRun
from runql.resources.files import AsyncFile, AsyncFiles, File, Files
from runql.resources.history_scan import AsyncHistoryScan, HistoryScan
from runql.resources.project import AsyncProject, AsyncProjects, Project, Projects
from runql.resources.run import Run
from runql.resources.runs import AsyncRuns, Runs
from runql.resources.summary import AsyncSummary, Summary
from runql.resources.sweep import AsyncSweep, Sweep
from runql.resources.sweeps import AsyncSweeps, Sweeps
from runql.resources.user import User
from runql.transport.aio import AsyncRetryingClient
from runql.transport.bodies import Progress
from runql.transport.retry import RetryPolicy
from runql.transport.sync import RetryingClient
from runql.transport.wire import Traffic
from runql.values import JSONValue
from runql.version import __version__

__all__ = [
    "AccessDeniedError",
    "AnswerError",
    "Api",
    "AsyncApi",
    "AsyncFile",
    "AsyncFiles",
    "AsyncHistoryScan",
    "AsyncProject",
    "AsyncProjects",
    "AsyncRetryingClient",
    "AsyncRun",
    "AsyncRuns",
    "AsyncSummary",
    "AsyncSweep",
    "AsyncSweeps",
    "AuthenticationError",
    "ConfigurationError",
    "ConnectionFailedError",
    "DeletionRefusedError",
    "DigestMismatchError",
    "File",
    "FileNotFoundInRunError",
    "Files",
    "GraphQLProblem",
    "HistoryScan",
    "IncompleteHistoriesError",
    "IncompleteUpdateError",
    "InvalidAnswerError",
    "JSONValue",
    "LocalFileError",
    "MissingCredentialsError",
    "MissingExtraError",
    "NotFoundError",
    "NotLoadedError",
    "PaginationError",
    "PathError",
    "Progress",
    "Project",
    "ProjectNotFoundError",
    "Projects",
    "QueryError",
    "RateLimitedError",
    "RequestTimedOutError",
    "RetryPolicy",
    "RetryingClient",
    "Run",
    "RunChangedError",
    "RunNotFoundError",
    "RunStillActiveError",
    "RunqlError",
    "Runs",
    "SchemaDriftError",
    "ServerFailureError",
    "Settings",
    "Summary",
    "Sweep",
    "SweepNotFoundError",
    "Sweeps",
    "Traffic",
    "TransportError",
    "UnsafeNameError",
    "UploadRefusedError",
    "User",
    "__version__",
    "progress_bar",
]
