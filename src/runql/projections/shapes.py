"""The fields of a type, read off its pydantic schema: their keys, whether they are required, and what they nest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Final, TypeGuard

from runql.quick_dataclasses import dataclass

Schema = Mapping[str, object]
KeyPath = tuple[str, ...]

WRAPPERS: Final = {
    **dict.fromkeys(("default", "nullable", "model", "dataclass", "definitions"), "schema"),
    **dict.fromkeys(("function-before", "function-after", "function-wrap"), "schema"),
    "json-or-python": "json_schema",
    "lax-or-strict": "strict_schema",
    "call": "arguments_schema",
}
"""Schemas around another one, and the name that they have it under."""

FIELDS: Final = {
    "model-fields": "fields",
    "dataclass-args": "fields",
    "typed-dict": "fields",
    "named-tuple": "fields",
    "arguments": "arguments_schema",
}
"""Schemas that have fields, and the name that they have them under."""

UNIONS: Final = frozenset({"union", "tagged-union"})
NUMBERS: Final = frozenset({"default", "nullable", "float", "int", "bool", "none"})
"""Schemas of numbers: strictly, pydantic checks them in Python objects as in JSON."""

REFUSES_OTHERS: Final = frozenset({"arguments", "named-tuple"})


class NoProjectionError(Exception):
    """A type names no keys; the message says why."""


@dataclass(frozen=True, slots=True)
class ShapeField:
    """One field of a type.

    Attributes:
        paths: the keys that it is read from, the first that is there wins; a path of several leads into objects.
        required: whether a value must be there.
        schema: of its values.
        inner: the fields of its value, where that is an object of a known type.
    """

    paths: tuple[KeyPath, ...]
    required: bool
    schema: Schema
    inner: Shape | None = None

    @property
    def key(self) -> str:
        """Its first key, dotted where it leads into objects."""
        return ".".join(self.paths[0])


@dataclass(frozen=True, slots=True)
class Shape:
    """The fields of a type.

    Attributes:
        fields: in the type's order.
        refuses_others: whether the type does not ignore keys that it does not name.
    """

    fields: tuple[ShapeField, ...]
    refuses_others: bool

    @property
    def is_flat(self) -> bool:
        """Whether each field is read from one top-level key, and other keys are ignored."""
        return not self.refuses_others and all(
            each.inner is None and len(each.paths) == 1 and len(each.paths[0]) == 1 and "." not in each.key
            for each in self.fields
        )

    def leaves(self, prefix: str = "", *, required: bool = True) -> Iterator[tuple[str, bool]]:
        """Each key that holds no object of a known type, dotted, and whether it must be there."""
        for each in self.fields:
            needed = required and each.required
            if each.inner is None:
                yield prefix + each.key, needed
            else:
                yield from each.inner.leaves(f"{prefix}{each.key}.", required=needed)


@dataclass(slots=True)
class SchemaReader:
    """Reads shapes off one schema; it knows the definitions that the schema refers to."""

    definitions: dict[str, Schema] = field(default_factory=dict[str, Schema])
    _open: list[int] = field(default_factory=list[int])

    def shape(self, schema: Schema) -> Shape:
        """Return the fields of a type.

        Raises:
            NoProjectionError: it has none, or several types are possible and nothing says which.
        """
        found = self._shape(schema)
        if found is None:
            raise NoProjectionError("it has no fields that name keys")
        if not found.fields:
            raise NoProjectionError("it has no fields")
        return found

    def core(self, schema: Schema) -> Schema:
        """Return the schema without those around it."""
        return [*self.unwrapped(schema)][-1]

    def unwrapped(self, schema: Schema) -> Iterator[Schema]:
        """The schema, and each one that it is around."""
        while True:
            yield schema
            self._note_definitions(schema)
            kind = str(schema["type"])
            if kind == "definition-ref":
                schema = self.definitions[str(schema["schema_ref"])]
            elif kind in WRAPPERS:
                schema = as_schema(schema[WRAPPERS[kind]])
            else:
                return

    def holds_numbers(self, schema: Schema) -> bool:
        """Whether a type is a model or a typed dict of numbers, which pydantic makes of dicts as it makes it of JSON."""
        *around, core = self.unwrapped(schema)
        return (
            core["type"] in {"model-fields", "typed-dict"}
            and all(each["type"] == "model" for each in around)
            and all(
                part["type"] in NUMBERS
                for each in self.fields(core).values()
                for part in self.unwrapped(as_schema(each["schema"]))
            )
        )

    def choices(self, schema: Schema) -> list[Schema]:
        """Return the schemas of a union; tags distinguish those of a tagged one."""
        choices = schema["choices"]
        given: Iterable[object] = choices.values() if is_mapping(choices) else as_list(choices)
        # A choice with a label is a pair.
        return [as_schema(next(iter(as_list(each)), each)) for each in given]

    def fields(self, schema: Schema) -> dict[str, Schema]:
        """Return the fields of a core schema by name; empty where it has none."""
        kind = str(schema["type"])
        found: object = schema[FIELDS[kind]] if kind in FIELDS else ()
        if is_mapping(found):
            return {str(name): as_schema(each) for name, each in found.items()}
        listed = [as_schema(each) for each in as_list(found)]
        return {str(each["name"]): each for each in listed if each.get("init") is not False}

    def _shape(self, schema: Schema) -> Shape | None:
        unwrapped = [*self.unwrapped(schema)]
        core = unwrapped[-1]
        if core["type"] in UNIONS:
            return self._union(core)
        if core["type"] not in FIELDS or id(core) in self._open:
            return None
        self._open.append(id(core))
        try:
            fields = tuple(self._field(name, each) for name, each in self.fields(core).items())
        finally:
            self._open.pop()
        return Shape(fields, refuses_others=_refuses_others(unwrapped))

    def _union(self, core: Schema) -> Shape | None:
        choices = self.choices(core)
        shapes = [shape for each in choices if (shape := self._shape(each)) is not None]
        if core["type"] == "union":
            if len(shapes) > 1:
                raise NoProjectionError(
                    "it has a union of types with fields, and nothing says which of them a value is: "
                    "give it a discriminator, such as Field(discriminator='kind')"
                )
            return None
        merged: dict[tuple[KeyPath, ...], ShapeField] = {}
        for each in (each for shape in shapes for each in shape.fields):
            known = merged.get(each.paths)
            merged[each.paths] = each if known is None else replace(known, inner=known.inner or each.inner)
        return Shape(
            tuple(
                replace(each, required=all(_requires(shape, each.paths) for shape in shapes))
                for each in merged.values()
            ),
            refuses_others=any(shape.refuses_others for shape in shapes),
        )

    def _field(self, name: str, each: Schema) -> ShapeField:
        schema = as_schema(each["schema"])
        required = each.get("required", True) is not False and not self._has_default(schema)
        return ShapeField(key_paths(name, each), required, schema, self._shape(schema))

    def _has_default(self, schema: Schema) -> bool:
        while schema["type"] != "default":
            if not str(schema["type"]).startswith("function-") or "schema" not in schema:
                return False
            schema = as_schema(schema["schema"])
        return True

    def _note_definitions(self, schema: Schema) -> None:
        if schema["type"] == "definitions":
            for each in as_list(schema["definitions"]):
                definition = as_schema(each)
                self.definitions[str(definition["ref"])] = definition


def key_paths(name: str, each: Schema) -> tuple[KeyPath, ...]:
    """Return the keys that a field is read from: its aliases, or its name."""
    alias = each.get("validation_alias", each.get("alias", name))
    if isinstance(alias, str):
        return ((alias,),)
    parts = as_list(alias)
    if any(isinstance(part, list) for part in parts):
        return tuple(_names(as_list(part)) for part in parts)
    return (_names(parts),)


def is_mapping(value: object) -> TypeGuard[Mapping[object, object]]:
    """Whether a value is a mapping."""
    return isinstance(value, Mapping)


def as_schema(value: object) -> Schema:
    """Return a part of a schema that is one itself."""
    if not is_mapping(value):
        raise NoProjectionError(f"pydantic describes it in an unknown way: {value!r:.80}")
    return {str(name): each for name, each in value.items()} if not _is_schema(value) else value


def as_list(value: object) -> Sequence[object]:
    """Return a part of a schema that is a list."""
    return value if _is_list(value) else ()


def _is_schema(value: Mapping[object, object]) -> TypeGuard[Schema]:
    return "type" in value


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return isinstance(value, list | tuple)


def _names(parts: Sequence[object]) -> KeyPath:
    """The keys of a path; an index ends it, because the whole list is read."""
    names: list[str] = []
    for part in parts:
        if not isinstance(part, str):
            break
        names.append(part)
    return tuple(names)


def _requires(shape: Shape, paths: tuple[KeyPath, ...]) -> bool:
    return any(each.required for each in shape.fields if each.paths == paths)


def _refuses_others(unwrapped: Sequence[Schema]) -> bool:
    settings = [each.get("extra_behavior") for each in unwrapped]
    for each in unwrapped:
        config = each.get("config")
        settings.append(config.get("extra_fields_behavior") if is_mapping(config) else None)
    return unwrapped[-1]["type"] in REFUSES_OTHERS or any(each in {"forbid", "allow"} for each in settings)
