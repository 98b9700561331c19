"""What a server says of a document, as problems: which part of the schema, which operations, what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from graphql import GraphQLError, GraphQLSchema, parse, validate

from runql.drift.findings import Finding, Use, merged_uses
from runql.drift.operations.combined_document import Composed, compose
from runql.drift.operations.documents import CheckedOperation
from runql.drift.operations.references import Spot, SpotKind
from runql.drift.server_errors.messages import Said, understand


@dataclass(frozen=True, slots=True)
class ServerError:
    """One entry of a GraphQL answer's ``errors``.

    Attributes:
        message: the server's text.
        places: lines and columns in the document, counted from 1.
    """

    message: str
    places: tuple[tuple[int, int], ...] = ()


@dataclass(slots=True)
class Problems:
    """What is wrong with a document.

    Attributes:
        findings: what was understood.
        unclear: what was not, in the server's words.
    """

    findings: list[Finding] = field(default_factory=list[Finding])
    unclear: list[ServerError] = field(default_factory=list[ServerError])


MOST_ERRORS = 100_000
"""graphql-core stops at a hundred otherwise."""

NOT_DRIFT = {"variable value", "unused"}


def validated(
    schema: GraphQLSchema, operations: Sequence[CheckedOperation], known: GraphQLSchema
) -> list[Finding]:
    """What a server with this schema would say of the operations."""
    composed = compose(operations)
    errors = [
        ServerError(error.message, tuple((place.line, place.column) for place in error.locations or ()))
        for error in validate(schema, parse(composed.text), max_errors=MOST_ERRORS)
    ]
    problems = read_problems(composed, errors, known)
    if problems.unclear:
        # Both ends are graphql-core here: a wording that is not known is a mistake of ours.
        raise GraphQLError(problems.unclear[0].message)
    return problems.findings


def read_problems(composed: Composed, errors: Sequence[ServerError], known: GraphQLSchema) -> Problems:
    """Understand a server's errors about a composed document; markers must have been taken out before."""
    problems = Problems()
    spots = composed.spots(known) if errors else []
    found: dict[tuple[str, str, str], Finding] = {}
    for error in errors:
        said = understand(error.message)
        if said is not None and said.complaint in NOT_DRIFT:
            continue
        uses = _uses(composed, error)
        if said is None or said.complaint == "too many errors" or not uses:
            problems.unclear.append(error)
        else:
            finding = _finding(said, error, _Place(spots, error.places), uses)
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
    problems.findings = list(found.values())
    return problems


def _uses(composed: Composed, error: ServerError) -> tuple[Use, ...]:
    # Of several places the last is where it is used; the first may be the variable's definition.
    lines = [line for line, _ in reversed(error.places)]
    if not lines and len(composed.operations) == 1:
        # A server that tells no places; of one operation it can only mean that.
        lines = [composed.starts[-1]]
    return next((uses for line in lines if (uses := composed.uses_at(line))), ())


@dataclass(frozen=True, slots=True)
class _Place:
    """The spots that an error may mean."""

    spots: Sequence[Spot]
    places: tuple[tuple[int, int], ...]

    def spot(self, kind: SpotKind, name: str = "") -> Spot | None:
        """The spot of a kind and name at the error's lines: at its column, else before it, else the line's first."""
        for line, column in reversed(self.places):
            there = [
                spot
                for spot in self.spots
                if spot.kind == kind and spot.line == line and (not name or spot.name == name)
            ]
            if there:
                before = [spot for spot in there if spot.column <= column]
                return before[-1] if before else there[0]
        return None

    def coordinate(self, kind: SpotKind, name: str, otherwise: str) -> str:
        """The coordinate of that spot, or what the message itself tells."""
        spot = self.spot(kind, name)
        return spot.coordinate if spot and spot.coordinate else otherwise

    def named_type_of_field(self, coordinate: str) -> str:
        """The type of a field as it is known."""
        return next(
            (
                each.named_type
                for each in self.spots
                if each.kind == "field" and each.coordinate == coordinate
            ),
            "",
        )


def _finding(said: Said, error: ServerError, place: _Place, uses: tuple[Use, ...]) -> Finding:
    rule, coordinate, member = _placed(said, place)
    return Finding(rule, "breaking", coordinate, _first_line(error.message), uses, said.suggestions, member)


def _placed(said: Said, place: _Place) -> tuple[str, str, str]:
    """The rule, the coordinate, and the member of an abstract type."""
    names = said.names
    field_name, type_name = names.get("field", ""), names.get("type", "")
    argument = names.get("argument", "")
    match said.complaint:
        case "unknown field":
            return "field-removed", place.coordinate("field", field_name, f"{type_name}.{field_name}"), ""
        case "unknown argument" if "directive" in names:
            return "directive-argument-removed", f"@{names['directive']}({argument}:)", ""
        case "unknown argument":
            told = f"{type_name}.{field_name}({argument}:)"
            return "argument-removed", place.coordinate("argument", argument, told), ""
        case "missing argument" if "directive" in names:
            return "required-directive-argument-added", f"@{names['directive']}({argument}:)", ""
        case "missing argument":
            owner = place.coordinate("field", field_name, f"?.{field_name}")
            return "required-argument-added", f"{owner}({argument}:)", ""
        case "unknown type":
            return "type-removed", type_name, ""
        case "variable position":
            coordinate = place.coordinate("variable", names["variable"], f"${names['variable']}")
            return _type_rule(coordinate), coordinate, ""
        case "variable type" | "fragment condition":
            return "type-kind-changed", type_name.strip("[]!"), ""
        case "leaf" | "no leaf":
            return "field-type-changed", place.coordinate("field", field_name, f"?.{field_name}"), ""
        case "fragment spread":
            return _spread(names, place)
        case "unknown input field" | "missing input field":
            return _input_field(said, place)
        case "unknown value":
            return "enum-value-removed", f"{type_name}.{names['value']}", ""
        case "wrong value":
            return _wrong_value(names, place)
        case "unknown directive":
            return "directive-removed", f"@{names['directive']}", ""
        case "misplaced directive":
            return "directive-location-removed", f"@{names['directive']}", ""
        case "no such root":
            return "type-removed", names["root"].capitalize(), ""
        case _:
            return "fields-conflict", place.coordinate("field", field_name, f"?.{field_name}"), ""


def _type_rule(coordinate: str) -> str:
    return "input-field-type-changed" if "(" not in coordinate else "argument-type-changed"


def _spread(names: Mapping[str, str], place: _Place) -> tuple[str, str, str]:
    """A type that left a union or interface, or a field whose type is now another one."""
    spread = place.spot("spread", names.get("fragment", ""))
    field_name = spread.coordinate if spread else ""
    if field_name and place.named_type_of_field(field_name) != names["type"]:
        return "field-type-changed", field_name, ""
    return "member-removed", names["type"], names["member"]


def _input_field(said: Said, place: _Place) -> tuple[str, str, str]:
    field_name = said.names["field"]
    owner = said.names.get("type", "")
    if not owner:
        # graph-gophers names the argument, and within it the field.
        argument = place.spot("argument")
        owner = argument.named_type if argument else "?"
    rule = "input-field-removed" if said.complaint == "unknown input field" else "required-input-field-added"
    return rule, f"{owner}.{field_name}", ""


def _wrong_value(names: Mapping[str, str], place: _Place) -> tuple[str, str, str]:
    value = place.spot("value")
    if value is not None and names.get("expected", "").strip("[]!") == value.named_type:
        return "enum-value-removed", value.coordinate, ""
    spots = [spot for kind in _INPUTS if (spot := place.spot(kind)) is not None]
    nearest = max(spots, key=lambda spot: (spot.line, spot.column), default=None)
    coordinate = nearest.coordinate if nearest else f"${names.get('argument', '')}"
    return _type_rule(coordinate), coordinate, ""


_INPUTS: tuple[SpotKind, ...] = ("argument", "input field")


def _first_line(message: str) -> str:
    return message.split("\n", 1)[0]
