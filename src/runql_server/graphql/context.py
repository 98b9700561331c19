"""The context of a GraphQL request: its caller, its database connection and write transactions."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from graphql import GraphQLResolveInfo

from runql_server.access.accounts import User, user_by_number
from runql_server.access.auth import Caller
from runql_server.access.signing import Signer
from runql_server.exports.exporter import Exporter
from runql_server.storage.store import Store


@dataclass
class RequestContext:
    """One GraphQL request; one worker thread executes it from start to end."""

    store: Store
    connection: sqlite3.Connection
    signer: Signer
    exporter: Exporter
    caller: Caller
    base_url: str
    config_merge: bool
    crash_before: str = field(init=False)

    def __post_init__(self) -> None:
        self.crash_before = self.store.crash_before()

    @property
    def user_number(self) -> int:
        """Row number of the caller."""
        return self.caller.user

    @property
    def user(self) -> User:
        """The caller."""
        return user_by_number(self.connection, self.user_number)

    @contextmanager
    def writing(self) -> Generator[sqlite3.Connection]:
        """Open a write transaction on the request's own connection, so that the payload reads the new values."""
        with self.store.transaction(self.connection):
            yield self.connection


def of(info: GraphQLResolveInfo) -> RequestContext:
    """Return the context of the request that a resolver serves."""
    context = info.context
    if not isinstance(context, RequestContext):
        raise TypeError("executed without a request context")
    return context
