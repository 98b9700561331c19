"""What a server told when it refused the revealing document, and where that differs from what is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from graphql import GraphQLSchema

from runql.drift.findings import Finding, Level, merged_uses
from runql.drift.operations.usage import Usage
from runql.drift.probe.type_probe import Asked, Question, Revealing, required_fields
from runql.drift.schema.changes import is_safe_to_receive, is_safe_to_send
from runql.drift.server_errors.error_findings import ServerError
from runql.drift.server_errors.messages import Said, understand


@dataclass(slots=True)
class Told:
    """Answers to questions.

    Attributes:
        types: by field or input field, its type now.
        read: whole types and enums of which it is proved that the server looked at them.
        missing: input fields that must be given now, each with its type.
        gone: what is no longer there, each with the kind of its question and the server's words.
    """

    types: dict[Question, str] = field(default_factory=dict[Question, str])
    read: set[Question] = field(default_factory=set[Question])
    missing: dict[str, str] = field(default_factory=dict[str, str])
    gone: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])

    def answers(self, question: Question) -> bool:
        """Whether a question was answered."""
        return question in self.types or question in self.read or question.coordinate in self.gone

    @property
    def with_wrappers(self) -> bool:
        """Whether the server tells types with list brackets and `!`; gqlgen tells the name alone."""
        return any(told.strip("[]!") != told for told in self.types.values())


def listen(document: Revealing, errors: Iterable[ServerError], told: Told) -> None:
    """Take in a server's errors about the document; what says nothing of types is passed over."""
    for error in errors:
        said = understand(error.message)
        asked = next(
            (document.lines[line] for line, _ in reversed(error.places) if line in document.lines), None
        )
        if said is not None and asked is not None:
            _take(said, asked, error, told)


def _take(said: Said, asked: Asked, error: ServerError, told: Told) -> None:
    question = asked.question
    if asked.is_control:
        told.read.add(question)
        return
    match said.complaint:
        case "leaf" | "no leaf" if question.kind == "field":
            told.types[question] = said.names["found"]
        case "unknown field" if question.kind == "field" and said.names["field"] == question.name:
            told.gone[question.coordinate] = (question.kind, error.message)
        case "variable position" if question.kind == "input field":
            told.types[question] = said.names["expected"]
        case "unknown input field" if question.kind == "input field":
            told.gone[question.coordinate] = (question.kind, error.message)
        case "missing input field" if question.kind == "required":
            if said.names.get("type", question.owner) == question.owner:
                told.missing[f"{question.owner}.{said.names['field']}"] = said.names.get("expected", "")
        case "unknown value" | "wrong value" if question.kind == "values":
            told.gone[f"{question.owner}.{asked.value}"] = (question.kind, error.message)
        case _:
            pass


def differences(told: Told, usage: Usage, known: GraphQLSchema) -> list[Finding]:
    """What was told and is not what is known."""
    return [*_types(told, usage), *_gone(told, usage), *_missing(told, usage, known)]


def _types(told: Told, usage: Usage) -> Iterator[Finding]:
    for question, becomes in told.types.items():
        was = question.type
        if not told.with_wrappers:
            was = was.strip("[]!")
        text = f"{question.coordinate} changed type from {was} to {becomes}."
        if question.kind == "field" and not is_safe_to_receive(was, becomes):
            uses = usage.of(question.coordinate)
            yield Finding("field-type-changed", "breaking", question.coordinate, text, uses)
        if question.kind == "input field" and not is_safe_to_send(was, becomes):
            # Left out, it is null; where the server has a default for it, only null itself is refused.
            may_be_left_out = becomes == f"{was}!" and question.coordinate not in told.missing
            level: Level = "dangerous" if may_be_left_out else "breaking"
            uses = usage.of(question.coordinate)
            yield Finding("input-field-type-changed", level, question.coordinate, text, uses)


def _gone(told: Told, usage: Usage) -> Iterator[Finding]:
    """Of fields that are selected the operations themselves tell."""
    for coordinate, (kind, message) in told.gone.items():
        if kind == "input field":
            yield Finding("input-field-removed", "breaking", coordinate, message, usage.of(coordinate))
        if kind == "values":
            owner = coordinate.partition(".")[0]
            uses = merged_uses((*usage.of(coordinate), *usage.sending(owner)))
            yield Finding("enum-value-removed", "breaking", coordinate, message, uses)


def _missing(told: Told, usage: Usage, known: GraphQLSchema) -> Iterator[Finding]:
    for coordinate, type_text in told.missing.items():
        owner, _, name = coordinate.partition(".")
        if name in required_fields(known, owner):
            continue
        rule = "input-field-type-changed" if coordinate in usage.parts else "required-input-field-added"
        text = f"{coordinate} must be given now{f' ({type_text})' if type_text else ''}."
        yield Finding(rule, "breaking", coordinate, text, usage.sending(owner))


def unanswered(questions: Sequence[Question], told: Told) -> list[Question]:
    """The questions that the server said nothing about."""
    return [question for question in questions if not told.answers(question)]
