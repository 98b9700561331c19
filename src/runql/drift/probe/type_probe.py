"""A document that is wrong on purpose, so that a server which hides its schema tells the types of what is used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    Undefined,
    is_leaf_type,
)

from runql.drift.operations.type_strings import named_type_of, type_of
from runql.drift.operations.usage import Usage

IMPOSSIBLE_TYPE = "[[[[Boolean]]]]"
"""A type that no argument has: given a variable of it, a server says which type it wants."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of one part of the schema.

    Attributes:
        kind: a field that is selected, one that is filled, whether an input type wants more than it did, or whether an
            enum's values are still taken.
        owner: the type.
        name: the field; empty for a whole type.
        type: of the field as it is known, with list brackets and `!`.
        is_leaf: the field has no selection.
        values: of the enum, those that may be sent.
    """

    kind: str
    owner: str
    name: str = ""
    type: str = ""
    is_leaf: bool = False
    values: tuple[str, ...] = ()

    @property
    def coordinate(self) -> str:
        """The schema coordinate."""
        return f"{self.owner}.{self.name}" if self.name else self.owner


@dataclass(frozen=True, slots=True)
class ProbeLine:
    """What one line asks.

    Attributes:
        question: the question.
        value: of the enum, the value on that line.
        is_control: the line is wrong whatever the schema: that the server says so proves that it read the question.
    """

    question: Question
    value: str = ""
    is_control: bool = False


@dataclass(frozen=True, slots=True)
class TypeProbe:
    """The document, and what each line of it asks, counted from 1."""

    text: str
    lines: Mapping[int, ProbeLine]


def questions_for(known: GraphQLSchema, usage: Usage) -> list[Question]:
    """Everything that the operations use and a server can be made to tell of."""
    questions: list[Question] = []
    for coordinate in usage.parts:
        owner, _, name = coordinate.partition(".")
        described = known.type_map.get(owner)
        if isinstance(described, GraphQLObjectType | GraphQLInterfaceType) and name in described.fields:
            result = described.fields[name]
            is_leaf = is_leaf_type(known.type_map.get(named_type_of(result)))
            questions.append(Question("field", owner, name, type_of(result), is_leaf))
        if isinstance(described, GraphQLInputObjectType) and name in described.fields:
            questions.append(Question("input field", owner, name, type_of(described.fields[name])))
    for name in usage.sent:
        described = known.type_map.get(name)
        if isinstance(described, GraphQLInputObjectType):
            questions.append(Question("required", name))
        if isinstance(described, GraphQLEnumType):
            questions.append(Question("values", name, values=tuple(described.values)))
    return questions


def build_type_probe(known: GraphQLSchema, questions: Sequence[Question], marker: str) -> TypeProbe:
    """Ask all questions at once; nothing in the document can run.

    A leaf is given a selection and an object none: servers name the type of the field when they refuse it. Input fields
    are given a variable of an impossible type, enums a value that cannot exist.
    """
    lines = _ProbeLines()
    for owner, asked in _by_owner(questions, "field"):
        lines.add(f"fragment {marker}_{owner} on {owner} {{")
        for question in asked:
            lines.add(
                f"  {question.name}{f' {{ {marker} }}' if question.is_leaf else ''}", ProbeLine(question)
            )
        lines.add("}")
    for owner, asked in _by_owner(questions, "input field", "required"):
        place = _find_position(known, owner)
        if place is not None:
            _add_input_questions(lines, known, place, asked, marker)
    for owner, asked in _by_owner(questions, "values"):
        lines.add(f"query {marker}_{owner}(")
        lines.add(f"  $control: {owner} = {marker}", ProbeLine(asked[0], is_control=True))
        for value in asked[0].values:
            lines.add(f"  $v{value}: {owner} = {value}", ProbeLine(asked[0], value))
        lines.add(f") {{ {marker} }}")
    # Named in the request: should a server run anything of this, it is nothing.
    lines.add(f"query {marker} {{ {marker} }}")
    return TypeProbe("\n".join(lines.written), lines.asked)


@dataclass(slots=True)
class _ProbeLines:
    written: list[str] = field(default_factory=list[str])
    asked: dict[int, ProbeLine] = field(default_factory=dict[int, ProbeLine])

    def add(self, line: str, asked: ProbeLine | None = None) -> None:
        self.written.append(line)
        if asked is not None:
            self.asked[len(self.written)] = asked


@dataclass(frozen=True, slots=True)
class _InputPosition:
    """Where a value of an input type can stand.

    Attributes:
        root: ``query`` or ``mutation``.
        field: of the root type.
        argument: of the field.
        path: input fields on the way from the argument to the value, each behind what else must be given there.
        is_leaf: the root field has no selection.
    """

    root: str
    field: str
    argument: str
    path: tuple[str, ...]
    is_leaf: bool

    def opened(self, alias: str) -> str:
        """The root field up to the inside of the value."""
        return f"  {alias}: {self.field}({self.argument}: {{" + "".join(f" {name}: {{" for name in self.path)

    @property
    def closed(self) -> str:
        """What comes behind the inside of the value."""
        return f"  }}{' }' * len(self.path)}){'' if self.is_leaf else ' { __typename }'}"


def _add_input_questions(
    lines: _ProbeLines,
    known: GraphQLSchema,
    place: _InputPosition,
    questions: Sequence[Question],
    marker: str,
) -> None:
    owner = questions[0].owner
    required = required_fields(known, owner)
    wanted = {question.name: ProbeLine(question) for question in questions if question.kind == "input field"}
    whole = next((question for question in questions if question.kind == "required"), None)
    lines.add(f"{place.root} {marker}_{owner}($unknown: {IMPOSSIBLE_TYPE}) {{")
    if wanted:
        lines.add(place.opened("filled"))
        for name in dict.fromkeys((*wanted, *required)):
            lines.add(f"    {name}: $unknown", wanted.get(name))
        lines.add(place.closed)
    if whole is not None:
        # What is missing from this one is new among what must be given.
        lines.add(place.opened("needed"), ProbeLine(whole))
        lines.written[-1] += " ".join(f" {name}: $unknown" for name in required)
        lines.add(place.closed)
        lines.add(place.opened("control"), ProbeLine(whole, is_control=True))
        lines.add(f"    {marker}: $unknown", ProbeLine(whole, is_control=True))
        lines.add(place.closed)
    lines.add("}")


def required_fields(schema: GraphQLSchema, name: str) -> list[str]:
    """The fields of an input type that must be given."""
    described = schema.type_map.get(name)
    if not isinstance(described, GraphQLInputObjectType):
        return []
    return [
        name
        for name, each in described.fields.items()
        if type_of(each).endswith("!") and each.default_value is Undefined
    ]


def _by_owner(questions: Iterable[Question], *kinds: str) -> list[tuple[str, list[Question]]]:
    found: dict[str, list[Question]] = {}
    for question in questions:
        if question.kind in kinds:
            found.setdefault(question.owner, []).append(question)
    return list(found.items())


def _find_position(schema: GraphQLSchema, input_type: str) -> _InputPosition | None:
    """The nearest place for a value of an input type, None where no root field takes one."""
    waiting = [(place, name) for place, name in _root_inputs(schema)]
    seen: set[str] = set()
    for place, name in waiting:
        if name == input_type:
            return place
        described = schema.type_map.get(name)
        if name in seen or not isinstance(described, GraphQLInputObjectType):
            continue
        seen.add(name)
        waiting += [
            (
                _InputPosition(
                    place.root,
                    place.field,
                    place.argument,
                    (*place.path, _required_siblings(schema, name, inner) + inner),
                    place.is_leaf,
                ),
                named_type_of(each),
            )
            for inner, each in described.fields.items()
        ]
    return None


def _required_siblings(schema: GraphQLSchema, owner: str, name: str) -> str:
    return "".join(f"{each}: $unknown " for each in required_fields(schema, owner) if each != name)


def _root_inputs(schema: GraphQLSchema) -> Iterator[tuple[_InputPosition, str]]:
    for root, described in (("query", schema.query_type), ("mutation", schema.mutation_type)):
        for name, each in described.fields.items() if described else ():
            is_leaf = is_leaf_type(schema.type_map.get(named_type_of(each)))
            for argument, given in each.args.items():
                yield _InputPosition(root, name, argument, (), is_leaf), named_type_of(given)
