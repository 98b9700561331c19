"""Values that do not fit a type: which key, which value, and which type was expected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Final, Protocol

from runql.projections.shapes import (
    UNIONS,
    WRAPPERS,
    Schema,
    SchemaReader,
    as_list,
    as_schema,
    is_mapping,
    key_paths,
)
from runql.quick_dataclasses import dataclass

NAMES: Final = {
    "none": "None",
    "any": "any value",
    "json": "JSON in a str",
    "uuid": "UUID",
    "decimal": "Decimal",
}
MEMBERS: Final = {"list": "items_schema", "set": "items_schema", "frozenset": "items_schema"}
SAID_BY_THE_TYPE: Final = ("_type", "_parsing", "_from_float", "literal_error", "enum")


class ErrorDetails(Protocol):
    """What pydantic says of one value."""

    def __getitem__(self, name: str, /) -> object: ...


@dataclass(frozen=True, slots=True)
class Misfit:
    """A value that does not fit a field's type.

    Attributes:
        key: dotted where it leads into objects.
        value: None where it is missing.
        expected: the field's type, as it is written in Python.
        is_missing: whether the key must be there and is not.
        reason: what else is wrong with a value of that type; empty where the type says it.
    """

    key: str
    value: object
    expected: str
    is_missing: bool
    reason: str


def misfits(reader: SchemaReader, schema: Schema, errors: Sequence[ErrorDetails]) -> list[Misfit]:
    """Return the values that do not fit, each key once, in the type's order."""
    found: dict[str, Misfit] = {}
    for error in errors:
        kind = str(error["type"])
        key, expected = _place(reader, schema, as_list(error["loc"]))
        if key not in found:
            is_missing = kind.startswith("missing")
            said = is_missing or kind.endswith(SAID_BY_THE_TYPE)
            value = None if is_missing else error["input"]
            found[key] = Misfit(key, value, expected, is_missing, "" if said else str(error["msg"]))
    return [*found.values()]


def type_name(reader: SchemaReader, schema: Schema) -> str:
    """Return a type as it is written in Python, roughly."""
    kind = str(schema["type"])
    if kind == "nullable":
        return f"{type_name(reader, as_schema(schema['schema']))} | None"
    owner = schema.get("cls")
    if isinstance(owner, type):
        return _enum_name(owner) if issubclass(owner, Enum) else owner.__name__
    if kind in WRAPPERS or kind == "definition-ref":
        inner = next(iter([*reader.unwrapped(schema)][1:]), None)
        return kind if inner is None else type_name(reader, inner)
    if kind in UNIONS:
        return " | ".join(type_name(reader, each) for each in reader.choices(schema))
    if kind == "literal":
        return f"Literal[{', '.join(map(repr, as_list(schema['expected'])))}]"
    if kind in MEMBERS and is_mapping(schema.get(MEMBERS[kind])):
        return f"{kind}[{type_name(reader, as_schema(schema[MEMBERS[kind]]))}]"
    if kind == "dict" and is_mapping(schema.get("values_schema")):
        keys = as_schema(schema["keys_schema"]) if "keys_schema" in schema else {"type": "any"}
        return f"dict[{type_name(reader, keys)}, {type_name(reader, as_schema(schema['values_schema']))}]"
    return NAMES.get(kind, kind)


def _enum_name(owner: type[Enum]) -> str:
    return f"{owner.__name__} ({', '.join(repr(each.value) for each in owner)})"


def _place(reader: SchemaReader, schema: Schema, location: Sequence[object]) -> tuple[str, str]:
    """The key that an error is about, and the type that is expected there."""
    key = ""
    for name, inner in _descend(reader, schema, location):
        key = f"{key}{name}" if name.startswith("[") or not key else f"{key}.{name}"
        schema = inner
    return key, type_name(reader, schema)


def _descend(
    reader: SchemaReader, schema: Schema, location: Sequence[object]
) -> Iterator[tuple[str, Schema]]:
    left = [*location]
    while left:
        core = reader.core(schema)
        kind = str(core["type"])
        part = left.pop(0)
        if kind == "tagged-union" and is_mapping(core["choices"]):
            chosen = core["choices"].get(part)
            if chosen is None:
                return
            schema = as_schema(chosen)
            continue
        fields = {
            parts: as_schema(each["schema"])
            for name, each in reader.fields(core).items()
            for parts in (*key_paths(name, each), (name,))
        }
        path = next((each for each in fields if each == (part, *left[: len(each) - 1])), None)
        if path is not None:
            del left[: len(path) - 1]
            yield ".".join(path), fields[path]
            schema = fields[path]
        elif kind in MEMBERS and isinstance(part, int) and is_mapping(core.get(MEMBERS[kind])):
            schema = as_schema(core[MEMBERS[kind]])
            yield f"[{part}]", schema
        elif kind == "dict" and is_mapping(core.get("values_schema")):
            schema = as_schema(core["values_schema"])
            yield str(part), schema
        elif not str(part).startswith(("function-", "nullable", "lax-or-strict")):
            return
