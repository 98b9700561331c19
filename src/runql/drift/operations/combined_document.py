"""Many operations in one document, with the origin of each line."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from graphql import GraphQLSchema, parse

from runql.drift.findings import Use, merged_uses
from runql.drift.operations.documents import (
    CheckedOperation,
    Definition,
    definitions_of,
    operations_by_definition,
)
from runql.drift.operations.references import Reference, references_in


@dataclass(frozen=True)
class CombinedDocument:
    """One document that holds several operations and their fragments.

    Attributes:
        source: the GraphQL source.
        definitions: the operations and fragments in it, in order.
        starts: the first line of each definition, counted from 1.
        operations: the operations in it.
        markers: name of the definition by its marker, see `combine`; empty without markers.
    """

    source: str
    definitions: tuple[Definition, ...]
    starts: tuple[int, ...]
    operations: tuple[CheckedOperation, ...]
    markers: Mapping[str, str]

    @cached_property
    def _needed_by(self) -> dict[str, list[CheckedOperation]]:
        return operations_by_definition(self.operations)

    def definition_at(self, line: int) -> Definition | None:
        """Return the definition at a line; None after the last one."""
        index = bisect_right(self.starts, line) - 1
        return self.definitions[index] if 0 <= index < len(self.definitions) else None

    def uses_at(self, line: int) -> tuple[Use, ...]:
        """Return the operations that use the definition at a line, each with the user's file and line."""
        definition = self.definition_at(line)
        if definition is None:
            return ()
        inside = line - self.starts[self.definitions.index(definition)]
        written = definition.line + inside
        return merged_uses(
            Use(operation.name, operation.methods, definition.path, written)
            for operation in self._needed_by.get(definition.name, ())
        )

    def references(self, schema: GraphQLSchema) -> list[Reference]:
        """Return every reference to a part of the schema."""
        return references_in(parse(self.source), schema)


def combine(
    operations: Sequence[CheckedOperation], *, marker: str = "", trailer: str = ""
) -> CombinedDocument:
    """Combine operations and their fragments in one document, each definition on its own lines.

    Args:
        operations: with names that are unique among them.
        marker: prefix of fields that no schema has. Each operation and the last fragment get one as their last field: a
            server that reports it has validated the definition up to there. Empty adds none.
        trailer: source to append.
    """
    definitions = definitions_of(operations)
    last_fragment = max(
        (index for index, each in enumerate(definitions) if each.kind == "fragment"), default=-1
    )
    lines: list[str] = []
    starts: list[int] = []
    markers: dict[str, str] = {}
    for index, definition in enumerate(definitions):
        starts.append(len(lines) + 1)
        source = definition.text
        if marker and (definition.kind != "fragment" or index == last_fragment):
            name = f"{marker}{index}"
            markers[name] = definition.name
            source = with_marker(source, name)
        lines += source.split("\n")
    source = "\n".join([*lines, trailer]) if trailer else "\n".join(lines)
    return CombinedDocument(source, tuple(definitions), tuple(starts), tuple(operations), markers)


def with_marker(source: str, marker: str) -> str:
    """Return a definition with one more field at the end of its outermost selection."""
    return f"{source.rstrip()[:-1].rstrip()}\n  {marker}\n}}"
