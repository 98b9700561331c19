"""Turn a server's errors about a document into findings: rule, part of the schema, affected operations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from graphql import GraphQLError, GraphQLSchema, parse, validate

from runql.drift.findings import Finding, Use, merged_uses
from runql.drift.operations.combined_document import CombinedDocument, combine
from runql.drift.operations.documents import CheckedOperation
from runql.drift.operations.references import Reference, ReferenceKind
from runql.drift.server_errors.messages import ParsedMessage, ServerError, parse_message
from runql.errors import DriftInputError
from runql.escaping import MOST_IN_DETAIL, one_line


@dataclass(slots=True)
class ReadErrors:
    """The errors of a document.

    Attributes:
        findings: the errors in a known wording.
        unrecognized: the others.
    """

    findings: list[Finding] = field(default_factory=list[Finding])
    unrecognized: list[ServerError] = field(default_factory=list[ServerError])


MAX_ERRORS = 100_000
"""Without a limit of ours, graphql-core stops after a hundred errors."""

NOT_DRIFT = {"variable value", "unused"}


def validate_operations(
    schema: GraphQLSchema, operations: Sequence[CheckedOperation], known: GraphQLSchema
) -> list[Finding]:
    """Validate operations against ``schema`` as a server would.

    Args:
        schema: the schema to validate against.
        operations: with names that are unique among them.
        known: the schema that the operations were written against.

    Raises:
        DriftInputError: a query is wrong under any schema, such as one with a fragment that spreads itself.
    """
    combined = combine(operations)
    errors = [
        ServerError(error.message, tuple((at.line, at.column) for at in error.locations or ()))
        for error in validate(schema, parse(combined.source), max_errors=MAX_ERRORS)
    ]
    read = read_errors(combined, errors, known)
    for error in read.unrecognized:
        mine = next((use for use in _uses(combined, error) if use.path is not None), None)
        if mine is not None:
            raise DriftInputError(
                f"{mine.path}:{mine.line}: {one_line(error.message, MOST_IN_DETAIL)} This is wrong under any schema"
            )
        # The messages come from graphql-core itself: about runql's own operations an unknown wording is a bug of runql.
        raise GraphQLError(error.message)
    return [*read.findings, *_missing_roots(schema, operations, known)]


def _missing_roots(
    schema: GraphQLSchema, operations: Sequence[CheckedOperation], known: GraphQLSchema
) -> Iterator[Finding]:
    """Yield a finding for each root that operations need: validation says nothing of the fields of a missing one."""
    roots = {
        "query": (schema.query_type, known.query_type),
        "mutation": (schema.mutation_type, known.mutation_type),
        "subscription": (schema.subscription_type, known.subscription_type),
    }
    for kind, (root, known_root) in roots.items():
        needing = [each for each in operations if each.definition.kind == kind]
        if root is None and needing:
            yield missing_root(kind, known_root.name if known_root else kind.capitalize(), needing)


def missing_root(kind: str, coordinate: str, operations: Sequence[CheckedOperation]) -> Finding:
    """Return the finding for a schema without the root that these operations need."""
    uses = merged_uses(
        Use(each.name, each.methods, each.definition.path, each.definition.line) for each in operations
    )
    return Finding("root-removed", "breaking", coordinate, f"The schema has no {kind} root.", uses)


def read_errors(
    combined: CombinedDocument, errors: Sequence[ServerError], known: GraphQLSchema
) -> ReadErrors:
    """Read a server's errors about a combined document; the caller removes those about markers."""
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
            finding = _finding(parsed, error, _ReferencesAt(references, error.locations), uses)
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
    # The last location is the use of the part; the first may be the definition of a variable.
    lines = [line for line, _ in reversed(error.locations)]
    if not lines and len(combined.operations) == 1:
        # The server reports no locations, but there is only one operation.
        lines = [combined.starts[-1]]
    return next((uses for line in lines if (uses := combined.uses_at(line))), ())


@dataclass(frozen=True, slots=True)
class _ReferencesAt:
    """The references to the schema at the locations of an error."""

    references: Sequence[Reference]
    locations: tuple[tuple[int, int], ...]

    def reference(self, kind: ReferenceKind, name: str = "") -> Reference | None:
        """Return the nearest reference on the line: at the column or before it, else the first."""
        for line, column in reversed(self.locations):
            on_line = [
                reference
                for reference in self.references
                if reference.kind == kind and reference.line == line and (not name or reference.name == name)
            ]
            if on_line:
                before = [reference for reference in on_line if reference.column <= column]
                return before[-1] if before else on_line[0]
        return None

    def coordinate(self, kind: ReferenceKind, name: str, otherwise: str) -> str:
        """Return the coordinate of that reference, else ``otherwise``, which the message itself names."""
        reference = self.reference(kind, name)
        return reference.coordinate if reference and reference.coordinate else otherwise

    def named_type_of_field(self, coordinate: str) -> str:
        """Return the named type of a field in the known schema."""
        return next(
            (
                each.named_type
                for each in self.references
                if each.kind == "field" and each.coordinate == coordinate
            ),
            "",
        )


def _finding(parsed: ParsedMessage, error: ServerError, at: _ReferencesAt, uses: tuple[Use, ...]) -> Finding:
    rule, coordinate, member = _rule_and_coordinate(parsed, at)
    return Finding(rule, "breaking", coordinate, _first_line(error.message), uses, parsed.suggestions, member)


def _rule_and_coordinate(parsed: ParsedMessage, at: _ReferencesAt) -> tuple[str, str, str]:
    """Return the rule, the coordinate, and the member of an abstract type."""
    names = parsed.names
    field_name, type_name = names.get("field", ""), names.get("type", "")
    argument = names.get("argument", "")
    match parsed.kind:
        case "unknown field":
            return "field-removed", at.coordinate("field", field_name, f"{type_name}.{field_name}"), ""
        case "unknown argument" if "directive" in names:
            return "directive-argument-removed", f"@{names['directive']}({argument}:)", ""
        case "unknown argument":
            named = f"{type_name or '?'}.{field_name}({argument}:)"
            return "argument-removed", at.coordinate("argument", argument, named), ""
        case "missing argument" if "directive" in names:
            return "required-directive-argument-added", f"@{names['directive']}({argument}:)", ""
        case "missing argument":
            owner = at.coordinate("field", field_name, f"?.{field_name}")
            return "required-argument-added", f"{owner}({argument}:)", ""
        case "unknown type":
            return "type-removed", type_name, ""
        case "variable position":
            coordinate = at.coordinate("variable", names["variable"], f"${names['variable']}")
            return _type_rule(coordinate), coordinate, ""
        case "variable type" | "fragment condition":
            return "type-kind-changed", type_name.strip("[]!"), ""
        case "leaf" | "no leaf":
            return "field-type-changed", at.coordinate("field", field_name, f"?.{field_name}"), ""
        case "fragment spread":
            return _spread(names, at)
        case "unknown input field" | "missing input field":
            return _input_field(parsed, at)
        case "unknown value":
            return "enum-value-removed", f"{type_name}.{names['value']}", ""
        case "wrong value":
            return _wrong_value(names, at)
        case "unknown directive":
            return "directive-removed", f"@{names['directive']}", ""
        case "misplaced directive":
            return "directive-location-removed", f"@{names['directive']}", ""
        case "repeated directive":
            return "directive-repeatable-removed", f"@{names['directive']}", ""
        case "no such root":
            return "root-removed", names["root"].capitalize(), ""
        case _:
            return "fields-conflict", at.coordinate("field", field_name, f"?.{field_name}"), ""


def _type_rule(coordinate: str) -> str:
    return "input-field-type-changed" if "(" not in coordinate else "argument-type-changed"


def _spread(names: Mapping[str, str], at: _ReferencesAt) -> tuple[str, str, str]:
    """Return what an impossible spread means: a member left an abstract type, or the field has another type."""
    spread = at.reference("spread", names.get("fragment", ""))
    field_name = spread.coordinate if spread else ""
    if field_name and at.named_type_of_field(field_name) != names["type"]:
        return "field-type-changed", field_name, ""
    return "member-removed", names["type"], names["member"]


def _input_field(parsed: ParsedMessage, at: _ReferencesAt) -> tuple[str, str, str]:
    field_name = parsed.names["field"]
    owner = parsed.names.get("type", "")
    if not owner:
        # graph-gophers names the argument, not the type of the field.
        argument = at.reference("argument")
        owner = argument.named_type if argument else "?"
    rule = "input-field-removed" if parsed.kind == "unknown input field" else "required-input-field-added"
    return rule, f"{owner}.{field_name}", ""


def _wrong_value(names: Mapping[str, str], at: _ReferencesAt) -> tuple[str, str, str]:
    value = at.reference("value")
    if value is not None and names.get("expected", "").strip("[]!") == value.named_type:
        return "enum-value-removed", value.coordinate, ""
    references = [reference for kind in _INPUTS if (reference := at.reference(kind)) is not None]
    nearest = max(references, key=lambda reference: (reference.line, reference.column), default=None)
    coordinate = nearest.coordinate if nearest else f"${names.get('argument', '')}"
    return _type_rule(coordinate), coordinate, ""


_INPUTS: tuple[ReferenceKind, ...] = ("argument", "input field")


def _first_line(message: str) -> str:
    return message.split("\n", 1)[0]
