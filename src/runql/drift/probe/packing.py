"""Pack operations into documents that a server with limits accepts."""

from __future__ import annotations

from collections.abc import Sequence

from graphql import Lexer, Source, TokenKind

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
