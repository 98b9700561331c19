"""Probe a server that hides its schema: send every operation in a form that it must refuse, and read the errors."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from graphql import GraphQLSchema

from runql.drift.findings import Finding, Report, Unchecked
from runql.drift.operations.combined_document import CombinedDocument, combine
from runql.drift.operations.documents import CheckedOperation
from runql.drift.operations.usage import Usage, usage_of
from runql.drift.probe.measures import Measure, measure_of, measured
from runql.drift.probe.packing import count_tokens, operation_tokens, packed
from runql.drift.probe.revealed_types import (
    RevealedTypes,
    needs_numbers,
    read_type_errors,
    type_findings,
    unanswered,
    unproved_objects,
)
from runql.drift.probe.type_probe import Question, TypeProbe, build_type_probe, questions_for
from runql.drift.server_errors.error_findings import missing_root, read_errors, validate_operations
from runql.drift.server_errors.limits import LimitKind, StatedLimit, stated_limits
from runql.drift.server_errors.messages import ServerError, parse_message
from runql.drift.server_errors.request import GraphQLResponse, send_document, send_patiently
from runql.errors import AccessDeniedError, RequestTimedOutError
from runql.transport.flow import Flow

MARKER = "runqlDriftMarker"
"""A field that no schema has. A server that reports it has validated the document, so it has run nothing."""

HARMLESS = f"query {MARKER} {{ {MARKER} }}"
MOST_REQUESTS = 48
MOST_SECONDS = 60.0


@dataclass(slots=True)
class _Probe:
    """The state of a probe."""

    known: GraphQLSchema
    most_requests: int
    most_seconds: float
    clock: Callable[[], float]
    deadline: float
    requests: int = 0
    findings: dict[tuple[str, str, str], Finding] = field(default_factory=dict[tuple[str, str, str], Finding])
    unchecked: list[Unchecked] = field(default_factory=list[Unchecked])
    notes: list[str] = field(default_factory=list[str])
    reports_one: bool = False
    limits: dict[LimitKind, StatedLimit] = field(default_factory=dict[LimitKind, StatedLimit])
    measures: dict[LimitKind, Measure | None] = field(default_factory=dict[LimitKind, Measure | None])

    def learn(self, errors: Sequence[ServerError], document: str) -> bool:
        """Take over the limits that a server states when it refuses a document; return whether one of them is new."""
        new: dict[LimitKind, StatedLimit] = {
            each.kind: each
            for each in stated_limits(errors)
            if each.kind not in self.limits or each.allowed < self.limits[each.kind].allowed
        }
        self.limits.update(new)
        self.measures.update({kind: measure_of(each, document) for kind, each in new.items()})
        self.notes += [f"the server allows {each.words()}" for each in new.values()]
        return bool(new)

    def within_limits(self, operations: Sequence[CheckedOperation]) -> list[list[CheckedOperation]]:
        """Return groups that the limits allow; note operations that are beyond a limit by themselves."""
        allowed: list[CheckedOperation] = []
        for operation in operations:
            beyond = next(
                filter(None, (self._beyond(operation, each) for each in self.limits.values())), None
            )
            if beyond is None:
                allowed.append(operation)
            else:
                self.mark_unchecked([operation], beyond)
        tokens = self.limits.get("tokens")
        return packed(allowed, tokens.allowed) if tokens is not None else [allowed] if allowed else []

    def _beyond(self, operation: CheckedOperation, limit: StatedLimit) -> str | None:
        """Return why an operation is beyond a limit by itself; None if it is not."""
        if limit.kind == "tokens":
            own = probed = float(operation_tokens(operation))
        else:
            measure = self.measures.get(limit.kind)
            if measure is None:
                return None
            own = measured(combine([operation]).source, measure)[operation.name]
            probed = measured(combine([operation], marker=f"{MARKER}_").source, measure)[operation.name]
        if own > limit.allowed:
            return f"the server allows {limit.words()}, and this operation has {own:,g}: it refuses its requests, too"
        if probed > limit.allowed:
            return f"the server allows {limit.words()}, and this operation has {probed:,g} with the field that the probe adds"
        return None

    def add(self, finding: Finding) -> None:
        """Add a finding; two findings with the same `Finding.place` become one with the operations of both."""
        before = self.findings.get(finding.place)
        self.findings[finding.place] = before.joined(finding) if before else finding

    def send(self, document: str, operation: str) -> Flow[GraphQLResponse | None]:
        """Send a document once; None after a timeout, so that the caller can send a smaller one.

        The server has accepted a document before: a 403 now is about this one, such as that of a firewall.
        """
        self.requests += 1
        try:
            return (yield from send_document(document, operation, fail_fast=True))
        except RequestTimedOutError:
            return None
        except AccessDeniedError:
            return GraphQLResponse((), None, is_graphql=False, status=403)

    @property
    def end(self) -> str:
        """Why no further request may be sent; empty as long as one may."""
        if self.requests >= self.most_requests:
            return f"no proof within {self.most_requests} requests"
        return f"no proof within {self.most_seconds:g} s" if self.clock() >= self.deadline else ""

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
    most_seconds: float = MOST_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> Flow[Report]:
    """Check operations against a server without its schema; the server runs nothing, mutations included.

    Args:
        known: the schema that the operations were written against.
        operations: with names that are unique among them.
        source: the server, for the report.
        most_requests: the probe stops after so many requests; the remaining operations are unchecked.
        most_seconds: it begins no further request after this time.
        clock: returns seconds.

    Requests: three if the server reports every error of a document, with locations. Else the probe sends smaller documents.

    Raises:
        DriftInputError: a query is wrong under any schema; raised before anything is sent.
        AnswerError: the server refuses the API key (401, 403), or fails at the first request.
        TransportError: the server cannot be reached.
    """
    state = _Probe(known, most_requests, most_seconds, clock, clock() + most_seconds, requests=1)
    # Errors of the queries themselves would look like a server that reports something else.
    validate_operations(known, operations, known)
    usage = usage_of(operations, known)
    first = yield from send_patiently(HARMLESS, MARKER)
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
        if state.reports_one:
            state.mark_unproved(
                [each.name for each in checked],
                "it is valid, but the server reports one error of a document: it reveals no types",
            )
        elif checked:
            yield from _probe_types(state, checked, usage.by({each.name for each in checked}))
    unproved = {each.subject for each in state.unchecked}
    proved = {each.name for each in operations} - unproved
    return Report(
        source=source,
        findings=tuple(state.findings.values()),
        unchecked=tuple(state.unchecked),
        operations=len(operations),
        requests=state.requests,
        notes=tuple(state.notes),
        covered=usage.by(proved).coordinates,
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
    """Check operations in one document; pack it anew where the server states a limit, else halve it."""
    waiting = [list(operations)]
    knows_order = False
    knows_root = all(each.definition.kind != "mutation" for each in operations)
    while waiting:
        group = waiting.pop(0)
        if state.end:
            state.mark_unchecked(group, state.end)
            continue
        combined = combine(group, marker=f"{MARKER}_", trailer=HARMLESS)
        response = yield from state.send(combined.source, MARKER)
        if response is not None and response.data is not None:
            left = [operation for each in [group, *waiting] for operation in each]
            state.mark_unchecked(left, "the server ran an invalid document: the probe stopped")
            return
        new_limits = state.learn(() if response is None else response.errors, combined.source)
        reason = _read_response(state, combined, response, {*combined.markers, MARKER})
        if reason and new_limits:
            waiting = state.within_limits([operation for each in [group, *waiting] for operation in each])
            continue
        if reason and response is not None and len(response.errors) == 1 and not knows_order:
            knows_order = True
            if (yield from _reports_the_first_error(state)):
                yield from _probe_in_order(state, [each for part in [group, *waiting] for each in part])
                return
        if reason and response is not None and not knows_root and not state.end:
            knows_root = True
            if (yield from _lacks_mutations(state)):
                mutations = [each for each in operations if each.definition.kind == "mutation"]
                state.add(missing_root("mutation", _mutation_type(state.known), mutations))
                waiting = [
                    [each for each in part if each.definition.kind != "mutation"]
                    for part in [group, *waiting]
                ]
                waiting = [part for part in waiting if part]
                continue
        if reason and len(group) > 1:
            middle = len(group) // 2
            waiting = [group[:middle], group[middle:], *waiting]
        elif reason and not (yield from _probe_by_name(state, group)):
            state.mark_unchecked(group, reason)


def _reports_the_first_error(state: _Probe) -> Flow[bool]:
    """Return whether the server reports the first error of a document, of whichever rule, and no other."""
    first, second = f"{MARKER}_first", f"{MARKER}_second"
    documents = {
        "unknown argument": f"query {first} {{ __typename({first}: 1) }} query {second} {{ {second} }}",
        "unknown field": f"query {first} {{ {first} }} query {second} {{ __typename({second}: 1) }}",
    }
    for kind, document in documents.items():
        response = yield from state.send(f"{document} {HARMLESS}", MARKER)
        parsed = [parse_message(each.message) for each in (response.errors if response else ())]
        if [(each.kind, first in each.names.values()) for each in parsed if each] != [(kind, True)]:
            return False
    state.reports_one = True
    return True


def _probe_in_order(state: _Probe, operations: Sequence[CheckedOperation]) -> Flow[None]:
    """Check operations on a server that reports one error, the first: where it is that of the last field, there is no other.

    Operations that break are taken out, and the rest is sent again.
    """
    state.notes.append("the server reports one error of a document")
    waiting = [list(operations)]
    while waiting:
        group = waiting.pop(0)
        if state.end:
            state.mark_unchecked(group, state.end)
            continue
        combined = combine(group, trailer=HARMLESS)
        response = yield from state.send(combined.source, MARKER)
        reason = _read_response(state, combined, response, {MARKER})
        if response is not None and response.data is not None:
            state.mark_unchecked([each for part in [group, *waiting] for each in part], reason)
            return
        if not reason:
            continue
        errors = () if response is None else response.errors
        found = read_errors(combined, errors, state.known).findings
        broken = {use.operation for finding in found for use in finding.uses}
        rest = [each for each in group if each.name not in broken]
        if len(rest) < len(group):
            state.mark_unproved(
                [each.name for each in group if each.name in broken],
                "the server reports the first of its errors, and there may be others",
            )
            waiting = [rest, *waiting] if rest else waiting
        elif len(group) > 1:
            waiting = [group[: len(group) // 2], group[len(group) // 2 :], *waiting]
        else:
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
    if state.end:
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


def _probe_types(state: _Probe, operations: Sequence[CheckedOperation], usage: Usage) -> Flow[None]:
    """Make the server name the types of the parts in use; repeat while it names more."""
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
    for question, becomes in unproved_objects(revealed).items():
        state.mark_unproved(
            [use.operation for use in usage.of(question.coordinate)],
            f"it is valid, but {question.coordinate} returns {becomes} now, whose fields the server does not reveal",
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
    while waiting and not state.end:
        document = _fitting(state, waiting[:most], is_numbered=is_numbered)
        asked = waiting[: document.questions]
        response = yield from state.send(document.source, MARKER)
        if response is not None and response.data is not None:
            break
        if state.learn(() if response is None else response.errors, document.source):
            continue
        removed_before = set(revealed.removed)
        errors = () if response is None else response.errors
        read_type_errors(document, errors, revealed)
        # graph-gophers stops inside a value at the first unknown field: the others of that type need another request.
        interrupted = {
            coordinate.partition(".")[0] for coordinate in revealed.removed.keys() - removed_before
        }
        open_ones = unanswered(asked, revealed)
        left = [*open_ones, *waiting[len(asked) :]]
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


def _fitting(state: _Probe, questions: Sequence[Question], *, is_numbered: bool) -> TypeProbe:
    """Return a document that asks the first of the questions, as many as the server's limit of tokens allows."""
    tokens = state.limits.get("tokens")
    number = len(questions)
    while True:
        document = build_type_probe(state.known, questions[:number], MARKER, is_numbered=is_numbered)
        size = 0 if tokens is None else count_tokens(document.source)
        if tokens is None or size <= tokens.allowed or number == 1:
            return document
        number = max(1, min(number - 1, number * tokens.allowed // size))


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
