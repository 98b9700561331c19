"""A whole check: from a schema or a server to a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graphql import GraphQLSchema

from runql.drift.findings import Report
from runql.drift.operations.documents import CheckedOperation
from runql.drift.operations.usage import usage_of
from runql.drift.probe.probe import MOST_REQUESTS, MOST_SECONDS, probe
from runql.drift.schema.changes import find_changes
from runql.drift.schema.impact import findings_of_changes
from runql.drift.schema.sources import introspect
from runql.drift.schema.type_changes import TypeChanges
from runql.drift.server_errors.error_findings import validate_operations
from runql.errors import IntrospectionRefusedError
from runql.transport.flow import Flow


def compare(
    known: GraphQLSchema, found: GraphQLSchema, operations: Sequence[CheckedOperation], *, source: str = ""
) -> Report:
    """Compare two schemas and report which operations the changes affect.

    Args:
        known: the schema that the operations were written against.
        found: the schema to check.
        operations: with names that are unique among them.
        source: what ``found`` is, for the report.
    """
    invalid = validate_operations(found, operations, known)
    usage = usage_of(operations, known)
    findings = findings_of_changes(
        find_changes(known, found), invalid, usage, TypeChanges(known, found, usage)
    )
    return Report(source, tuple(findings), operations=len(operations)).sorted()


def check_server(
    known: GraphQLSchema,
    operations: Sequence[CheckedOperation],
    *,
    source: str,
    introspection: bool = True,
    most_requests: int = MOST_REQUESTS,
    most_seconds: float = MOST_SECONDS,
) -> Flow[Report]:
    """Check operations against a server, by introspection or by probing.

    The check probes where the server refuses introspection, or where ``introspection`` is False.

    Requests: one for introspection; a probe sends at most ``most_requests``, and none after ``most_seconds``.

    Raises:
        AnswerError: the server refuses the API key, or fails.
        TransportError: the server cannot be reached.
    """
    refused = None
    if introspection:
        try:
            found = yield from introspect()
        except IntrospectionRefusedError as error:
            refused = error
        else:
            return replace(compare(known, found, operations, source=f"{source} (introspected)"), requests=1)
    report = yield from probe(
        known,
        operations,
        source=f"{source} (probed)",
        most_requests=most_requests,
        most_seconds=most_seconds,
    )
    if refused is None:
        return report
    return replace(report, requests=report.requests + 1, notes=(*report.notes, f"{refused}; probed instead"))
