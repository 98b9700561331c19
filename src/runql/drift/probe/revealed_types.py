"""What a server revealed when it refused the revealing document, and where that differs from what is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from graphql import GraphQLSchema

from runql.drift.findings import Finding, Level, merged_uses
from runql.drift.operations.usage import Usage
from runql.drift.probe.type_probe import ProbeLine, Question, TypeProbe, required_fields
from runql.drift.schema.changes import is_safe_to_receive, is_safe_to_send
from runql.drift.server_errors.error_findings import ServerError
from runql.drift.server_errors.messages import ParsedMessage, parse_message


@dataclass(slots=True)
class RevealedTypes:
    """Answers to questions.

    Attributes:
        types: by field or input field, its type now.
        read: whole types and enums of which it is proved that the server looked at them.
        missing: input fields that must be given now, each with its type.
        gone: what is no longer there, each with the kind of its question and the server's words.
    """

    types: dict[Question, str] = field(default_factory=dict[Question, str])
    confirmed: set[Question] = field(default_factory=set[Question])
    newly_required: dict[str, str] = field(default_factory=dict[str, str])
    removed: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])

    def has_answer(self, question: Question) -> bool:
        """Whether a question was answered."""
        return question in self.types or question in self.confirmed or question.coordinate in self.removed

    @property
    def has_wrappers(self) -> bool:
        """Whether the server tells types with list brackets and `!`; gqlgen tells the name alone."""
        return any(revealed.strip("[]!") != revealed for revealed in self.types.values())


def read_type_errors(document: TypeProbe, errors: Iterable[ServerError], revealed: RevealedTypes) -> None:
    """Take in a server's errors about the document; what says nothing of types is passed over."""
    for error in errors:
        parsed = parse_message(error.message)
        line = next(
            (document.lines[number] for number, _ in reversed(error.locations) if number in document.lines),
            None,
        )
        if parsed is not None and line is not None:
            _read_error(parsed, line, error, revealed)


def _read_error(parsed: ParsedMessage, line: ProbeLine, error: ServerError, revealed: RevealedTypes) -> None:
    question = line.question
    if line.is_control:
        revealed.confirmed.add(question)
        return
    match parsed.kind:
        case "leaf" | "no leaf" if question.kind == "field":
            revealed.types[question] = parsed.names["found"]
        case "unknown field" if question.kind == "field" and parsed.names["field"] == question.name:
            revealed.removed[question.coordinate] = (question.kind, error.message)
        case "variable position" if question.kind == "input field":
            revealed.types[question] = parsed.names["expected"]
        case "unknown input field" if question.kind == "input field":
            revealed.removed[question.coordinate] = (question.kind, error.message)
        case "missing input field" if question.kind == "required":
            if parsed.names.get("type", question.owner) == question.owner:
                revealed.newly_required[f"{question.owner}.{parsed.names['field']}"] = parsed.names.get(
                    "expected", ""
                )
        case "unknown value" | "wrong value" if question.kind == "values":
            revealed.removed[f"{question.owner}.{line.value}"] = (question.kind, error.message)
        case _:
            pass


def type_findings(revealed: RevealedTypes, usage: Usage, known: GraphQLSchema) -> list[Finding]:
    """What was revealed and is not what is known."""
    return [
        *_changed_types(revealed, usage),
        *_removed(revealed, usage),
        *_newly_required(revealed, usage, known),
    ]


def _changed_types(revealed: RevealedTypes, usage: Usage) -> Iterator[Finding]:
    for question, becomes in revealed.types.items():
        was = question.type
        if not revealed.has_wrappers:
            was = was.strip("[]!")
        text = f"{question.coordinate} changed type from {was} to {becomes}."
        if question.kind == "field" and not is_safe_to_receive(was, becomes):
            uses = usage.of(question.coordinate)
            yield Finding("field-type-changed", "breaking", question.coordinate, text, uses)
        if question.kind == "input field" and not is_safe_to_send(was, becomes):
            # Left out, it is null; where the server has a default for it, only null itself is refused.
            may_be_left_out = becomes == f"{was}!" and question.coordinate not in revealed.newly_required
            level: Level = "dangerous" if may_be_left_out else "breaking"
            uses = usage.of(question.coordinate)
            yield Finding("input-field-type-changed", level, question.coordinate, text, uses)


def _removed(revealed: RevealedTypes, usage: Usage) -> Iterator[Finding]:
    """Of fields that are selected the operations themselves tell."""
    for coordinate, (kind, message) in revealed.removed.items():
        if kind == "input field":
            yield Finding("input-field-removed", "breaking", coordinate, message, usage.of(coordinate))
        if kind == "values":
            owner = coordinate.partition(".")[0]
            uses = merged_uses((*usage.of(coordinate), *usage.sending(owner)))
            yield Finding("enum-value-removed", "breaking", coordinate, message, uses)


def _newly_required(revealed: RevealedTypes, usage: Usage, known: GraphQLSchema) -> Iterator[Finding]:
    for coordinate, type_text in revealed.newly_required.items():
        owner, _, name = coordinate.partition(".")
        if name in required_fields(known, owner):
            continue
        rule = "input-field-type-changed" if coordinate in usage.parts else "required-input-field-added"
        text = f"{coordinate} must be given now{f' ({type_text})' if type_text else ''}."
        yield Finding(rule, "breaking", coordinate, text, usage.sending(owner))


def unanswered(questions: Sequence[Question], revealed: RevealedTypes) -> list[Question]:
    """The questions that the server said nothing about."""
    return [question for question in questions if not revealed.has_answer(question)]
