"""What a server says of a document, as read: which part of the schema, which operations, what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from graphql import GraphQLError, GraphQLSchema, parse, validate

from runql.drift.findings import Finding, Use, merged_uses
from runql.drift.operations.combined_document import CombinedDocument, combine
from runql.drift.operations.documents import CheckedOperation
from runql.drift.operations.references import Reference, ReferenceKind
from runql.drift.server_errors.messages import ParsedMessage, parse_message


@dataclass(frozen=True, slots=True)
class ServerError:
    """One entry of a GraphQL answer's ``errors``.

    Attributes:
        message: the server's text.
        locations: lines and columns in the document, counted from 1.
    """

    message: str
    locations: tuple[tuple[int, int], ...] = ()


@dataclass(slots=True)
class ReadErrors:
    """What is wrong with a document.

    Attributes:
        findings: what was understood.
        unrecognized: what was not, in the server's words.
    """

    findings: list[Finding] = field(default_factory=list[Finding])
    unrecognized: list[ServerError] = field(default_factory=list[ServerError])


MOST_ERRORS = 100_000
"""graphql-core stops at a hundred otherwise."""

NOT_DRIFT = {"variable value", "unused"}


def validate_operations(
    schema: GraphQLSchema, operations: Sequence[CheckedOperation], known: GraphQLSchema
) -> list[Finding]:
    """What a server with this schema would say of the operations."""
    combined = combine(operations)
    errors = [
        ServerError(
            error.message, tuple((location.line, location.column) for location in error.locations or ())
        )
        for error in validate(schema, parse(combined.text), max_errors=MOST_ERRORS)
    ]
    read = read_errors(combined, errors, known)
    if read.unrecognized:
        # Both ends are graphql-core here: a wording that is not known is a mistake of ours.
        raise GraphQLError(read.unrecognized[0].message)
    return read.findings


def read_errors(
    combined: CombinedDocument, errors: Sequence[ServerError], known: GraphQLSchema
) -> ReadErrors:
    """Understand a server's errors about a combined document; markers must have been taken out before."""
    read = ReadErrors()
    references = combined.references(known) if errors else []
    found: dict[tuple[str, str, str], Finding] = {}
    for error in errors:
        parsed = parse_message(error.message)
        if parsed is not None and parsed.kind in NOT_DRIFT:
            continue
        uses = _uses(combined, error)
        if parsed is None or parsed.kind == "too many errors" or not uses:
            read.unrecognized.append(error)
        else:
            finding = _finding(parsed, error, _Locations(references, error.locations), uses)
            before = found.get(finding.place)
            uses = merged_uses((*(before.uses if before else ()), *finding.uses))
            found[finding.place] = Finding(
                finding.rule,
                "breaking",
                finding.coordinate,
                finding.message,
                uses,
                finding.suggestions,
                finding.member,
            )
    read.findings = list(found.values())
    return read


def _uses(combined: CombinedDocument, error: ServerError) -> tuple[Use, ...]:
    # Of several locations the last is where it is used; the first may be the variable's definition.
    lines = [line for line, _ in reversed(error.locations)]
    if not lines and len(combined.operations) == 1:
        # A server that tells no locations; of one operation it can only mean that.
        lines = [combined.starts[-1]]
    return next((uses for line in lines if (uses := combined.uses_at(line))), ())


@dataclass(frozen=True, slots=True)
class _Locations:
    """The references that an error may mean."""

    references: Sequence[Reference]
    locations: tuple[tuple[int, int], ...]

    def reference(self, kind: ReferenceKind, name: str = "") -> Reference | None:
        """The reference of a kind and name at the error's lines: at its column, else before it, else the line's first."""
        for line, column in reversed(self.locations):
            there = [
                reference
                for reference in self.references
                if reference.kind == kind and reference.line == line and (not name or reference.name == name)
            ]
            if there:
                before = [reference for reference in there if reference.column <= column]
                return before[-1] if before else there[0]
        return None

    def coordinate(self, kind: ReferenceKind, name: str, otherwise: str) -> str:
        """The coordinate of that reference, or what the message itself tells."""
        reference = self.reference(kind, name)
        return reference.coordinate if reference and reference.coordinate else otherwise

    def named_type_of_field(self, coordinate: str) -> str:
        """The type of a field as it is known."""
        return next(
            (
                each.named_type
                for each in self.references
                if each.kind == "field" and each.coordinate == coordinate
            ),
            "",
        )


def _finding(
    parsed: ParsedMessage, error: ServerError, location: _Locations, uses: tuple[Use, ...]
) -> Finding:
    rule, coordinate, member = _rule_and_coordinate(parsed, location)
    return Finding(rule, "breaking", coordinate, _first_line(error.message), uses, parsed.suggestions, member)


def _rule_and_coordinate(parsed: ParsedMessage, location: _Locations) -> tuple[str, str, str]:
    """The rule, the coordinate, and the member of an abstract type."""
    names = parsed.names
    field_name, type_name = names.get("field", ""), names.get("type", "")
    argument = names.get("argument", "")
    match parsed.kind:
        case "unknown field":
            return "field-removed", location.coordinate("field", field_name, f"{type_name}.{field_name}"), ""
        case "unknown argument" if "directive" in names:
            return "directive-argument-removed", f"@{names['directive']}({argument}:)", ""
        case "unknown argument":
            written = f"{type_name}.{field_name}({argument}:)"
            return "argument-removed", location.coordinate("argument", argument, written), ""
        case "missing argument" if "directive" in names:
            return "required-directive-argument-added", f"@{names['directive']}({argument}:)", ""
        case "missing argument":
            owner = location.coordinate("field", field_name, f"?.{field_name}")
            return "required-argument-added", f"{owner}({argument}:)", ""
        case "unknown type":
            return "type-removed", type_name, ""
        case "variable position":
            coordinate = location.coordinate("variable", names["variable"], f"${names['variable']}")
            return _type_rule(coordinate), coordinate, ""
        case "variable type" | "fragment condition":
            return "type-kind-changed", type_name.strip("[]!"), ""
        case "leaf" | "no leaf":
            return "field-type-changed", location.coordinate("field", field_name, f"?.{field_name}"), ""
        case "fragment spread":
            return _spread(names, location)
        case "unknown input field" | "missing input field":
            return _input_field(parsed, location)
        case "unknown value":
            return "enum-value-removed", f"{type_name}.{names['value']}", ""
        case "wrong value":
            return _wrong_value(names, location)
        case "unknown directive":
            return "directive-removed", f"@{names['directive']}", ""
        case "misplaced directive":
            return "directive-location-removed", f"@{names['directive']}", ""
        case "no such root":
            return "type-removed", names["root"].capitalize(), ""
        case _:
            return "fields-conflict", location.coordinate("field", field_name, f"?.{field_name}"), ""


def _type_rule(coordinate: str) -> str:
    return "input-field-type-changed" if "(" not in coordinate else "argument-type-changed"


def _spread(names: Mapping[str, str], location: _Locations) -> tuple[str, str, str]:
    """A type that left a union or interface, or a field whose type is now another one."""
    spread = location.reference("spread", names.get("fragment", ""))
    field_name = spread.coordinate if spread else ""
    if field_name and location.named_type_of_field(field_name) != names["type"]:
        return "field-type-changed", field_name, ""
    return "member-removed", names["type"], names["member"]


def _input_field(parsed: ParsedMessage, location: _Locations) -> tuple[str, str, str]:
    field_name = parsed.names["field"]
    owner = parsed.names.get("type", "")
    if not owner:
        # graph-gophers names the argument, and within it the field.
        argument = location.reference("argument")
        owner = argument.named_type if argument else "?"
    rule = "input-field-removed" if parsed.kind == "unknown input field" else "required-input-field-added"
    return rule, f"{owner}.{field_name}", ""


def _wrong_value(names: Mapping[str, str], location: _Locations) -> tuple[str, str, str]:
    value = location.reference("value")
    if value is not None and names.get("expected", "").strip("[]!") == value.named_type:
        return "enum-value-removed", value.coordinate, ""
    references = [reference for kind in _INPUTS if (reference := location.reference(kind)) is not None]
    nearest = max(references, key=lambda reference: (reference.line, reference.column), default=None)
    coordinate = nearest.coordinate if nearest else f"${names.get('argument', '')}"
    return _type_rule(coordinate), coordinate, ""


_INPUTS: tuple[ReferenceKind, ...] = ("argument", "input field")


def _first_line(message: str) -> str:
    return message.split("\n", 1)[0]
