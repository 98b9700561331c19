"""Differences between two schemas, each with its schema coordinate: those that graphql-core reports, and more."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    Undefined,
    find_breaking_changes,
    find_dangerous_changes,
    is_introspection_type,
    is_specified_directive,
    is_specified_scalar_type,
)

from runql.drift.findings import Level
from runql.drift.operations.type_strings import type_of


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two schemas.

    Attributes:
        rule: kind of difference, such as ``field-removed``.
        level: severity for an operation that uses the part; `impact` refines it.
        coordinate: the part of the schema.
        message: what is different, one sentence.
        member: the type that joined or left the union or interface at ``coordinate``.
        is_input: whether it concerns values that operations send.
        was: the type before, where it changed.
        becomes: the type after.
        has_default: whether a required argument or input field has a default.
    """

    rule: str
    level: Level
    coordinate: str
    message: str
    member: str = ""
    is_input: bool = False
    was: str = ""
    becomes: str = ""
    has_default: bool = False


# graphql-core 3.2 names the changed part only in its description.
_DESCRIPTIONS: Final[tuple[tuple[str, str, str, str], ...]] = (
    ("TYPE_REMOVED", "type-removed", "{0}", r"(?:Standard scalar )?(\w+) was removed"),
    ("TYPE_CHANGED_KIND", "type-kind-changed", "{0}", r"(\w+) changed from"),
    ("TYPE_REMOVED_FROM_UNION", "member-removed", "{1}", r"(\w+) was removed from union type (\w+)"),
    ("VALUE_REMOVED_FROM_ENUM", "enum-value-removed", "{1}.{0}", r"(\w+) was removed from enum type (\w+)"),
    (
        "REQUIRED_INPUT_FIELD_ADDED",
        "required-input-field-added",
        "{1}.{0}",
        r"A required field (\w+) on input type (\w+) was added",
    ),
    ("IMPLEMENTED_INTERFACE_REMOVED", "member-removed", "{1}", r"(\w+) no longer implements interface (\w+)"),
    ("FIELD_REMOVED", "field-removed", "{0}.{1}", r"(\w+)\.(\w+) was removed"),
    (
        "FIELD_CHANGED_KIND",
        "field-type-changed",
        "{0}.{1}",
        r"(\w+)\.(\w+) changed type from (\S+) to (\S+)\.$",
    ),
    (
        "REQUIRED_ARG_ADDED",
        "required-argument-added",
        "{1}.{2}({0}:)",
        r"A required arg (\w+) on (\w+)\.(\w+) was added",
    ),
    ("ARG_REMOVED", "argument-removed", "{0}.{1}({2}:)", r"(\w+)\.(\w+) arg (\w+) was removed"),
    (
        "ARG_CHANGED_KIND",
        "argument-type-changed",
        "{0}.{1}({2}:)",
        r"(\w+)\.(\w+) arg (\w+) has changed type from (\S+) to (\S+)\.$",
    ),
    ("DIRECTIVE_REMOVED", "directive-removed", "@{0}", r"(\w+) was removed"),
    ("DIRECTIVE_ARG_REMOVED", "directive-argument-removed", "@{1}({0}:)", r"(\w+) was removed from (\w+)"),
    (
        "REQUIRED_DIRECTIVE_ARG_ADDED",
        "required-directive-argument-added",
        "@{1}({0}:)",
        r"A required arg (\w+) on directive (\w+) was added",
    ),
    (
        "DIRECTIVE_REPEATABLE_REMOVED",
        "directive-repeatable-removed",
        "@{0}",
        r"Repeatable flag was removed from (\w+)",
    ),
    ("DIRECTIVE_LOCATION_REMOVED", "directive-location-removed", "@{1}", r"(\w+) was removed from (\w+)"),
    ("VALUE_ADDED_TO_ENUM", "enum-value-added", "{1}.{0}", r"(\w+) was added to enum type (\w+)"),
    ("TYPE_ADDED_TO_UNION", "member-added", "{1}", r"(\w+) was added to union type (\w+)"),
    (
        "OPTIONAL_INPUT_FIELD_ADDED",
        "optional-input-field-added",
        "{1}.{0}",
        r"An optional field (\w+) on input type (\w+) was added",
    ),
    (
        "OPTIONAL_ARG_ADDED",
        "optional-argument-added",
        "{1}.{2}({0}:)",
        r"An optional arg (\w+) on (\w+)\.(\w+) was added",
    ),
    ("IMPLEMENTED_INTERFACE_ADDED", "member-added", "{0}", r"(\w+) added to interfaces implemented by (\w+)"),
    ("ARG_DEFAULT_VALUE_CHANGE", "argument-default-changed", "{0}.{1}({2}:)", r"(\w+)\.(\w+) arg (\w+) "),
)
_PATTERNS: Final = {
    name: (rule, template, re.compile(description)) for name, rule, template, description in _DESCRIPTIONS
}
# graphql-core calls these dangerous, but an operation that does not use them is not affected.
_SAFE: Final = {"optional-input-field-added", "optional-argument-added"}
_MEMBER_IS_SECOND: Final = {"IMPLEMENTED_INTERFACE_ADDED"}


def find_changes(known: GraphQLSchema, found: GraphQLSchema) -> list[Change]:
    """Return every difference from ``known`` to ``found``."""
    breaking = [
        _from_core(each.type.name, each.description, "breaking", known, found)
        for each in find_breaking_changes(known, found)
    ]
    dangerous = [
        _from_core(each.type.name, each.description, "dangerous", known, found)
        for each in find_dangerous_changes(known, found)
    ]
    return [*filter(None, (*breaking, *dangerous)), *_unreported_by_core(known, found)]


def _from_core(
    kind: str, description: str, level: Level, known: GraphQLSchema, found: GraphQLSchema
) -> Change | None:
    rule, template, pattern = _PATTERNS[kind]
    match = pattern.match(description)
    if match is None:
        raise ValueError(f"graphql-core describes {kind} in an unknown way: {description}")
    parts = match.groups()
    coordinate = template.format(*parts)
    owner = known.type_map.get(coordinate.partition(".")[0])
    if kind == "DIRECTIVE_REMOVED" and _is_specified(known, parts[0]):
        # Servers may know standard directives without listing them.
        return None
    if kind == "TYPE_REMOVED" and owner is not None and is_specified_scalar_type(owner):
        return None
    is_input = isinstance(owner, GraphQLInputObjectType) or "(" in coordinate
    if isinstance(owner, GraphQLInputObjectType) and rule.startswith("field-"):
        rule = f"input-{rule}"
    was, becomes = parts[-2:] if "CHANGED_KIND" in kind and kind != "TYPE_CHANGED_KIND" else ("", "")
    return Change(
        rule=rule,
        level="safe" if rule in _SAFE else level,
        coordinate=coordinate,
        message=description,
        member=_member(kind, parts),
        is_input=is_input,
        was=was,
        becomes=becomes,
        has_default=_has_default(found, coordinate),
    )


def _member(kind: str, parts: tuple[str, ...]) -> str:
    if kind in {"TYPE_REMOVED_FROM_UNION", "TYPE_ADDED_TO_UNION", "IMPLEMENTED_INTERFACE_REMOVED"}:
        return parts[0]
    return parts[1] if kind in _MEMBER_IS_SECOND else ""


def _is_specified(schema: GraphQLSchema, name: str) -> bool:
    return any(each.name == name and is_specified_directive(each) for each in schema.directives)


def _has_default(schema: GraphQLSchema, coordinate: str) -> bool:
    given = _inputs(schema).get(coordinate)
    return given is not None and given.default_value is not Undefined


def _inputs(schema: GraphQLSchema) -> Mapping[str, GraphQLArgument | GraphQLInputField]:
    """Return every argument and input field, by coordinate."""
    found: dict[str, GraphQLArgument | GraphQLInputField] = {}
    for owner in _types(schema).values():
        if isinstance(owner, GraphQLInputObjectType):
            found |= {f"{owner.name}.{name}": each for name, each in owner.fields.items()}
        if isinstance(owner, GraphQLObjectType | GraphQLInterfaceType):
            found |= {
                f"{owner.name}.{field_name}({name}:)": argument
                for field_name, field in owner.fields.items()
                for name, argument in field.args.items()
            }
    return found


def _outputs(schema: GraphQLSchema) -> Mapping[str, GraphQLField]:
    """Return every field of objects and interfaces, by coordinate."""
    return {
        f"{owner.name}.{name}": field
        for owner in _types(schema).values()
        if isinstance(owner, GraphQLObjectType | GraphQLInterfaceType)
        for name, field in owner.fields.items()
    }


def _types(schema: GraphQLSchema) -> Mapping[str, GraphQLNamedType]:
    return {name: each for name, each in schema.type_map.items() if not is_introspection_type(each)}


def _unreported_by_core(known: GraphQLSchema, found: GraphQLSchema) -> Iterator[Change]:
    """Return what graphql-core does not report: safe changes, deprecations, defaults of input fields."""
    before, after = _types(known), _types(found)
    for name in after.keys() - before.keys():
        if not is_specified_scalar_type(after[name]):
            yield Change("type-added", "safe", name, f"{name} was added.")
    yield from _new_fields(known, found)
    yield from _deprecations(known, found)
    yield from _input_changes(known, found)


def _new_fields(known: GraphQLSchema, found: GraphQLSchema) -> Iterator[Change]:
    before, after = _outputs(known), _outputs(found)
    for coordinate, field in after.items():
        if coordinate in before:
            was, becomes = type_of(before[coordinate]), type_of(field)
            if was != becomes and is_safe_to_receive(was, becomes):
                message = f"{coordinate} changed type from {was} to {becomes}."
                yield Change("field-type-narrowed", "safe", coordinate, message, was=was, becomes=becomes)
        elif coordinate.partition(".")[0] in _types(known):
            yield Change("field-added", "safe", coordinate, f"{coordinate} was added.")


def _input_changes(known: GraphQLSchema, found: GraphQLSchema) -> Iterator[Change]:
    before, after = _inputs(known), _inputs(found)
    for coordinate in before.keys() & after.keys():
        old, new = before[coordinate], after[coordinate]
        was, becomes = type_of(old), type_of(new)
        if was != becomes and is_safe_to_send(was, becomes):
            message = f"{coordinate} changed type from {was} to {becomes}."
            yield Change(
                "input-widened", "safe", coordinate, message, is_input=True, was=was, becomes=becomes
            )
        if "(" not in coordinate and old.default_value != new.default_value:
            message = f"{coordinate} has another default value."
            yield Change("input-field-default-changed", "dangerous", coordinate, message, is_input=True)
        if "(" in coordinate and old.default_value is Undefined and new.default_value is not Undefined:
            yield Change(
                "argument-default-added",
                "dangerous",
                coordinate,
                f"{coordinate} got a default value.",
                is_input=True,
            )


def _deprecations(known: GraphQLSchema, found: GraphQLSchema) -> Iterator[Change]:
    before, after = _reasons(known), _reasons(found)
    for coordinate in before.keys() & after.keys():
        if after[coordinate] is not None and before[coordinate] is None:
            message = f"{coordinate} is deprecated: {after[coordinate]}"
            yield Change("deprecated", "deprecated", coordinate, message)


def _reasons(schema: GraphQLSchema) -> Mapping[str, str | None]:
    """Return the deprecation reason of every part by coordinate, None for parts that are not deprecated."""
    values = {
        f"{owner.name}.{name}": value.deprecation_reason
        for owner in _types(schema).values()
        if isinstance(owner, GraphQLEnumType)
        for name, value in owner.values.items()
    }
    outputs = {coordinate: each.deprecation_reason for coordinate, each in _outputs(schema).items()}
    return (
        values
        | outputs
        | {coordinate: each.deprecation_reason for coordinate, each in _inputs(schema).items()}
    )


def is_safe_to_receive(was: str, becomes: str) -> bool:
    """Return whether a client that expects ``was`` can read ``becomes``: the same type, or null less often."""
    if becomes in {was, f"{was}!"}:
        return True
    if becomes.endswith("!"):
        return is_safe_to_receive(was.removesuffix("!"), becomes[:-1])
    if was.endswith("!"):
        return False
    return was.startswith("[") and becomes.startswith("[") and is_safe_to_receive(was[1:-1], becomes[1:-1])


def is_safe_to_send(was: str, becomes: str) -> bool:
    """Return whether a client that sends ``was`` may send it where the server expects ``becomes``."""
    return is_safe_to_receive(becomes, was)
