"""How servers measure the operations of a document that they limit: depth, cost, aliases, each in the ways that are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    parse,
)

from runql.drift.server_errors.limits import LimitKind, StatedLimit

Fragments: TypeAlias = Mapping[str, SelectionSetNode]
Measure: TypeAlias = Callable[[SelectionSetNode, Fragments], float]
"""Returns what an operation has of something that a server limits."""

SCALAR_COST, OBJECT_COST, FACTOR = 1.0, 2.0, 1.5
"""GraphQL Armor's defaults: the cost of a field, of one with a selection, and the factor of each level."""


def depth_in_fields(selection: SelectionSetNode, fragments: Fragments) -> float:
    """Return how many fields lie within each other at most; fragments add nothing, as graphql-depth-limit counts."""
    return max(
        (
            1 + (depth_in_fields(node.selection_set, fragments) if node.selection_set else 0)
            for node in _direct_fields(selection, fragments)
        ),
        default=0,
    )


def depth_in_levels(selection: SelectionSetNode, fragments: Fragments) -> float:
    """Return how many levels lie within each other at most, as GraphQL Armor counts: a spread is two, an inline fragment one."""

    def levels(node: SelectionNode) -> float:
        if isinstance(node, FragmentSpreadNode):
            return 2 + depth_in_levels(fragments[node.name.value], fragments)
        inner = node.selection_set if isinstance(node, FieldNode | InlineFragmentNode) else None
        return 1 + (depth_in_levels(inner, fragments) if inner else 0)

    return max(map(levels, selection.selections), default=0)


def cost(selection: SelectionSetNode, fragments: Fragments) -> float:
    """Return the cost by GraphQL Armor's defaults, which grows with each level and with a literal ``first`` or ``last``."""

    def of(node: SelectionNode) -> float:
        if isinstance(node, FragmentSpreadNode):
            return SCALAR_COST + FACTOR * of_object(fragments[node.name.value])
        inner = node.selection_set if isinstance(node, FieldNode | InlineFragmentNode) else None
        return of_object(inner) * _page_size(node) if inner else SCALAR_COST

    def of_object(inner: SelectionSetNode) -> float:
        total = OBJECT_COST
        for node in inner.selections:
            total += FACTOR * of(node)
        return total

    return sum(map(of, selection.selections))


def aliases(selection: SelectionSetNode, fragments: Fragments) -> float:
    """Return how many fields have an alias, those of a fragment for each place that spreads it."""
    return sum(
        (node.alias is not None) + (aliases(node.selection_set, fragments) if node.selection_set else 0)
        for node in _direct_fields(selection, fragments)
    )


_MEASURES: Final[Mapping[LimitKind, tuple[Measure, ...]]] = {
    "depth": (depth_in_fields, depth_in_levels),
    "cost": (cost,),
    "aliases": (aliases,),
}
_LEAST: Final[Mapping[LimitKind, Measure]] = {"depth": depth_in_fields, "aliases": aliases}
"""Measures below which no known server counts."""


def measure_of(limit: StatedLimit, source: str) -> Measure | None:
    """Return how a server measures, by the document that it refused: one of its operations has the number that it found.

    Without such a number, or where no operation has it, this is the least measure of that kind; None without one.
    """
    for measure in _MEASURES.get(limit.kind, ()):
        if limit.found is not None and limit.found in measured(source, measure).values():
            return measure
    return _LEAST.get(limit.kind)


def measured(source: str, measure: Measure) -> dict[str, float]:
    """Measure each operation of a document, by its name."""
    definitions = parse(source).definitions
    fragments = {
        each.name.value: each.selection_set
        for each in definitions
        if isinstance(each, FragmentDefinitionNode)
    }
    return {
        each.name.value if each.name else "": measure(each.selection_set, fragments)
        for each in definitions
        if isinstance(each, OperationDefinitionNode)
    }


def _direct_fields(selection: SelectionSetNode, fragments: Fragments) -> Iterator[FieldNode]:
    for node in selection.selections:
        if isinstance(node, FieldNode):
            yield node
        elif isinstance(node, FragmentSpreadNode):
            yield from _direct_fields(fragments[node.name.value], fragments)
        elif isinstance(node, InlineFragmentNode):
            yield from _direct_fields(node.selection_set, fragments)


def _page_size(node: SelectionNode) -> int:
    """Return the first literal ``first`` or ``last`` of a field, at least 1."""
    for each in node.arguments if isinstance(node, FieldNode) else ():
        if each.name.value in {"first", "last"}:
            return max(1, int(each.value.value)) if isinstance(each.value, IntValueNode) else 1
    return 1
