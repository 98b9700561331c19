"""Limits of GraphQL documents, checked before validation, whose cost grows with the square of some of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
)


@dataclass(frozen=True)
class QueryLimits:
    """What one document may hold.

    Attributes:
        length: characters of the document.
        tokens: tokens of the document.
        depth: levels of fields, with those of fragments.
        fields: fields of all operations, each fragment counted where it is spread.
        aliases: fields with an alias, counted the same way.
        overlaps: pairs of fields that share a name in a response, each compared by validation.
        errors: errors in a response.
    """

    length: int = 500_000
    tokens: int = 50_000
    depth: int = 30
    fields: int = 20_000
    aliases: int = 2_000
    overlaps: int = 100_000
    errors: int = 1_000


@dataclass(frozen=True)
class Size:
    """Measures of a selection, fragments included."""

    depth: int = 0
    fields: int = 0
    aliases: int = 0

    def __add__(self, other: Size) -> Size:
        return Size(max(self.depth, other.depth), self.fields + other.fields, self.aliases + other.aliases)


class Measures:
    """Measures a document, each fragment once; ``cycle`` names a fragment that spreads itself."""

    def __init__(self, document: DocumentNode) -> None:
        self._operations = [
            each for each in document.definitions if isinstance(each, OperationDefinitionNode)
        ]
        self._fragments = {
            each.name.value: each for each in document.definitions if isinstance(each, FragmentDefinitionNode)
        }
        self._known: dict[str, Size] = {}
        self._open: set[str] = set()
        self.cycle: str | None = None

    @cached_property
    def size(self) -> Size:
        """Measures of all operations and fragments."""
        every = [*self._operations, *self._fragments.values()]
        return sum((self._of_set(each.selection_set) for each in every), Size())

    def overlaps(self, most: int) -> int:
        """Count pairs of fields with one name in the response; stops above ``most``."""
        count = 0
        waiting: list[list[SelectionSetNode]] = [
            [each.selection_set] for each in (*self._operations, *self._fragments.values())
        ]
        while waiting and count <= most:
            by_name: defaultdict[str, list[FieldNode]] = defaultdict(list)
            for field in self._fields(waiting.pop()):
                by_name[field.alias.value if field.alias else field.name.value].append(field)
            for fields in by_name.values():
                count += len(fields) * (len(fields) - 1) // 2
                below = [field.selection_set for field in fields if field.selection_set is not None]
                if below:
                    waiting.append(below)
        return count

    def _of_set(self, selections: SelectionSetNode | None) -> Size:
        nodes = () if selections is None else selections.selections
        return sum((self._of_node(node) for node in nodes), Size())

    def _of_node(self, node: SelectionNode) -> Size:
        match node:
            case FieldNode():
                below = self._of_set(node.selection_set)
                return Size(below.depth + 1, below.fields + 1, below.aliases + (node.alias is not None))
            case InlineFragmentNode():
                return self._of_set(node.selection_set)
            case FragmentSpreadNode():
                return self._of_fragment(node.name.value)
            case _:
                return Size()

    def _of_fragment(self, name: str) -> Size:
        if name in self._known:
            return self._known[name]
        if name in self._open:
            self.cycle = name
        if name in self._open or name not in self._fragments:
            return Size()
        self._open.add(name)
        size = self._of_set(self._fragments[name].selection_set)
        self._open.discard(name)
        self._known[name] = size
        return size

    def _fields(self, sets: Iterable[SelectionSetNode]) -> Iterator[FieldNode]:
        """Yield the fields of merged selections; each fragment once."""
        spread: set[str] = set()
        waiting = list(sets)
        while waiting:
            for node in waiting.pop().selections:
                match node:
                    case FieldNode():
                        yield node
                    case InlineFragmentNode():
                        waiting.append(node.selection_set)
                    case FragmentSpreadNode() if (
                        node.name.value not in spread and node.name.value in self._fragments
                    ):
                        spread.add(node.name.value)
                        waiting.append(self._fragments[node.name.value].selection_set)
                    case _:
                        pass


DEFAULT: Final = QueryLimits()


def excess(document: DocumentNode, limits: QueryLimits = DEFAULT) -> GraphQLError | None:
    """Return the error for a document above a limit, else ``None``."""
    measures = Measures(document)
    try:
        size = measures.size
    except RecursionError:
        return GraphQLError(f"the document is nested more than {limits.depth} levels deep")
    if measures.cycle is not None:
        return GraphQLError(f"Cannot spread fragment '{measures.cycle}' within itself.")
    for what, found, most in (
        ("levels of fields", size.depth, limits.depth),
        ("fields, those of fragments included", size.fields, limits.fields),
        ("aliases, those of fragments included", size.aliases, limits.aliases),
    ):
        if found > most:
            return GraphQLError(f"the document has {found} {what}: {most} are allowed")
    if measures.overlaps(limits.overlaps) > limits.overlaps:
        return GraphQLError(f"the document repeats fields too often: {limits.overlaps} pairs are allowed")
    return None
