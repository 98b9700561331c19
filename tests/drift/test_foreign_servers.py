"""A part of the matrix of `make servers`: servers of others get the right verdict, and run nothing."""

from __future__ import annotations

import httpx
import pytest
from graphql import GraphQLSchema
from tests import profiles
from tests.drift.conftest import Connect
from tests.drift.schema_changes import all_changes
from tests.drift.servers.matrix import Cell, cells
from tests.drift.servers.processes import ARMORED, NODE_SERVERS, PYTHON_SERVERS, ForeignServer, packages
from tests.patience import PATIENCE

from runql.drift import CheckedOperation, Report
from runql.drift.findings import Finding, Unchecked, Use
from runql.drift.operations.combined_document import combine
from runql.drift.probe.measures import cost, depth_in_levels, measured
from runql.drift.schema.sources import known_sdl
from runql.drift.server_errors.limits import stated_limits
from runql.drift.server_errors.messages import ServerError

pytestmark = pytest.mark.nightly

KINDS = ("field may be null now", "required input field added", "field deprecated")
"""One that types alone show, one of what is sent, and one that breaks nothing."""

CHANGES = [
    next(each for each in all_changes() if each.kind == kind and not each.is_unused_part) for kind in KINDS
]
EVERY = (*NODE_SERVERS, *PYTHON_SERVERS)
QUICK = ("apollo-5-without-locations", "yoga-armor", "strawberry")


def started(kind: str) -> ForeignServer:
    """Start a server; skip the test without its packages."""
    if kind in NODE_SERVERS and packages() is None:
        pytest.skip("RUNQL_SERVERS names no folder with the npm packages: use `make test`")
    return ForeignServer(kind)


@pytest.mark.parametrize("kind", EVERY if profiles.IS_FULL else QUICK)
def test_servers_of_others_get_the_right_verdict(
    kind: str, known: GraphQLSchema, operations: list[CheckedOperation], connect: Connect
) -> None:
    with started(kind) as server:
        client = connect(server.url)
        found = list(cells(server, CHANGES, known=known, operations=operations, client=client))
    for cell in found:
        assert not cell.resolved
        assert cell.has_reason
        assert cell.verdict == ("breaking" if cell.breaks else "ok"), (cell.change.name, cell.report)
    assert any(cell.breaks for cell in found)


@pytest.mark.parametrize("kind", ARMORED)
def test_what_armor_finds_is_what_we_measure(
    kind: str, known: GraphQLSchema, operations: list[CheckedOperation]
) -> None:
    source = combine(operations).source
    expected = {"depth": measured(source, depth_in_levels), "cost": measured(source, cost)}
    seen = set[str]()
    with started(kind) as server:
        server.serve(known_sdl())
        for operation in operations:
            body = {"query": combine([operation]).source, "operationName": operation.name}
            response = httpx.post(f"{server.url}/graphql", json=body, timeout=PATIENCE).json()
            errors = [ServerError(each["message"]) for each in response["errors"]]
            for limit in stated_limits(errors):
                if limit.kind in expected:
                    assert limit.found == expected[limit.kind][operation.name], operation.name
                    seen.add(limit.kind)
    assert seen == {"depth", "cost"}


@pytest.mark.parametrize("kind", ["graphql-http", "yoga-armor", "ariadne"])
def test_introspection_of_servers_of_others(
    kind: str, known: GraphQLSchema, operations: list[CheckedOperation], connect: Connect
) -> None:
    with started(kind) as server:
        client = connect(server.url)
        found = list(
            cells(server, CHANGES, known=known, operations=operations, client=client, introspection=True)
        )
    assert [cell.verdict for cell in found] == ["breaking" if each.breaks else "ok" for each in found]
    assert any(cell.breaks for cell in found)


def test_the_matrix_judges() -> None:
    breaking, fine = CHANGES[0], CHANGES[-1]
    found = Report("", findings=(Finding("field-removed", "breaking", "A.b", "", (Use("Team"),)),))
    unchecked = Report("", unchecked=(Unchecked("Team", "the server is masked"),))
    assert Cell("x", breaking, True, Report(""), ()).is_missed
    assert Cell("x", fine, False, found, ()).is_false
    for change, report in ((breaking, found), (fine, Report("")), (breaking, unchecked), (fine, unchecked)):
        cell = Cell("x", change, change.breaks, report, ())
        assert not cell.is_missed
        assert not cell.is_false
        assert cell.has_reason
    assert not Cell("x", fine, False, Report("", unchecked=(Unchecked("Team", ""),)), ()).has_reason
