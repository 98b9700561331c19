"""Schema changes of every kind, to used and unused parts of the schema, with the effect that a check must report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    Undefined,
    build_schema,
)
from tests.drift import sdl_edits
from tests.drift.independent_usage import IndependentUsage, NonNullArguments, all_operations
from tests.drift.sdl_editor import SdlEditor
from tests.drift.sdl_edits import Edit

from runql.drift.operations.type_strings import base_name, type_of
from runql.drift.schema.sources import known_sdl

OTHER_LEAF = {"Int": "String"}


@dataclass(frozen=True)
class SchemaChange:
    """One change of the schema.

    Attributes:
        name: the kind of change, whether an operation uses the part, and the part.
        coordinate: the changed part of the schema.
        edit: makes the change.
        breaks: whether it breaks an operation.
        breaks_if_used: whether it would break an operation that uses the part.
    """

    name: str
    coordinate: str
    edit: Edit
    breaks: bool
    breaks_if_used: bool

    @cached_property
    def sdl(self) -> str:
        """The schema after the change."""
        edited = SdlEditor(known_sdl())
        self.edit(edited)
        return edited.sdl()

    @property
    def kind(self) -> str:
        """The kind of change, without the part."""
        return self.name.partition(":")[0].partition(",")[0]

    @property
    def is_unused_part(self) -> bool:
        """Whether no operation uses the changed part."""
        return ", unused" in self.name.partition(":")[0]


@dataclass(frozen=True)
class ChangeMaker:
    """Makes changes to used or to unused parts."""

    is_used: bool

    def __call__(self, what: str, at: str, edit: Edit, *, breaks: bool = True) -> SchemaChange:
        """Make a change; ``breaks`` says whether it breaks an operation that uses the part."""
        word = "used" if self.is_used else "unused"
        return SchemaChange(f"{what}, {word}: {at}", at, edit, breaks and self.is_used, breaks)


@cache
def all_changes() -> tuple[SchemaChange, ...]:
    """Return all changes; each results in a valid schema."""
    schema = build_schema(known_sdl())
    usage = IndependentUsage(schema, all_operations())
    makers = (_of_outputs, _of_arguments, _of_inputs, _of_types, _of_abstract_types, _of_enums)
    return tuple(change for make in makers for change in make(schema, usage))


def _outputs(schema: GraphQLSchema) -> Iterator[tuple[str, GraphQLField]]:
    """Yield the fields of objects that no interface requires, so that each can change alone."""
    for owner in schema.type_map.values():
        if isinstance(owner, GraphQLObjectType) and not owner.name.startswith("__"):
            bound = {name for each in owner.interfaces for name in each.fields}
            for name, field in owner.fields.items():
                if name not in bound:
                    yield f"{owner.name}.{name}", field


def _pick(found: Sequence[str], count: int = 1) -> list[str]:
    """Return ``count`` items at equal distances."""
    if not found:
        return []
    return [found[(2 * index + 1) * len(found) // (2 * count)] for index in range(min(count, len(found)))]


def _is_leaf(schema: GraphQLSchema, written: str) -> bool:
    return not hasattr(schema.type_map[base_name(written)], "fields")


def _is_only_field(schema: GraphQLSchema, coordinate: str) -> bool:
    """Return whether it is the only field of its type, which would be empty without it."""
    owner = schema.type_map[coordinate.partition(".")[0]]
    return isinstance(owner, GraphQLObjectType | GraphQLInputObjectType) and len(owner.fields) == 1


def _is_only_field_type(schema: GraphQLSchema, name: str) -> bool:
    """Return whether another type has only fields of this type, and would be empty without it."""
    return any(
        {base_name(type_of(field)) for field in each.fields.values()} == {name}
        for each in schema.type_map.values()
        if isinstance(each, GraphQLObjectType)
    )


def _of_outputs(schema: GraphQLSchema, usage: IndependentUsage) -> Iterator[SchemaChange]:
    types = {coordinate: type_of(field) for coordinate, field in _outputs(schema)}
    for is_used in (True, False):
        fields = sorted(each for each in types if (each in usage.fields) == is_used)
        leaves = [each for each in fields if _is_leaf(schema, types[each])]
        nullable = [each for each in leaves if not types[each].endswith("!")]
        required = [each for each in leaves if types[each].endswith("!")]
        objects = [each for each in fields if each not in leaves]
        roots = [each for each in fields if each.startswith("Mutation.")]

        make = ChangeMaker(is_used)

        for at in _pick([each for each in leaves if not _is_only_field(schema, each)], 2):
            yield make("field removed", at, sdl_edits.remove(at))
        for at in _pick([each for each in objects if not _is_only_field(schema, each)]):
            yield make("object field removed", at, sdl_edits.remove(at))
        for at in _pick(roots):
            yield make("mutation removed", at, sdl_edits.remove(at))
        for at in _pick(required):
            yield make("field may be null now", at, sdl_edits.retype(at, types[at][:-1]))
        for at in _pick(nullable):
            yield make(
                "field is never null now",
                at,
                sdl_edits.retype(at, f"{types[at]}!"),
                breaks=False,
            )
        for at in _pick(nullable):
            other = OTHER_LEAF.get(base_name(types[at]), "Int")
            yield make("field has another scalar", at, sdl_edits.retype(at, other))
        for at in _pick(leaves[1:]):
            yield make("field is a list now", at, sdl_edits.retype(at, f"[{types[at]}]"))
        for at in _pick(objects[1:]):
            yield make("object field is a scalar now", at, sdl_edits.retype(at, "String"))
        for at in _pick(leaves[2:]):
            yield make("scalar field is an object now", at, sdl_edits.retype(at, "PageInfo"))
        for at in _pick(leaves[3:]):
            yield make("field deprecated", at, sdl_edits.deprecate(at), breaks=False)
        for at in _pick(objects[2:]):
            yield make(
                "other field of the type added",
                at,
                sdl_edits.add_field(at.partition(".")[0], "brandNew: Int!"),
                breaks=False,
            )


def _of_arguments(schema: GraphQLSchema, usage: IndependentUsage) -> Iterator[SchemaChange]:
    given = {
        f"{at}({name}:)": type_of(argument)
        for at, field in _outputs(schema)
        for name, argument in field.args.items()
        if argument.default_value is Undefined
    }
    optional = {at: written for at, written in given.items() if not written.endswith("!")}
    for is_used in (True, False):
        word = "used" if is_used else "unused"
        passed = sorted(at for at in given if (at in usage.arguments) == is_used)
        # Optional arguments that no operation passes, of used or of unused fields.
        omitted = sorted(
            at
            for at in optional
            if at not in usage.arguments and (at.partition("(")[0] in usage.fields) == is_used
        )
        fields = sorted({at for at, _ in _outputs(schema) if (at in usage.fields) == is_used})

        make = ChangeMaker(is_used)

        for at in _pick(passed):
            yield make("argument removed", at, sdl_edits.remove(at))
        for at in _pick([each for each in passed if base_name(given[each]) != "ID"]):
            yield make("argument has another type", at, sdl_edits.retype(at, "[[Boolean]]"))
        for at in _pick([each for each in passed if given[each].endswith("!")]):
            yield make(
                "argument optional now",
                at,
                sdl_edits.retype(at, given[at][:-1]),
                breaks=False,
            )
        for at in _pick(omitted):
            yield make("argument required now", at, sdl_edits.retype(at, f"{given[at]}!"))
        for at in _pick([each for each in omitted if given[each] in {"Int", "String", "Boolean"}]):
            value = {"Int": "1", "String": '"x"', "Boolean": "true"}[given[at]]
            with_default = sdl_edits.require_with_default(at, f"{given[at]}!", value)
            yield SchemaChange(
                f"argument required now, with a default, {word}: {at}", at, with_default, False, True
            )
            yield make(
                "argument got a default",
                at,
                sdl_edits.set_default(at, value),
                breaks=False,
            )
        for at in _pick(fields, 2):
            yield make("required argument added", at, sdl_edits.add_argument(at, "brandNew: Int!"))
        for at in _pick(fields[1:]):
            yield make(
                "required argument with a default added",
                at,
                sdl_edits.add_argument(at, "brandNew: Int! = 1"),
                breaks=False,
            )
        for at in _pick(fields[2:]):
            yield make(
                "optional argument added",
                at,
                sdl_edits.add_argument(at, "brandNew: Int"),
                breaks=False,
            )
    non_null = NonNullArguments(schema, all_operations())
    for at in _pick(sorted(at for at in optional if at in usage.arguments and non_null.is_always_given(at))):
        yield SchemaChange(
            f"argument required now, and always passed: {at}",
            at,
            sdl_edits.retype(at, f"{given[at]}!"),
            False,
            True,
        )


def _of_inputs(schema: GraphQLSchema, usage: IndependentUsage) -> Iterator[SchemaChange]:
    inputs = [each for each in schema.type_map.values() if isinstance(each, GraphQLInputObjectType)]
    types = {f"{owner.name}.{name}": type_of(each) for owner in inputs for name, each in owner.fields.items()}
    optional = sorted(at for at, written in types.items() if not written.endswith("!"))
    for is_used in (True, False):
        word = "used" if is_used else "unused"
        filled = sorted(at for at in types if (at in usage.input_fields) == is_used)
        owners = sorted(each.name for each in inputs if (each.name in usage.input_types) == is_used)
        # Optional input fields that no operation fills, of used or of unused input types.
        omitted = [
            at
            for at in optional
            if at not in usage.input_fields and (at.partition(".")[0] in usage.input_types) == is_used
        ]

        make = ChangeMaker(is_used)

        for at in _pick([each for each in filled if not _is_only_field(schema, each)], 2):
            yield make("input field removed", at, sdl_edits.remove(at))
        for at in _pick(filled[1:]):
            yield make("input field has another type", at, sdl_edits.retype(at, "[[Boolean]]"))
        for at in _pick([each for each in filled if types[each].endswith("!")]):
            yield make(
                "input field optional now",
                at,
                sdl_edits.retype(at, types[at][:-1]),
                breaks=False,
            )
        for at in _pick(omitted):
            yield make("input field required now", at, sdl_edits.retype(at, f"{types[at]}!"))
        for at in _pick([each for each in omitted if types[each] == "String"]):
            with_default = sdl_edits.require_with_default(at, "String!", '"x"')
            yield SchemaChange(
                f"input field required now, with a default, {word}: {at}", at, with_default, False, False
            )
        for at in _pick(owners):
            yield make("required input field added", at, sdl_edits.add_field(at, "brandNew: Int!"))
        for at in _pick(owners):
            yield make(
                "required input field with a default added",
                at,
                sdl_edits.add_field(at, "brandNew: Int! = 1"),
                breaks=False,
            )
            yield make(
                "optional input field added",
                at,
                sdl_edits.add_field(at, "brandNew: Int"),
                breaks=False,
            )
            yield make("input type removed", at, sdl_edits.remove_type(at))
    for at in _pick(sorted(usage.variable_types)):
        yield ChangeMaker(is_used=True)("input type renamed", at, sdl_edits.rename_type(at, f"Other{at}"))
    for at in _pick(sorted(usage.input_types - usage.variable_types)):
        # Literals do not name their type.
        name = f"input type renamed that no variable names: {at}"
        yield SchemaChange(
            name, at, sdl_edits.rename_type(at, f"Other{at}"), breaks=False, breaks_if_used=True
        )
    for at in _pick(
        [
            each
            for each in optional
            if each.partition(".")[0] in usage.input_types
            and each not in usage.input_fields
            and not _is_only_field(schema, each)
        ]
    ):
        yield SchemaChange(
            f"input field removed that no operation fills, of a used input type: {at}",
            at,
            sdl_edits.remove(at),
            False,
            True,
        )


def _of_types(schema: GraphQLSchema, usage: IndependentUsage) -> Iterator[SchemaChange]:
    objects = sorted(
        each.name
        for each in schema.type_map.values()
        if isinstance(each, GraphQLObjectType)
        and not each.name.startswith("__")
        and each.name not in {"Query", "Mutation", "PageInfo"}
        and not each.interfaces
        and not any(each in getattr(union, "types", ()) for union in schema.type_map.values())
    )
    for is_used in (True, False):
        make = ChangeMaker(is_used)

        fields = [name for name in objects if (name in usage.types) == is_used]
        for at in _pick(fields):
            if not _is_only_field_type(schema, at):
                yield make("type removed", at, sdl_edits.remove_type(at))
        for at in _pick(fields[1:]):
            yield make("type renamed", at, sdl_edits.rename_type(at, f"Other{at}"))
        for at in _pick(fields[2:]):
            yield make("object is a scalar now", at, sdl_edits.replace_type(at, f"scalar {at}"))
    yield SchemaChange("type added", "BrandNew", sdl_edits.add_type("type BrandNew { a: Int }"), False, False)
    yield SchemaChange("nothing changed", "Query", sdl_edits.no_edit, False, False)


def _of_abstract_types(_schema: GraphQLSchema, _usage: IndependentUsage) -> Iterator[SchemaChange]:
    yield SchemaChange(
        "union member removed, used", "Initiator", sdl_edits.remove_member("User", "Initiator"), True, True
    )
    yield SchemaChange(
        "union member added, used", "Initiator", sdl_edits.add_new_member("Initiator"), False, False
    )
    yield SchemaChange(
        "interface removed, used",
        "ArtifactCollection",
        sdl_edits.remove_member("ArtifactPortfolio", "ArtifactCollection"),
        True,
        True,
    )
    yield SchemaChange(
        "interface removed, unused", "Node", sdl_edits.remove_member("Run", "Node"), False, True
    )


def _of_enums(schema: GraphQLSchema, _usage: IndependentUsage) -> Iterator[SchemaChange]:
    for enum, value, breaks, kind in (
        ("ArtifactCollectionType", "SEQUENCE", True, "sent, used"),
        ("ArtifactManifestType", "PATCH", True, "sent by a variable, used"),
        ("ArtifactState", "DELETED", False, "received only, used"),
        ("RampIDType", "OrgName", False, "unused"),
    ):
        described = schema.type_map[enum]
        assert isinstance(described, GraphQLEnumType)
        assert value in described.values
        without = sdl_edits.replace_value(enum, value, "BRAND_NEW")
        breaks_if_used = kind != "received only, used"
        yield SchemaChange(
            f"enum value replaced, {kind}: {enum}.{value}",
            f"{enum}.{value}",
            without,
            breaks,
            breaks_if_used,
        )
        yield SchemaChange(
            f"enum value added, {kind}: {enum}",
            enum,
            sdl_edits.add_value(enum, "BRAND_NEW"),
            False,
            False,
        )
