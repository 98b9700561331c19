"""Many operations in one document, and which line of it comes from where."""

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
    """A document of several operations.

    Attributes:
        text: the GraphQL text.
        definitions: what stands in it, in order.
        starts: the line of each definition's first line, counted from 1.
        operations: the operations in it.
        markers: by the field that exists nowhere, the definition it stands in; empty in a document without them.
    """

    text: str
    definitions: tuple[Definition, ...]
    starts: tuple[int, ...]
    operations: tuple[CheckedOperation, ...]
    markers: Mapping[str, str]

    @cached_property
    def _needed_by(self) -> dict[str, list[CheckedOperation]]:
        return operations_by_definition(self.operations)

    def definition_at(self, line: int) -> Definition | None:
        """What stands at a line; None outside of the operations."""
        index = bisect_right(self.starts, line) - 1
        return self.definitions[index] if 0 <= index < len(self.definitions) else None

    def uses_at(self, line: int) -> tuple[Use, ...]:
        """The operations that need what stands at a line, each with the user's file and line."""
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
        """Every use of the schema in it."""
        return references_in(parse(self.text), schema)


def combine(
    operations: Sequence[CheckedOperation], *, marker: str = "", trailer: str = ""
) -> CombinedDocument:
    """Put operations and the fragments they need into one document, each definition on lines of its own.

    Args:
        operations: with names that are unique among them.
        marker: the beginning of fields that exist nowhere; one is put last into each operation, and one into the last
            fragment, so that a server's answer tells how far it read. Empty leaves them out.
        trailer: put behind everything.
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
        text = definition.text
        if marker and (definition.kind != "fragment" or index == last_fragment):
            name = f"{marker}{index}"
            markers[name] = definition.name
            text = with_marker(text, name)
        lines += text.split("\n")
    text = "\n".join([*lines, trailer]) if trailer else "\n".join(lines)
    return CombinedDocument(text, tuple(definitions), tuple(starts), tuple(operations), markers)


def with_marker(text: str, marker: str) -> str:
    """A definition with one more field at the end of its outermost selection."""
    return f"{text.rstrip()[:-1].rstrip()}\n  {marker}\n}}"
