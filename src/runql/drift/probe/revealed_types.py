"""The types that a server reveals in its errors about a type probe, and how they differ from the known schema."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from graphql import GraphQLSchema

from runql.drift.findings import Finding, merged_uses
from runql.drift.operations.type_strings import base_name
from runql.drift.operations.usage import Usage
from runql.drift.probe.type_probe import ProbeLine, Question, TypeProbe, required_fields
from runql.drift.schema.changes import Change, is_safe_to_receive, is_safe_to_send
from runql.drift.schema.impact import finding_of_type
from runql.drift.schema.type_changes import TypeChanges
from runql.drift.server_errors.messages import ParsedMessage, ServerError, parse_message


@dataclass(slots=True)
class RevealedTypes:
    """What the errors of a server reveal about the questions of a type probe.

    Attributes:
        types: the current type of each field and input field.
        confirmed: input types and enums that the server has validated.
        newly_required: input fields that are required now, each with its type.
        removed: removed parts, each with the kind of its question and the server's message.
    """

    types: dict[Question, str] = field(default_factory=dict[Question, str])
    confirmed: set[Question] = field(default_factory=set[Question])
    newly_required: dict[str, str] = field(default_factory=dict[str, str])
    removed: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])

    def has_answer(self, question: Question) -> bool:
        """Return whether the errors answer a question."""
        return question in self.types or question in self.confirmed or question.coordinate in self.removed

    @property
    def has_wrappers(self) -> bool:
        """Whether the server writes types with list brackets and `!`; gqlgen writes the bare name."""
        return any(base_name(each) != each for each in self.types.values())


def read_type_errors(document: TypeProbe, errors: Iterable[ServerError], revealed: RevealedTypes) -> None:
    """Read a server's errors about a type probe into ``revealed``; other errors are skipped."""
    announced = _Announced(document)
    for error in errors:
        parsed = parse_message(error.message)
        if parsed is None:
            continue
        line = _located(document, error) if error.locations else _named(document, parsed, announced)
        if line is not None:
            _read_error(parsed, line, error, revealed)


def needs_numbers(errors: Iterable[ServerError]) -> bool:
    """Return whether a numbered document tells more: the server names types without saying where."""
    parsed = (parse_message(error.message) for error in errors if not error.locations)
    return any(each is not None and each.kind in {"leaf", "no leaf", "variable position"} for each in parsed)


def _located(document: TypeProbe, error: ServerError) -> ProbeLine | None:
    return next(
        (document.lines[number] for number, _ in reversed(error.locations) if number in document.lines), None
    )


def _named(document: TypeProbe, parsed: ParsedMessage, announced: _Announced) -> ProbeLine | None:
    """Return the line that a message without a location can only be about."""
    names = parsed.names
    match parsed.kind:
        case "unknown field" if names["field"].startswith(document.marker):
            announced.read(names["field"])
            return None
        case "unknown input field" if names["field"] in document.named:
            return document.named[names["field"]]
        case "unknown field" | "unknown input field":
            return document.named.get(f"{names['type']}.{names['field']}")
        case "missing input field":
            return document.named.get(names.get("type", ""))
        case "unknown value":
            return document.named.get(f"{names['type']}.{names['value']}")
        case "variable position":
            return document.named.get(f"${names['variable']}")
        case "leaf" | "no leaf":
            line = announced.line
            return line if line is not None and line.question.name == names["field"] else None
        case _:
            return None


class _Announced:
    """The line of a numbered document that the last marker announces.

    Markers that arrive in another order than that of the document announce nothing any more: such a server sorts its errors.
    """

    def __init__(self, document: TypeProbe) -> None:
        self.line: ProbeLine | None = None
        self._marked = document.marked
        self._waiting = iter(document.marked)

    def read(self, marker: str) -> None:
        """Read the error of a marker."""
        expected = marker in self._marked and marker == next(self._waiting, None)
        self.line = self._marked[marker] if expected else None


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
    """Return where the revealed types differ from the known schema."""
    return [
        *_changed_types(revealed, usage, known),
        *_removed(revealed, usage),
        *_newly_required(revealed, usage, known),
    ]


def _changed_types(revealed: RevealedTypes, usage: Usage, known: GraphQLSchema) -> Iterator[Finding]:
    types = TypeChanges(known, None, usage)
    for question, becomes in revealed.types.items():
        was, uses = _known_type(question, revealed), usage.of(question.coordinate)
        is_input = question.kind == "input field"
        if is_safe_to_send(was, becomes) if is_input else is_safe_to_receive(was, becomes):
            continue
        message = f"{question.coordinate} changed type from {was} to {becomes}."
        if is_input and becomes == f"{was}!" and question.coordinate not in revealed.newly_required:
            # Operations may still omit a required field with a default; only an explicit null breaks.
            yield Finding("input-field-type-changed", "dangerous", question.coordinate, message, uses)
            continue
        rule = "input-field-type-changed" if is_input else "field-type-changed"
        change = Change(
            rule, "breaking", question.coordinate, message, is_input=is_input, was=was, becomes=becomes
        )
        yield finding_of_type(change, uses, types)


def unproved_objects(revealed: RevealedTypes) -> dict[Question, str]:
    """Return the questions about fields that return an object of another type now, whose fields are not revealed."""
    return {
        question: becomes
        for question, becomes in revealed.types.items()
        if question.kind == "field"
        and not question.is_leaf
        and base_name(becomes) != base_name(_known_type(question, revealed))
    }


def _known_type(question: Question, revealed: RevealedTypes) -> str:
    return question.type if revealed.has_wrappers else base_name(question.type)


def _removed(revealed: RevealedTypes, usage: Usage) -> Iterator[Finding]:
    """Return findings for removed input fields and enum values; the operations' own errors cover selected fields."""
    for coordinate, (kind, message) in revealed.removed.items():
        if kind == "input field":
            yield Finding("input-field-removed", "breaking", coordinate, message, usage.of(coordinate))
        if kind == "values":
            owner = coordinate.partition(".")[0]
            uses = merged_uses((*usage.of(coordinate), *usage.sending(owner)))
            yield Finding("enum-value-removed", "breaking", coordinate, message, uses)


def _newly_required(revealed: RevealedTypes, usage: Usage, known: GraphQLSchema) -> Iterator[Finding]:
    for coordinate, type_string in revealed.newly_required.items():
        owner, _, name = coordinate.partition(".")
        if name in required_fields(known, owner):
            continue
        rule = "input-field-type-changed" if coordinate in usage.parts else "required-input-field-added"
        message = f"{coordinate} is required now{f' ({type_string})' if type_string else ''}."
        yield Finding(rule, "breaking", coordinate, message, usage.sending(owner))


def unanswered(questions: Sequence[Question], revealed: RevealedTypes) -> list[Question]:
    """Return the questions that the errors do not answer."""
    return [question for question in questions if not revealed.has_answer(question)]
