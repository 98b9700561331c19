"""Types as they are written, `[Run!]!`: graphql-core's own are generics without their argument."""

from __future__ import annotations

from graphql import GraphQLArgument, GraphQLField, GraphQLInputField, TypeInfo


def type_of(part: GraphQLField | GraphQLArgument | GraphQLInputField) -> str:
    """The type of a field, argument or input field."""
    return str(part.type)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] - a bare generic


def base_name(written: str) -> str:
    """The named type inside of lists and `!`."""
    return written.strip("[]!")


def named_type_of(part: GraphQLField | GraphQLArgument | GraphQLInputField) -> str:
    """The named type of a field, argument or input field."""
    return base_name(type_of(part))


def expected_input(info: TypeInfo) -> str:
    """The named type of the value at this point of a document; empty where none is known."""
    found = info.get_input_type()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - a bare generic
    return base_name(str(found)) if found else ""  # pyright: ignore[reportUnknownArgumentType] - as above


def enclosing_input(info: TypeInfo) -> str:
    """The input object around it; empty where none is known."""
    found = info.get_parent_input_type()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - as above
    return base_name(str(found)) if found else ""  # pyright: ignore[reportUnknownArgumentType] - as above
