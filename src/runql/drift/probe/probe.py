"""Asking a server that hides its schema: every operation is sent in a form that it must refuse, and its errors are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from graphql import GraphQLSchema

from runql.drift.findings import Finding, Report, Unchecked, merged_uses
from runql.drift.operations.combined_document import Composed, compose
from runql.drift.operations.documents import CheckedOperation
from runql.drift.operations.usage import usage_of
from runql.drift.probe.revealed_types import Told, differences, listen, unanswered
from runql.drift.probe.type_probe import questions_about, revealing_document
from runql.drift.server_errors.messages import understand
from runql.drift.server_errors.problems import ServerError, read_problems
from runql.drift.server_errors.request import Answer, ask
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

    def ask(self, text: str, operation: str) -> Flow[Answer | None]:
        """Send; None when the server did not manage it, so that less may be asked."""
        self.requests += 1
        try:
            return (yield from ask(text, operation, fail_fast=True))
        except RequestTimedOutError:
            return None

    def give_up(self, operations: Sequence[CheckedOperation], reason: str) -> None:
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
    hello = yield from ask(HARMLESS, MARKER)
    trouble = _unproved(hello)
    if trouble:
        state.give_up(operations, trouble)
    else:
        yield from _check(state, operations)
        unproved = {each.subject for each in state.unchecked}
        proved = [each for each in operations if each.name not in unproved]
        if proved:
            yield from _reveal(state, proved)
    return Report(
        source=source,
        findings=tuple(state.findings.values()),
        unchecked=tuple(state.unchecked),
        operations=len(operations),
        requests=state.requests,
        notes=tuple(state.notes),
    ).sorted()


def _unproved(answer: Answer) -> str:
    """Why the answer to the harmless query does not show that the server validates; empty when it does."""
    if not answer.is_graphql:
        return f"the server gave no GraphQL answer (status {answer.status}): is the URL the API's?"
    if not answer.errors:
        return "the server answers a query that asks for a field which does not exist: it does not validate"
    if MARKER not in _markers(answer.errors):
        return f"the server does not say what is wrong with a query: {answer.errors[0].message!r}"
    return ""


def _check(state: _Probe, operations: Sequence[CheckedOperation]) -> Flow[None]:
    """Check operations together, and in halves where that proves nothing."""
    waiting = [list(operations)]
    while waiting:
        group = waiting.pop(0)
        if state.requests >= state.most_requests:
            state.give_up(group, f"no proof within {state.most_requests} requests")
            continue
        composed = compose(group, marker=f"{MARKER}_", ending=HARMLESS)
        answer = yield from state.ask(composed.text, MARKER)
        if answer is not None and answer.data is not None:
            left = [operation for each in [group, *waiting] for operation in each]
            state.give_up(left, "the server ran a document that is not valid: nothing more was sent")
            return
        reason = _judge(state, composed, answer, {*composed.markers, MARKER})
        if reason and len(group) > 1:
            middle = len(group) // 2
            waiting = [group[:middle], group[middle:], *waiting]
        elif reason and not (yield from _check_named(state, group)):
            state.give_up(group, reason)


def _check_named(state: _Probe, group: Sequence[CheckedOperation]) -> Flow[bool]:
    """One operation under its own name: some servers look at nothing else. Whether that proved something."""
    if state.requests >= state.most_requests:
        return False
    composed = compose(group, marker=f"{MARKER}_")
    answer = yield from state.ask(composed.text, group[0].name)
    return not _judge(state, composed, answer, set(composed.markers))


def _judge(state: _Probe, composed: Composed, answer: Answer | None, expected: set[str]) -> str:
    """Take in an answer; why it is no proof for everything in the document, empty when it is."""
    if answer is None:
        return "the server did not answer in time"
    problems = read_problems(composed, [each for each in answer.errors if not _is_marker(each)], state.known)
    for finding in problems.findings:
        state.add(finding)
    if answer.data is not None:
        return "the server ran a document that is not valid"
    if not answer.is_graphql:
        return f"the server gave no GraphQL answer (status {answer.status})"
    if problems.unclear:
        return f"the server says {problems.unclear[0].message!r}"
    missing = expected - _markers(answer.errors)
    if missing:
        return "the server does not report every error of a document"
    return ""


def _reveal(state: _Probe, operations: Sequence[CheckedOperation]) -> Flow[None]:
    """Make the server tell types, as long as it tells more."""
    usage = usage_of(operations, state.known)
    gone = {finding.coordinate for finding in state.findings.values()}
    questions = [
        each
        for each in questions_about(state.known, usage)
        if each.coordinate not in gone and each.owner not in gone
    ]
    told, left, more = Told(), questions, True
    while left and more and state.requests < state.most_requests:
        document = revealing_document(state.known, left, MARKER)
        answer = yield from state.ask(document.text, MARKER)
        if answer is None or answer.data is not None:
            break
        before, known_gone = left, set(told.gone)
        listen(document, answer.errors, told)
        left = unanswered(left, told)
        # Its end is the marker: a server that did not come to it is asked for the rest, as long as it tells more.
        # graph-gophers leaves a value at the first field that it does not know: what else is in that type is asked again.
        halved = {coordinate.partition(".")[0] for coordinate in told.gone.keys() - known_gone}
        cut = MARKER not in _markers(answer.errors) or any(each.owner in halved for each in left)
        more = cut and len(left) < len(before)
    for finding in differences(told, usage, state.known):
        state.add(finding)
    if left:
        names = ", ".join(sorted(each.coordinate for each in left)[:3])
        state.notes.append(
            f"the server told nothing of the types of {len(left)} of {len(questions)} parts that are used ({names}, …): "
            "that the operations are valid is proved, that these parts are what they were is not"
        )
    elif questions and not told.with_wrappers:
        state.notes.append(
            "the server tells types without `!` and lists: whether they may be null is not checked"
        )


def _is_marker(error: ServerError) -> bool:
    said = understand(error.message)
    return said is not None and said.names.get("field", "").startswith(MARKER)


def _markers(errors: Sequence[ServerError]) -> set[str]:
    """The markers that the server complained of."""
    said = (understand(error.message) for error in errors)
    return {each.names["field"] for each in said if each is not None and each.complaint == "unknown field"}
