"""What the change of a type means for operations that receive or send its values: whether they still decode."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    is_composite_type,
    is_required_input_field,
    is_specified_scalar_type,
)

from runql.drift.findings import Level, Use
from runql.drift.operations.type_strings import base_name, type_of
from runql.drift.operations.usage import Usage
from runql.drift.schema.changes import is_safe_to_receive, is_safe_to_send

Kind: TypeAlias = Literal["int", "float", "str", "bool", "json", "custom", "composite"]
"""The JSON of a type's values: `json` is any, that of `custom` is not known."""

_KINDS: Final[Mapping[str, Kind]] = {
    "Int": "int",
    "Float": "float",
    "String": "str",
    "ID": "str",
    "Boolean": "bool",
    # Scalars of W&B, as our generator types them.
    "JSON": "json",
    "JSONString": "str",
    "DateTime": "str",
    "Int64": "int",
    "Duration": "float",
}
_PARSED: Final = {"JSON", "JSONString"}
"""Scalars whose values runql's methods parse, whatever their own type is called."""

_READABLE: Final[Mapping[Kind, frozenset[Kind]]] = {
    "int": frozenset({"int"}),
    "float": frozenset({"float", "int"}),
    "str": frozenset({"str"}),
    "bool": frozenset({"bool"}),
    "json": frozenset({"int", "float", "str", "bool", "json"}),
    "custom": frozenset({"str", "json"}),
    "composite": frozenset(),
}
"""By the kind that a client expects, the kinds that it reads as well."""

_SENDABLE: Final[Mapping[Kind, frozenset[Kind]]] = {
    "int": frozenset({"int", "float"}),
    "float": frozenset({"float"}),
    "str": frozenset({"str", "json"}),
    "bool": frozenset({"bool", "json"}),
    "json": frozenset({"json"}),
    "custom": frozenset({"str", "json"}),
    "composite": frozenset(),
}
"""By the kind that a client sends, the kinds that a server may expect as well."""

_OTHER_FORM: Final = "its values may have another form"


@dataclass(frozen=True, slots=True)
class Effect:
    """What the change of a type means for one operation.

    Attributes:
        level: safe, dangerous where values still decode, breaking where they may not.
        reason: why, half a sentence.
    """

    level: Level
    reason: str = ""


class TypeChanges:
    """The changes of types between two schemas.

    Args:
        known: the schema before.
        found: the schema after; None where a server has revealed only names of types.
        usage: what the operations use of ``known``.
    """

    def __init__(self, known: GraphQLSchema, found: GraphQLSchema | None, usage: Usage) -> None:
        self._known = known
        self._found = found
        self._usage = usage

    def received(self, was: str, becomes: str, use: Use) -> Effect:
        """Return what it means for an operation that receives values of a type."""
        return self._received(was, becomes, use, frozenset())

    def sent(self, was: str, becomes: str) -> Effect:
        """Return what it means for an operation that sends values of a type."""
        return self._sent(was, becomes, frozenset())

    def _received(self, was: str, becomes: str, use: Use, seen: frozenset[str]) -> Effect:
        before, after = base_name(was), base_name(becomes)
        if not is_safe_to_receive(was, becomes.replace(after, before)):
            return Effect("breaking")
        if before == after:
            return Effect("safe")
        old, new = self._kind(before), self._kind(after, was=before)
        if old == new == "composite":
            return self._received_object(before, after, use, seen)
        if "composite" in (old, new):
            return Effect("breaking")
        if use.path is None and before in _PARSED and new != "custom":
            return Effect("breaking", f"runql parses values of {before}")
        if new == "custom":
            return Effect("dangerous" if self._is_own_scalar(before) else "breaking", _OTHER_FORM)
        fits = new in _READABLE[old]
        return Effect("dangerous" if fits else "breaking", _OTHER_FORM if fits else "")

    def _received_object(self, before: str, after: str, use: Use, seen: frozenset[str]) -> Effect:
        """Compare the fields in use: validation finds those that are not there, but not those of another type."""
        for name, was, becomes in self._common_fields(before, after):
            if f"{before}.{name}" in seen or f"{before}.{name}" not in self._usage.parts:
                continue
            effect = self._received(was, becomes, use, seen | {f"{before}.{name}"})
            if effect.level == "breaking":
                return Effect("breaking", f"{after}.{name} has the type {becomes}, not {was}")
        return Effect("dangerous", "responses name another type")

    def _sent(self, was: str, becomes: str, seen: frozenset[str]) -> Effect:
        before, after = base_name(was), base_name(becomes)
        if not is_safe_to_send(was, becomes.replace(after, before)):
            return Effect("breaking")
        if before == after:
            return Effect("safe")
        old, new = self._known.type_map.get(before), self._type_now(after)
        if isinstance(old, GraphQLInputObjectType) and isinstance(new, GraphQLInputObjectType):
            return self._sent_object(old, new, seen)
        if isinstance(old, GraphQLInputObjectType) or isinstance(
            new, GraphQLInputObjectType | GraphQLEnumType
        ):
            return Effect("breaking")
        kind, wanted = self._kind(before), self._kind(after, was=before)
        is_renamed = wanted == "custom" and self._is_own_scalar(before)
        fits = is_renamed or wanted in _SENDABLE[kind] or (kind, after) == ("int", "ID")
        return Effect("dangerous" if fits else "breaking", _OTHER_FORM if fits else "")

    def _sent_object(
        self, old: GraphQLInputObjectType, new: GraphQLInputObjectType, seen: frozenset[str]
    ) -> Effect:
        filled = {name for name in old.fields if f"{old.name}.{name}" in self._usage.parts}
        for name in filled:
            if name not in new.fields:
                return Effect("breaking", f"{new.name} has no field {name}")
            coordinate = f"{old.name}.{name}"
            was, becomes = type_of(old.fields[name]), type_of(new.fields[name])
            if coordinate not in seen and self._sent(was, becomes, seen | {coordinate}).level == "breaking":
                return Effect("breaking", f"{new.name}.{name} has the type {becomes}, not {was}")
        for name, field in new.fields.items():
            if is_required_input_field(field) and name not in filled:
                return Effect("breaking", f"{new.name}.{name} is required")
        return Effect("dangerous", "the input type has another name")

    def _common_fields(self, before: str, after: str) -> Iterator[tuple[str, str, str]]:
        old, new = _fields(self._known.type_map.get(before)), _fields(self._type_now(after))
        for name in old.keys() & new.keys():
            yield name, type_of(old[name]), type_of(new[name])

    def _type_now(self, name: str) -> GraphQLNamedType | None:
        return (self._found or self._known).type_map.get(name)

    def _kind(self, name: str, *, was: str = "") -> Kind:
        """Return the kind of a type; of one that a server has named, and that no schema describes, that of the type before."""
        described = self._type_now(name) if was else self._known.type_map.get(name)
        if described is None:
            return "composite" if was and is_composite_type(self._known.type_map.get(was)) else "custom"
        if is_composite_type(described):
            return "composite"
        return "str" if isinstance(described, GraphQLEnumType) else _KINDS.get(name, "custom")

    def _is_own_scalar(self, name: str) -> bool:
        described = self._known.type_map.get(name)
        return isinstance(described, GraphQLScalarType) and not is_specified_scalar_type(described)


def _fields(described: GraphQLNamedType | None) -> Mapping[str, GraphQLField]:
    return described.fields if isinstance(described, GraphQLObjectType | GraphQLInterfaceType) else {}
