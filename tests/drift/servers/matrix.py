"""The matrix: changes of the schema, each served by servers of others and checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphql import GraphQLSchema, build_schema
from tests.drift.schema_changes import SchemaChange
from tests.drift.servers.processes import ARMORED, ForeignServer

from runql import RetryingClient
from runql.drift import CheckedOperation, Report, check_server, compare
from runql.drift.findings import Verdict
from runql.drift.operations.combined_document import combine
from runql.drift.probe.measures import cost, depth_in_levels, measured
from runql.drift.probe.packing import operation_tokens


@dataclass(frozen=True)
class Cell:
    """What a check says of one change on one server.

    Attributes:
        server: name of the server.
        change: the change that it serves.
        breaks: whether it breaks one of the operations that were checked.
        report: the report of the check.
        resolved: fields that the server resolved: it must run nothing.
    """

    server: str
    change: SchemaChange
    breaks: bool
    report: Report
    resolved: Sequence[str]

    @property
    def verdict(self) -> Verdict:
        """The verdict of the report."""
        return self.report.verdict()

    @property
    def is_missed(self) -> bool:
        """Whether a check calls a change fine that breaks an operation."""
        return self.breaks and self.verdict == "ok"

    @property
    def is_false(self) -> bool:
        """Whether a check calls a change breaking that breaks nothing."""
        return not self.breaks and self.verdict == "breaking"

    @property
    def has_reason(self) -> bool:
        """Whether a check that has no verdict says why."""
        return self.verdict != "unchecked" or all(each.reason for each in self.report.undecided)


def cells(
    server: ForeignServer,
    changes: Sequence[SchemaChange],
    *,
    known: GraphQLSchema,
    operations: Sequence[CheckedOperation],
    client: RetryingClient,
    introspection: bool = False,
) -> Iterator[Cell]:
    """Serve each change, check the server, and yield what the check says; a server with limits is asked for what it allows."""
    allowed = within_limits(operations) if server.kind in ARMORED else operations
    for change in changes:
        server.serve(change.sdl, introspection=introspection)
        flow = check_server(known, allowed, source=server.kind, introspection=introspection)
        report = client.run(flow)
        breaks = compare(known, build_schema(change.sdl), allowed).verdict() == "breaking"
        yield Cell(server.kind, change, breaks, report, server.resolved)


def within_limits(operations: Sequence[CheckedOperation]) -> list[CheckedOperation]:
    """Return the operations that GraphQL Armor's defaults allow: depth 6, cost 5,000, 1,000 tokens."""
    source = combine(operations).source
    depths, costs = measured(source, depth_in_levels), measured(source, cost)
    return [
        each
        for each in operations
        if depths[each.name] <= 6 and costs[each.name] <= 4_900 and operation_tokens(each) <= 1_000
    ]
