"""Types as strings in GraphQL notation, such as `[Run!]!`."""

from __future__ import annotations

from graphql import GraphQLArgument, GraphQLField, GraphQLInputField, TypeInfo

# graphql-core leaves its generic types without an argument: with strings, no other module needs these ignores.


def type_of(part: GraphQLField | GraphQLArgument | GraphQLInputField) -> str:
    """Return the type of a field, argument or input field, with list brackets and `!`."""
    return str(part.type)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] - a bare generic


def base_name(type_string: str) -> str:
    """Return the named type without list brackets and `!`."""
    return type_string.strip("[]!")


def named_type_of(part: GraphQLField | GraphQLArgument | GraphQLInputField) -> str:
    """Return the named type of a field, argument or input field."""
    return base_name(type_of(part))


def expected_input(info: TypeInfo) -> str:
    """Return the named type that the schema expects at this point of a document; empty if unknown."""
    found = info.get_input_type()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - a bare generic
    return base_name(str(found)) if found else ""  # pyright: ignore[reportUnknownArgumentType] - as above


def enclosing_input(info: TypeInfo) -> str:
    """Return the enclosing input type at this point of a document; empty if unknown."""
    found = info.get_parent_input_type()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - as above
    return base_name(str(found)) if found else ""  # pyright: ignore[reportUnknownArgumentType] - as above
