"""Probe a server that hides its schema: send every operation in a form that it must refuse, and read the errors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from graphql import GraphQLSchema

from runql.drift.findings import Finding, Report, Unchecked
from runql.drift.operations.combined_document import CombinedDocument, combine
from runql.drift.operations.documents import CheckedOperation
from runql.drift.operations.usage import Usage, usage_of
from runql.drift.probe.revealed_types import (
    RevealedTypes,
    needs_numbers,
    read_type_errors,
    type_findings,
    unanswered,
)
from runql.drift.probe.type_probe import Question, build_type_probe, questions_for
from runql.drift.server_errors.error_findings import missing_root, read_errors
from runql.drift.server_errors.messages import ServerError, parse_message
from runql.drift.server_errors.request import GraphQLResponse, send_document
from runql.errors import RequestTimedOutError
from runql.transport.flow import Flow

MARKER = "runqlDriftMarker"
"""A field that no schema has. A server that reports it has validated the document, so it has run nothing."""

HARMLESS = f"query {MARKER} {{ {MARKER} }}"
MOST_REQUESTS = 48


@dataclass(slots=True)
class _Probe:
    """The state of a probe."""

    known: GraphQLSchema
    most_requests: int
    requests: int = 0
    findings: dict[tuple[str, str, str], Finding] = field(default_factory=dict[tuple[str, str, str], Finding])
    unchecked: list[Unchecked] = field(default_factory=list[Unchecked])
    notes: list[str] = field(default_factory=list[str])

    def add(self, finding: Finding) -> None:
        """Add a finding; two findings with the same `Finding.place` become one with the operations of both."""
        before = self.findings.get(finding.place)
        self.findings[finding.place] = before.joined(finding) if before else finding

    def send(self, document: str, operation: str) -> Flow[GraphQLResponse | None]:
        """Send a document once; None after a timeout, so that the caller can send a smaller one."""
        self.requests += 1
        try:
            return (yield from send_document(document, operation, fail_fast=True))
        except RequestTimedOutError:
            return None

    def mark_unproved(self, names: Iterable[str], reason: str) -> None:
        """Note that these operations are valid, and what is not proved of them."""
        done = {each.subject for each in self.unchecked}
        self.unchecked += [Unchecked(name, reason, is_valid=True) for name in names if name not in done]

    def mark_unchecked(self, operations: Sequence[CheckedOperation], reason: str) -> None:
        """Note that these operations could not be checked."""
        self.unchecked += [Unchecked(operation.name, reason) for operation in operations]


def probe(
    known: GraphQLSchema,
    operations: Sequence[CheckedOperation],
    *,
    source: str = "",
    most_requests: int = MOST_REQUESTS,
) -> Flow[Report]:
    """Check operations against a server without its schema; the server runs nothing, mutations included.

    Args:
        known: the schema that the operations were written against.
        operations: with names that are unique among them.
        source: the server, for the report.
        most_requests: the probe stops after so many requests; the remaining operations are unchecked.

    Requests: three if the server reports every error of a document, with locations. Else the probe sends smaller documents.

    Raises:
        AnswerError: the server refuses the API key (401, 403), or fails at the first request.
        TransportError: the server cannot be reached.
    """
    state = _Probe(known, most_requests, requests=1)
    first = yield from send_document(HARMLESS, MARKER)
    reason = _why_not_validating(first)
    if reason:
        state.mark_unchecked(operations, reason)
    else:
        yield from _probe_operations(state, operations)
        unchecked = {each.subject for each in state.unchecked}
        without_root = {
            use.operation
            for each in state.findings.values()
            if each.rule == "root-removed"
            for use in each.uses
        }
        checked = [each for each in operations if each.name not in unchecked | without_root]
        if checked:
            yield from _probe_types(state, checked)
    unproved = {each.subject for each in state.unchecked}
    proved = [each for each in operations if each.name not in unproved]
    return Report(
        source=source,
        findings=tuple(state.findings.values()),
        unchecked=tuple(state.unchecked),
        operations=len(operations),
        requests=state.requests,
        notes=tuple(state.notes),
        covered=usage_of(proved, known).coordinates,
    ).sorted()


def _why_not_validating(response: GraphQLResponse) -> str:
    """Return why the response to the harmless query does not prove validation; empty if it does."""
    if not response.is_graphql:
        return (
            f"the server returned no GraphQL response (status {response.status}): is the URL that of the API?"
        )
    if not response.errors:
        return "the server accepts a query with an unknown field: it does not validate"
    if MARKER not in _markers(response.errors):
        return f"the server does not say what is wrong with a query: {response.errors[0].message!r}"
    return ""


def _probe_operations(state: _Probe, operations: Sequence[CheckedOperation]) -> Flow[None]:
    """Check operations in one document; halve it where the response proves nothing."""
    waiting = [list(operations)]
    knows_root = all(each.definition.kind != "mutation" for each in operations)
    while waiting:
        group = waiting.pop(0)
        if state.requests >= state.most_requests:
            state.mark_unchecked(group, f"no proof within {state.most_requests} requests")
            continue
        combined = combine(group, marker=f"{MARKER}_", trailer=HARMLESS)
        response = yield from state.send(combined.source, MARKER)
        if response is not None and response.data is not None:
            left = [operation for each in [group, *waiting] for operation in each]
            state.mark_unchecked(left, "the server ran an invalid document: the probe stopped")
            return
        reason = _read_response(state, combined, response, {*combined.markers, MARKER})
        if reason and response is not None and not knows_root and state.requests < state.most_requests:
            knows_root = True
            if (yield from _lacks_mutations(state)):
                mutations = [each for each in operations if each.definition.kind == "mutation"]
                state.add(missing_root("mutation", _mutation_type(state.known), mutations))
                waiting = [[each for each in operations if each.definition.kind != "mutation"]]
                continue
        if reason and len(group) > 1:
            middle = len(group) // 2
            waiting = [group[:middle], group[middle:], *waiting]
        elif reason and not (yield from _probe_by_name(state, group)):
            state.mark_unchecked(group, reason)


def _lacks_mutations(state: _Probe) -> Flow[bool]:
    """Return whether the server says that it has no mutations at all: then it reports nothing of what is in them."""
    response = yield from state.send(f"mutation {MARKER} {{ {MARKER} }}", MARKER)
    parsed = [parse_message(error.message) for error in (response.errors if response else ())]
    return any(each is not None and each.kind == "no such root" for each in parsed)


def _mutation_type(known: GraphQLSchema) -> str:
    return known.mutation_type.name if known.mutation_type else "Mutation"


def _probe_by_name(state: _Probe, group: Sequence[CheckedOperation]) -> Flow[bool]:
    """Check one operation under its own name, as some servers validate no other; return whether that proves it."""
    if state.requests >= state.most_requests:
        return False
    combined = combine(group, marker=f"{MARKER}_")
    response = yield from state.send(combined.source, group[0].name)
    return not _read_response(state, combined, response, set(combined.markers))


def _read_response(
    state: _Probe, combined: CombinedDocument, response: GraphQLResponse | None, expected: set[str]
) -> str:
    """Add the findings of a response; return why it proves nothing about the document, empty if it does."""
    if response is None:
        return "the server did not respond in time"
    read = read_errors(combined, [each for each in response.errors if not _is_marker(each)], state.known)
    for finding in read.findings:
        state.add(finding)
    if response.data is not None:
        return "the server ran an invalid document"
    if not response.is_graphql:
        return f"the server returned no GraphQL response (status {response.status})"
    if read.unrecognized:
        return f"the server reports {read.unrecognized[0].message!r}"
    missing = expected - _markers(response.errors)
    if missing:
        return "the server does not report every error of a document"
    return ""


def _probe_types(state: _Probe, operations: Sequence[CheckedOperation]) -> Flow[None]:
    """Make the server name the types of the parts in use; repeat while it names more."""
    usage = usage_of(operations, state.known)
    removed = {finding.coordinate for finding in state.findings.values()}
    questions = [
        each
        for each in questions_for(state.known, usage)
        if each.coordinate not in removed and each.owner not in removed
    ]
    revealed = RevealedTypes()
    left = yield from _ask(state, questions, revealed)
    for finding in type_findings(revealed, usage, state.known):
        state.add(finding)
    for name, parts in _parts_by_operation(left, usage).items():
        state.mark_unproved(
            [name],
            f"it is valid, but the server does not reveal the types of {len(parts)} parts that it uses "
            f"({', '.join(parts[:3])}{', …' if len(parts) > 3 else ''})",
        )
    if questions and not revealed.has_wrappers:
        state.mark_unproved(
            [each.name for each in operations],
            "it is valid, but the server names types without `!` and list brackets: it does not reveal nullability",
        )


def _ask(state: _Probe, questions: Sequence[Question], revealed: RevealedTypes) -> Flow[list[Question]]:
    """Ask as many questions at once as the server answers, and return those that it does not answer."""
    waiting, unanswerable = list(questions), list[Question]()
    most, is_numbered = len(waiting), False
    while waiting and state.requests < state.most_requests:
        asked = waiting[:most]
        document = build_type_probe(state.known, asked, MARKER, is_numbered=is_numbered)
        response = yield from state.send(document.source, MARKER)
        if response is not None and response.data is not None:
            break
        removed_before = set(revealed.removed)
        errors = () if response is None else response.errors
        read_type_errors(document, errors, revealed)
        # graph-gophers stops inside a value at the first unknown field: the others of that type need another request.
        interrupted = {
            coordinate.partition(".")[0] for coordinate in revealed.removed.keys() - removed_before
        }
        open_ones = unanswered(asked, revealed)
        left = [*open_ones, *waiting[most:]]
        # The marker ends the document: without an error for it, the server stopped before the end.
        is_complete = MARKER in _markers(errors)
        if open_ones and not is_numbered and is_complete and needs_numbers(errors):
            is_numbered = True
        elif is_complete:
            unanswerable += [each for each in open_ones if each.owner not in interrupted]
            left = [each for each in left if each not in unanswerable]
        elif len(open_ones) == len(asked):
            unanswerable += asked if len(asked) == 1 else []
            left = left[1:] if len(asked) == 1 else left
            most = max(1, len(asked) // 2)
        waiting = left
    return [*unanswerable, *waiting]


def _parts_by_operation(questions: Sequence[Question], usage: Usage) -> dict[str, list[str]]:
    """Return the coordinates that the questions are about, by the operations that use them."""
    parts: dict[str, list[str]] = {}
    for question in sorted(questions, key=lambda each: each.coordinate):
        uses = usage.of(question.coordinate) if question.name else usage.sending(question.owner)
        for use in uses:
            parts.setdefault(use.operation, []).append(question.coordinate)
    return parts


def _is_marker(error: ServerError) -> bool:
    parsed = parse_message(error.message)
    return parsed is not None and parsed.names.get("field", "").startswith(MARKER)


def _markers(errors: Sequence[ServerError]) -> set[str]:
    """Return the markers that the server reports as unknown fields."""
    parsed = (parse_message(error.message) for error in errors)
    return {each.names["field"] for each in parsed if each is not None and each.kind == "unknown field"}
