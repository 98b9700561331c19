"""Which operations use which part of the schema."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field

from graphql import GraphQLInputObjectType, GraphQLSchema

from runql.drift.findings import Use, merged_uses
from runql.drift.operations.combined_document import combine
from runql.drift.operations.documents import CheckedOperation
from runql.drift.operations.senders import known_senders
from runql.drift.operations.type_strings import named_type_of

Uses = dict[str, list[Use]]


@dataclass(slots=True)
class Usage:
    """The operations that use a part of the schema.

    Attributes:
        parts: by coordinate of a field, argument, input field, enum value, directive or type condition.
        received: by the named type of a value in the response.
        sent: by the named type of a value in the request.
    """

    parts: Uses = field(default_factory=Uses)
    received: Uses = field(default_factory=Uses)
    sent: Uses = field(default_factory=Uses)

    @property
    def coordinates(self) -> frozenset[str]:
        """Every part of the schema that an operation uses."""
        return frozenset((*self.parts, *self.received, *self.sent))

    def by(self, operations: Container[str]) -> Usage:
        """Return what these operations use, by their names."""

        def kept(uses: Uses) -> Uses:
            found = {key: [use for use in each if use.operation in operations] for key, each in uses.items()}
            return {key: each for key, each in found.items() if each}

        return Usage(kept(self.parts), kept(self.received), kept(self.sent))

    def of(self, coordinate: str) -> tuple[Use, ...]:
        """Return the operations that use this part of the schema."""
        return merged_uses(self.parts.get(coordinate, ()))

    def sending(self, named_type: str) -> tuple[Use, ...]:
        """Return the operations that send values of this type."""
        return merged_uses(self.sent.get(named_type, ()))

    def receiving(self, named_type: str) -> tuple[Use, ...]:
        """Return the operations that receive values of this type."""
        return merged_uses(self.received.get(named_type, ()))

    def of_type(self, named_type: str) -> tuple[Use, ...]:
        """Return the operations that use, send or receive this type."""
        everything = (self.parts, self.sent, self.received)
        return merged_uses(use for uses in everything for use in uses.get(named_type, ()))


def usage_of(operations: Sequence[CheckedOperation], schema: GraphQLSchema) -> Usage:
    """Return what the operations use of ``schema``, the schema that they were written against."""
    usage = Usage()
    if not operations:
        return usage
    combined = combine(operations)
    variable_types: dict[str, list[Use]] = {}
    for reference in combined.references(schema):
        uses = combined.uses_at(reference.line)
        if reference.kind != "spread" and reference.coordinate:
            _add_uses(usage.parts, reference.coordinate, uses)
        if reference.kind == "type" and reference.is_input:
            _add_uses(variable_types, reference.named_type, uses)
        elif reference.named_type:
            _add_uses(usage.sent if reference.is_input else usage.received, reference.named_type, uses)
    for name, senders in variable_types.items():
        for use in senders:
            _add_input_fields(usage, name, use, schema, set())
    return usage


def _add_input_fields(usage: Usage, name: str, use: Use, schema: GraphQLSchema, seen: set[str]) -> None:
    """Add the fields that a variable of an input type may fill: all of them, or those that runql fills."""
    if name in seen:
        return
    seen.add(name)
    _add_uses(usage.sent, name, (use,))
    described = schema.type_map.get(name)
    if not isinstance(described, GraphQLInputObjectType):
        return
    filled = known_senders().inputs.get(name) if use.path is None else None
    for field_name, described_field in described.fields.items():
        if filled is None or field_name in filled:
            _add_uses(usage.parts, f"{name}.{field_name}", (use,))
            _add_input_fields(usage, named_type_of(described_field), use, schema, seen)


def _add_uses(uses: Uses, key: str, more: Iterable[Use]) -> None:
    uses.setdefault(key, []).extend(more)
