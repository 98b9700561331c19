"""Pack operations into documents that a server with limits accepts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    Lexer,
    OperationDefinitionNode,
    SelectionSetNode,
    Source,
    TokenKind,
    parse,
)

from runql.drift.operations.documents import CheckedOperation, definitions_of

MARKER_TOKENS = 2
"""A field that a probe adds to a definition, and room for servers that count one more."""

HARMLESS_TOKENS = 8


def count_tokens(source: str) -> int:
    """Return how many tokens a document has, without comments, as graphql-js counts them."""
    lexer = Lexer(Source(source))
    number = 0
    while lexer.advance().kind is not TokenKind.EOF:
        number += 1
    return number


def packed(operations: Sequence[CheckedOperation], allowed: int) -> list[list[CheckedOperation]]:
    """Return groups of operations whose documents have at most ``allowed`` tokens; an operation may be too large alone."""
    tokens = {each.name: count_tokens(each.text) + MARKER_TOKENS for each in definitions_of(operations)}
    groups: list[list[CheckedOperation]] = []
    inside = set[str]()
    size = allowed + 1
    # Operations with the same fragments lie beside each other: a document holds each fragment once.
    for operation in sorted(operations, key=lambda each: sorted(part.name for part in each.fragments)):
        parts = {each.name for each in (operation.definition, *operation.fragments)}
        more = sum(tokens[name] for name in parts - inside)
        if size + more > allowed:
            groups.append([])
            inside, size = set[str](), HARMLESS_TOKENS
            more = sum(tokens[name] for name in parts)
        groups[-1].append(operation)
        inside |= parts
        size += more
    return groups


def operation_tokens(operation: CheckedOperation) -> int:
    """Return how many tokens a request of an operation has."""
    return sum(count_tokens(each.text) for each in (operation.definition, *operation.fragments))


def operation_depth(operation: CheckedOperation) -> int:
    """Return how many fields lie within each other at most; fragments add nothing."""
    fragments = {each.name: _selection(each.text) for each in operation.fragments}
    return _depth(_selection(operation.definition.text), fragments)


def operation_aliases(operation: CheckedOperation) -> int:
    """Return how many fields have an alias, those of a fragment for each place that spreads it."""
    fragments = {each.name: _selection(each.text) for each in operation.fragments}
    return sum(node.alias is not None for node in _fields(_selection(operation.definition.text), fragments))


def _selection(source: str) -> SelectionSetNode:
    [node] = parse(source).definitions
    if not isinstance(node, OperationDefinitionNode | FragmentDefinitionNode):
        raise TypeError(f"neither an operation nor a fragment: {node.kind}")
    return node.selection_set


def _depth(selection: SelectionSetNode | None, fragments: dict[str, SelectionSetNode]) -> int:
    if selection is None:
        return 0
    return max(
        (1 + _depth(node.selection_set, fragments) for node in _direct_fields(selection, fragments)),
        default=0,
    )


def _fields(
    selection: SelectionSetNode | None, fragments: dict[str, SelectionSetNode]
) -> Iterator[FieldNode]:
    if selection is not None:
        for node in _direct_fields(selection, fragments):
            yield node
            yield from _fields(node.selection_set, fragments)


def _direct_fields(
    selection: SelectionSetNode, fragments: dict[str, SelectionSetNode]
) -> Iterator[FieldNode]:
    for node in selection.selections:
        if isinstance(node, FieldNode):
            yield node
        elif isinstance(node, FragmentSpreadNode):
            yield from _direct_fields(fragments[node.name.value], fragments)
        elif isinstance(node, InlineFragmentNode):
            yield from _direct_fields(node.selection_set, fragments)
