"""Asking a server that hides its schema: every operation is sent in a form that it must refuse, and its errors are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from graphql import GraphQLSchema

from runql.drift.findings import Finding, Report, Unchecked, merged_uses
from runql.drift.operations.combined_document import CombinedDocument, combine
from runql.drift.operations.documents import CheckedOperation
from runql.drift.operations.usage import usage_of
from runql.drift.probe.revealed_types import RevealedTypes, read_type_errors, type_findings, unanswered
from runql.drift.probe.type_probe import build_type_probe, questions_for
from runql.drift.server_errors.error_findings import ServerError, read_errors
from runql.drift.server_errors.messages import parse_message
from runql.drift.server_errors.request import GraphQLResponse, send_document
from runql.errors import RequestTimedOutError
from runql.transport.flow import Flow

MARKER = "runqlDriftMarker"
"""A field that exists nowhere. That a server complains of it proves that it validated, and so that it ran nothing."""

HARMLESS = f"query {MARKER} {{ {MARKER} }}"
MOST_REQUESTS = 48


@dataclass(slots=True)
class _Probe:
    """A probe under way."""

    known: GraphQLSchema
    most_requests: int
    requests: int = 0
    findings: dict[tuple[str, str, str], Finding] = field(default_factory=dict[tuple[str, str, str], Finding])
    unchecked: list[Unchecked] = field(default_factory=list[Unchecked])
    notes: list[str] = field(default_factory=list[str])

    def add(self, finding: Finding) -> None:
        """Keep a finding; of two with one place, the operations of both."""
        before = self.findings.get(finding.place)
        uses = merged_uses((*(before.uses if before else ()), *finding.uses))
        self.findings[finding.place] = Finding(
            finding.rule,
            finding.level,
            finding.coordinate,
            (before or finding).message,
            uses,
            (before or finding).suggestions,
            finding.member,
        )

    def send(self, text: str, operation: str) -> Flow[GraphQLResponse | None]:
        """Send; None when the server did not manage it, so that less may be asked."""
        self.requests += 1
        try:
            return (yield from send_document(text, operation, fail_fast=True))
        except RequestTimedOutError:
            return None

    def mark_unchecked(self, operations: Sequence[CheckedOperation], reason: str) -> None:
        """Say of operations that they could not be checked."""
        self.unchecked += [Unchecked(operation.name, reason) for operation in operations]


def probe(
    known: GraphQLSchema,
    operations: Sequence[CheckedOperation],
    *,
    source: str = "",
    most_requests: int = MOST_REQUESTS,
) -> Flow[Report]:
    """Check operations against a server without asking for its schema; nothing is run there, mutations included.

    Three requests where the server reports all errors of a document: a harmless one that shows that it validates, all
    operations, and one that makes it tell types. Documents are halved where it does not.

    Args:
        known: the schema that the operations were written against.
        operations: with names that are unique among them.
        source: the server, for the report.
        most_requests: operations that are not proved by then could not be checked.

    Raises:
        AnswerError: the server lets nobody in (401, 403), or fails at the harmless request too.
        TransportError: the server cannot be reached.
    """
    state = _Probe(known, most_requests, requests=1)
    first = yield from send_document(HARMLESS, MARKER)
    reason = _why_unproved(first)
    if reason:
        state.mark_unchecked(operations, reason)
    else:
        yield from _probe_operations(state, operations)
        unproved = {each.subject for each in state.unchecked}
        proved = [each for each in operations if each.name not in unproved]
        if proved:
            yield from _probe_types(state, proved)
    return Report(
        source=source,
        findings=tuple(state.findings.values()),
        unchecked=tuple(state.unchecked),
        operations=len(operations),
        requests=state.requests,
        notes=tuple(state.notes),
    ).sorted()


def _why_unproved(response: GraphQLResponse) -> str:
    """Why the response to the harmless query does not show that the server validates; empty when it does."""
    if not response.is_graphql:
        return f"the server gave no GraphQL response (status {response.status}): is the URL the API's?"
    if not response.errors:
        return "the server answers a query that asks for a field which does not exist: it does not validate"
    if MARKER not in _markers(response.errors):
        return f"the server does not say what is wrong with a query: {response.errors[0].message!r}"
    return ""


def _probe_operations(state: _Probe, operations: Sequence[CheckedOperation]) -> Flow[None]:
    """Check operations together, and in halves where that proves nothing."""
    waiting = [list(operations)]
    while waiting:
        group = waiting.pop(0)
        if state.requests >= state.most_requests:
            state.mark_unchecked(group, f"no proof within {state.most_requests} requests")
            continue
        combined = combine(group, marker=f"{MARKER}_", trailer=HARMLESS)
        response = yield from state.send(combined.text, MARKER)
        if response is not None and response.data is not None:
            left = [operation for each in [group, *waiting] for operation in each]
            state.mark_unchecked(left, "the server ran a document that is not valid: nothing more was sent")
            return
        reason = _read_response(state, combined, response, {*combined.markers, MARKER})
        if reason and len(group) > 1:
            middle = len(group) // 2
            waiting = [group[:middle], group[middle:], *waiting]
        elif reason and not (yield from _probe_by_name(state, group)):
            state.mark_unchecked(group, reason)


def _probe_by_name(state: _Probe, group: Sequence[CheckedOperation]) -> Flow[bool]:
    """One operation under its own name: some servers look at nothing else. Whether that proved something."""
    if state.requests >= state.most_requests:
        return False
    combined = combine(group, marker=f"{MARKER}_")
    response = yield from state.send(combined.text, group[0].name)
    return not _read_response(state, combined, response, set(combined.markers))


def _read_response(
    state: _Probe, combined: CombinedDocument, response: GraphQLResponse | None, expected: set[str]
) -> str:
    """Take in an response; why it is no proof for everything in the document, empty when it is."""
    if response is None:
        return "the server did not answer in time"
    read = read_errors(combined, [each for each in response.errors if not _is_marker(each)], state.known)
    for finding in read.findings:
        state.add(finding)
    if response.data is not None:
        return "the server ran a document that is not valid"
    if not response.is_graphql:
        return f"the server gave no GraphQL response (status {response.status})"
    if read.unrecognized:
        return f"the server says {read.unrecognized[0].message!r}"
    missing = expected - _markers(response.errors)
    if missing:
        return "the server does not report every error of a document"
    return ""


def _probe_types(state: _Probe, operations: Sequence[CheckedOperation]) -> Flow[None]:
    """Make the server tell types, as long as it tells more."""
    usage = usage_of(operations, state.known)
    removed = {finding.coordinate for finding in state.findings.values()}
    questions = [
        each
        for each in questions_for(state.known, usage)
        if each.coordinate not in removed and each.owner not in removed
    ]
    revealed, left, more = RevealedTypes(), questions, True
    while left and more and state.requests < state.most_requests:
        document = build_type_probe(state.known, left, MARKER)
        response = yield from state.send(document.text, MARKER)
        if response is None or response.data is not None:
            break
        before, removed_before = left, set(revealed.removed)
        read_type_errors(document, response.errors, revealed)
        left = unanswered(left, revealed)
        # Its end is the marker: a server that did not come to it is asked for the rest, as long as it tells more.
        # graph-gophers leaves a value at the first field that it does not know: what else is in that type is asked again.
        halved = {coordinate.partition(".")[0] for coordinate in revealed.removed.keys() - removed_before}
        cut = MARKER not in _markers(response.errors) or any(each.owner in halved for each in left)
        more = cut and len(left) < len(before)
    for finding in type_findings(revealed, usage, state.known):
        state.add(finding)
    if left:
        names = ", ".join(sorted(each.coordinate for each in left)[:3])
        state.notes.append(
            f"the server revealed nothing of the types of {len(left)} of {len(questions)} parts that are used ({names}, …): "
            "that the operations are valid is proved, that these parts are what they were is not"
        )
    elif questions and not revealed.has_wrappers:
        state.notes.append(
            "the server tells types without `!` and lists: whether they may be null is not checked"
        )


def _is_marker(error: ServerError) -> bool:
    parsed = parse_message(error.message)
    return parsed is not None and parsed.names.get("field", "").startswith(MARKER)


def _markers(errors: Sequence[ServerError]) -> set[str]:
    """The markers that the server complained of."""
    parsed = (parse_message(error.message) for error in errors)
    return {each.names["field"] for each in parsed if each is not None and each.kind == "unknown field"}
