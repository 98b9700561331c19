"""Fixtures of the drift tests: the checked operations, the known schema, and clients of a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import pytest
from graphql import GraphQLSchema
from tests.drift.independent_usage import all_operations
from tests.drift.schema_server import KEY
from tests.patience import PATIENCE

from runql import RetryingClient, RetryPolicy
from runql.config import resolve_settings
from runql.drift import CheckedOperation, known_schema

Connect = Callable[[str], RetryingClient]


@cache
def _operations() -> list[CheckedOperation]:
    return all_operations()


@pytest.fixture(scope="session")
def operations() -> list[CheckedOperation]:
    """The operations of runql, and those of a team."""
    return _operations()


@pytest.fixture(scope="session")
def known() -> GraphQLSchema:
    """The schema that runql was built with."""
    return known_schema()


@pytest.fixture(scope="session")
def connect() -> Iterator[Connect]:
    """Make clients of a server, which send each request once; the fixture closes them."""
    opened: list[RetryingClient] = []

    def client(url: str) -> RetryingClient:
        settings = resolve_settings(base_url=url, api_key=KEY, timeout=PATIENCE, environ={})
        opened.append(RetryingClient(settings, retry=RetryPolicy(max_attempts=1)))
        return opened[-1]

    yield client
    for each in opened:
        each.close()
