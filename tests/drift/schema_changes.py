"""Changes of the schema, each kind of them to something that is used and to something that is not, and what they do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

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
        name: what is changed, and whether it is used.
        coordinate: the part of the schema.
        edit: makes the change.
        breaks: whether an operation is refused after it, or gets or must send what it does not know.
        breaks_if_used: whether it would, if it were used.
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
        """What is changed, whether it is used or not."""
        return self.name.partition(":")[0].partition(",")[0]

    @property
    def is_unused_part(self) -> bool:
        """Whether no operation uses what is changed."""
        return ", unused" in self.name.partition(":")[0]


@dataclass(frozen=True)
class ChangeMaker:
    """Makes changes of parts that are used, or of parts that are not."""

    is_used: bool

    def __call__(self, what: str, at: str, edit: Edit, *, breaks: bool = True) -> SchemaChange:
        """A change that breaks whoever uses the part, unless ``breaks`` says otherwise."""
        word = "used" if self.is_used else "unused"
        return SchemaChange(f"{what}, {word}: {at}", at, edit, breaks and self.is_used, breaks)


def all_changes() -> list[SchemaChange]:
    """All changes; each leaves a valid schema. What is used is taken from the operations as they are today."""
    schema = build_schema(known_sdl())
    usage = IndependentUsage(schema, all_operations())
    makers = (_of_outputs, _of_arguments, _of_inputs, _of_types, _of_abstract_types, _of_enums)
    return [change for make in makers for change in make(schema, usage)]


def _outputs(schema: GraphQLSchema) -> Iterator[tuple[str, GraphQLField]]:
    """Fields of objects that no interface asks for, so that they can change alone."""
    for owner in schema.type_map.values():
        if isinstance(owner, GraphQLObjectType) and not owner.name.startswith("__"):
            bound = {name for each in owner.interfaces for name in each.fields}
            for name, field in owner.fields.items():
                if name not in bound:
                    yield f"{owner.name}.{name}", field


def _pick(found: Sequence[str], count: int = 1) -> list[str]:
    """A few of them, spread over all."""
    if not found:
        return []
    return [found[(2 * index + 1) * len(found) // (2 * count)] for index in range(min(count, len(found)))]


def _is_leaf(schema: GraphQLSchema, written: str) -> bool:
    return not hasattr(schema.type_map[base_name(written)], "fields")


def _is_alone(schema: GraphQLSchema, coordinate: str) -> bool:
    """Whether a type has no other field, so that it would be left with none."""
    owner = schema.type_map[coordinate.partition(".")[0]]
    return isinstance(owner, GraphQLObjectType | GraphQLInputObjectType) and len(owner.fields) == 1


def _is_all_of_another(schema: GraphQLSchema, name: str) -> bool:
    """Whether a type has no fields but those of this one, so that it would be left with none."""
    return any(
        {base_name(type_of(field)) for field in each.fields.values()} == {name}
        for each in schema.type_map.values()
        if isinstance(each, GraphQLObjectType)
    )


def _of_outputs(schema: GraphQLSchema, usage: IndependentUsage) -> Iterator[SchemaChange]:
    types = {coordinate: type_of(field) for coordinate, field in _outputs(schema)}
    for is_used in (True, False):
        there = sorted(each for each in types if (each in usage.fields) == is_used)
        leaves = [each for each in there if _is_leaf(schema, types[each])]
        nullable = [each for each in leaves if not types[each].endswith("!")]
        required = [each for each in leaves if types[each].endswith("!")]
        objects = [each for each in there if each not in leaves]
        roots = [each for each in there if each.startswith("Mutation.")]

        made = ChangeMaker(is_used)

        for at in _pick([each for each in leaves if not _is_alone(schema, each)], 2):
            yield made("field removed", at, sdl_edits.remove(at))
        for at in _pick([each for each in objects if not _is_alone(schema, each)]):
            yield made("object field removed", at, sdl_edits.remove(at))
        for at in _pick(roots):
            yield made("mutation removed", at, sdl_edits.remove(at))
        for at in _pick(required):
            yield made("field may be null now", at, sdl_edits.retype(at, types[at][:-1]))
        for at in _pick(nullable):
            yield made(
                "field is never null now",
                at,
                sdl_edits.retype(at, f"{types[at]}!"),
                breaks=False,
            )
        for at in _pick(nullable):
            other = OTHER_LEAF.get(base_name(types[at]), "Int")
            yield made("field has another scalar", at, sdl_edits.retype(at, other))
        for at in _pick(leaves[1:]):
            yield made("field is a list now", at, sdl_edits.retype(at, f"[{types[at]}]"))
        for at in _pick(objects[1:]):
            yield made("object field is a scalar now", at, sdl_edits.retype(at, "String"))
        for at in _pick(leaves[2:]):
            yield made("scalar field is an object now", at, sdl_edits.retype(at, "PageInfo"))
        for at in _pick(leaves[3:]):
            yield made("field deprecated", at, sdl_edits.deprecate(at), breaks=False)
        for at in _pick(objects[2:]):
            yield made(
                "field beside it added",
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
        # Of a field that is not asked for at all; of one that is, an argument may still be left out.
        left_out = sorted(
            at
            for at in optional
            if at not in usage.arguments and (at.partition("(")[0] in usage.fields) == is_used
        )
        fields = sorted({at for at, _ in _outputs(schema) if (at in usage.fields) == is_used})

        made = ChangeMaker(is_used)

        for at in _pick(passed):
            yield made("argument removed", at, sdl_edits.remove(at))
        for at in _pick([each for each in passed if base_name(given[each]) != "ID"]):
            yield made("argument has another type", at, sdl_edits.retype(at, "[[Boolean]]"))
        for at in _pick([each for each in passed if given[each].endswith("!")]):
            yield made(
                "argument may be left out now",
                at,
                sdl_edits.retype(at, given[at][:-1]),
                breaks=False,
            )
        for at in _pick(left_out):
            yield made("argument must be given now", at, sdl_edits.retype(at, f"{given[at]}!"))
        for at in _pick([each for each in left_out if given[each] in {"Int", "String", "Boolean"}]):
            value = {"Int": "1", "String": '"x"', "Boolean": "true"}[given[at]]
            with_default = sdl_edits.require_with_default(at, f"{given[at]}!", value)
            yield SchemaChange(
                f"argument must be given now, with a default, {word}: {at}", at, with_default, False, True
            )
            yield made(
                "argument got a default",
                at,
                sdl_edits.set_default(at, value),
                breaks=False,
            )
        for at in _pick(fields, 2):
            yield made("required argument added", at, sdl_edits.add_argument(at, "brandNew: Int!"))
        for at in _pick(fields[1:]):
            yield made(
                "required argument with a default added",
                at,
                sdl_edits.add_argument(at, "brandNew: Int! = 1"),
                breaks=False,
            )
        for at in _pick(fields[2:]):
            yield made(
                "optional argument added",
                at,
                sdl_edits.add_argument(at, "brandNew: Int"),
                breaks=False,
            )
    non_null = NonNullArguments(schema, all_operations())
    for at in _pick(sorted(at for at in optional if at in usage.arguments and non_null.is_always_given(at))):
        yield SchemaChange(
            f"argument must be given now, and is: {at}",
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
        # Of an input type that is sent, a field that is not filled is left out.
        left_out = [
            at
            for at in optional
            if at not in usage.input_fields and (at.partition(".")[0] in usage.input_types) == is_used
        ]

        made = ChangeMaker(is_used)

        for at in _pick([each for each in filled if not _is_alone(schema, each)], 2):
            yield made("input field removed", at, sdl_edits.remove(at))
        for at in _pick(filled[1:]):
            yield made("input field has another type", at, sdl_edits.retype(at, "[[Boolean]]"))
        for at in _pick([each for each in filled if types[each].endswith("!")]):
            yield made(
                "input field may be left out now",
                at,
                sdl_edits.retype(at, types[at][:-1]),
                breaks=False,
            )
        for at in _pick(left_out):
            yield made("input field must be given now", at, sdl_edits.retype(at, f"{types[at]}!"))
        for at in _pick([each for each in left_out if types[each] == "String"]):
            with_default = sdl_edits.require_with_default(at, "String!", '"x"')
            yield SchemaChange(
                f"input field must be given now, with a default, {word}: {at}", at, with_default, False, False
            )
        for at in _pick(owners):
            yield made("required input field added", at, sdl_edits.add_field(at, "brandNew: Int!"))
        for at in _pick(owners):
            yield made(
                "required input field with a default added",
                at,
                sdl_edits.add_field(at, "brandNew: Int! = 1"),
                breaks=False,
            )
            yield made(
                "optional input field added",
                at,
                sdl_edits.add_field(at, "brandNew: Int"),
                breaks=False,
            )
            yield made("input type removed", at, sdl_edits.remove_type(at))
    for at in _pick(sorted(usage.variable_types)):
        yield ChangeMaker(is_used=True)("input type renamed", at, sdl_edits.rename_type(at, f"Other{at}"))
    for at in _pick(sorted(usage.input_types - usage.variable_types)):
        # Values that are written out do not name their type.
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
            and not _is_alone(schema, each)
        ]
    ):
        yield SchemaChange(
            f"input field removed that nobody fills, of a type that is sent: {at}",
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
        made = ChangeMaker(is_used)

        there = [name for name in objects if (name in usage.types) == is_used]
        for at in _pick(there):
            if not _is_all_of_another(schema, at):
                yield made("type removed", at, sdl_edits.remove_type(at))
        for at in _pick(there[1:]):
            yield made("type renamed", at, sdl_edits.rename_type(at, f"Other{at}"))
        for at in _pick(there[2:]):
            yield made("object is a scalar now", at, sdl_edits.replace_type(at, f"scalar {at}"))
    yield SchemaChange("type added", "BrandNew", sdl_edits.add_type("type BrandNew { a: Int }"), False, False)
    yield SchemaChange("nothing changed", "Query", sdl_edits.no_edit, False, False)


def _of_abstract_types(_schema: GraphQLSchema, _usage: IndependentUsage) -> Iterator[SchemaChange]:
    yield SchemaChange(
        "union member left, used", "Initiator", sdl_edits.remove_member("User", "Initiator"), True, True
    )
    yield SchemaChange(
        "union member joined, used", "Initiator", sdl_edits.add_new_member("Initiator"), False, False
    )
    yield SchemaChange(
        "interface left, used",
        "ArtifactCollection",
        sdl_edits.remove_member("ArtifactPortfolio", "ArtifactCollection"),
        True,
        True,
    )
    yield SchemaChange("interface left, unused", "Node", sdl_edits.remove_member("Run", "Node"), False, True)


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
