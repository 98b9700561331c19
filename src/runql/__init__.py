"""A strictly typed client for the runs side of the Weights & Biases public API."""

from runql.config import Settings
from runql.errors import (
    AccessDeniedError,
    AnswerError,
    AuthenticationError,
    ConfigurationError,
    ConnectionFailedError,
    DigestMismatchError,
    FileNotFoundInRunError,
    GraphQLProblem,
    IncompleteHistoriesError,
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
    RunNotFoundError,
    RunqlError,
    RunStillActiveError,
    SchemaDriftError,
    ServerFailureError,
    TransportError,
    UnsafeNameError,
    UploadRefusedError,
)
from runql.resources.api import Api, AsyncApi
from runql.resources.async_run import AsyncRun
from runql.resources.files import AsyncFile, AsyncFiles, File, Files
from runql.resources.history_scan import AsyncHistoryScan, HistoryScan
from runql.resources.run import Run
from runql.resources.runs import AsyncRuns, Runs
from runql.resources.summary import Summary
from runql.resources.user import User
from runql.transport.aio import AsyncRetryingClient
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
    "AsyncRetryingClient",
    "AsyncRun",
    "AsyncRuns",
    "AuthenticationError",
    "ConfigurationError",
    "ConnectionFailedError",
    "DigestMismatchError",
    "File",
    "FileNotFoundInRunError",
    "Files",
    "GraphQLProblem",
    "HistoryScan",
    "IncompleteHistoriesError",
    "InvalidAnswerError",
    "JSONValue",
    "LocalFileError",
    "MissingCredentialsError",
    "MissingExtraError",
    "NotFoundError",
    "NotLoadedError",
    "PaginationError",
    "PathError",
    "ProjectNotFoundError",
    "QueryError",
    "RateLimitedError",
    "RequestTimedOutError",
    "RetryPolicy",
    "RetryingClient",
    "Run",
    "RunNotFoundError",
    "RunStillActiveError",
    "RunqlError",
    "Runs",
    "SchemaDriftError",
    "ServerFailureError",
    "Settings",
    "Summary",
    "Traffic",
    "TransportError",
    "UnsafeNameError",
    "UploadRefusedError",
    "User",
    "__version__",
]
