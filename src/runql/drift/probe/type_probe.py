"""Build a type probe: an invalid document, so that the errors of the server name the types of the parts in use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

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
"""A type that no argument has. A server that receives a variable of it names the expected type."""

QuestionKind: TypeAlias = Literal["field", "input field", "required", "values"]


@dataclass(frozen=True, slots=True)
class Question:
    """A question about one part of the schema.

    Attributes:
        kind: the type of a field, the type of an input field, the required fields of an input type, or an enum's values.
        owner: name of the type.
        name: name of the field; empty for a whole type.
        type: the known type of the field, with list brackets and `!`.
        is_leaf: whether the field has no selection.
        values: the known values of the enum.
    """

    kind: QuestionKind
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
    """One line of a type probe.

    Attributes:
        question: the question that its error answers.
        value: the enum value on the line.
        is_control: whether the line is invalid in every schema: its error proves that the server has validated it.
    """

    question: Question
    value: str = ""
    is_control: bool = False


@dataclass(frozen=True, slots=True)
class TypeProbe:
    """An invalid document, with the question of each line.

    Attributes:
        source: the GraphQL source.
        lines: by number, counted from 1.
        named: by a name that only this line has: of a variable, of a value, of an input field with its type.
        marked: by the marker that precedes the line, in order; empty if the document is not numbered.
        marker: the field that ends the document.
        questions: how many it asks.
    """

    source: str
    lines: Mapping[int, ProbeLine]
    named: Mapping[str, ProbeLine]
    marked: Mapping[str, ProbeLine]
    marker: str
    questions: int


def questions_for(known: GraphQLSchema, usage: Usage) -> list[Question]:
    """Return the questions about all parts in use that a server's errors can answer.

    The first is about ``__typename``, which has the same type everywhere: its response tells how the server writes types.
    """
    questions: list[Question] = []
    if known.query_type is not None:
        questions.append(Question("field", known.query_type.name, "__typename", "String!", is_leaf=True))
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


def build_type_probe(
    known: GraphQLSchema, questions: Sequence[Question], marker: str, *, is_numbered: bool = False
) -> TypeProbe:
    """Build one document that asks all questions and that no server can run.

    Leaves get a selection and objects get none, so that the error names the type of the field. Input fields get a
    variable of an impossible type, enums get an unknown value.

    Args:
        known: the schema that the questions are about.
        questions: what to ask.
        marker: a field that no schema has.
        is_numbered: precede each field by a marker of its own. Such a document suits servers that report errors in
            document order but without locations: the message about a field does not name the type it belongs to.
    """
    lines = _ProbeLines()
    for owner, asked in _by_owner(questions, "field"):
        lines.add(f"fragment {marker}_{owner} on {owner} {{")
        for question in asked:
            if is_numbered:
                lines.mark(f"{marker}_{len(lines.marked)}", ProbeLine(question))
            lines.add(
                f"  {question.name}{f' {{ {marker}_leaf }}' if question.is_leaf else ''}",
                ProbeLine(question),
                question.coordinate,
            )
        if is_numbered:
            lines.add(f"  {marker}_end")
        lines.add("}")
    for owner, asked in _by_owner(questions, "input field", "required"):
        position = _find_position(known, owner)
        if position is not None:
            _add_input_questions(lines, known, position, asked, marker, is_numbered=is_numbered)
    for owner, asked in _by_owner(questions, "values"):
        lines.add(f"query {marker}_{owner}(")
        lines.add(
            f"  $control: {owner} = {marker}", ProbeLine(asked[0], is_control=True), f"{owner}.{marker}"
        )
        for value in asked[0].values:
            lines.add(f"  $v{value}: {owner} = {value}", ProbeLine(asked[0], value), f"{owner}.{value}")
        lines.add(f") {{ {marker}_{owner} }}")
    # Nothing else selects this marker, so its error proves that the server came to the end. The request names this
    # operation: a server that does not validate would run only this harmless one.
    lines.add(f"query {marker} {{ {marker} }}")
    return TypeProbe(
        "\n".join(lines.written), lines.by_number, lines.by_name, lines.marked, marker, len(questions)
    )


@dataclass(slots=True)
class _ProbeLines:
    written: list[str] = field(default_factory=list[str])
    by_number: dict[int, ProbeLine] = field(default_factory=dict[int, ProbeLine])
    by_name: dict[str, ProbeLine] = field(default_factory=dict[str, ProbeLine])
    marked: dict[str, ProbeLine] = field(default_factory=dict[str, ProbeLine])

    def add(self, line: str, probe_line: ProbeLine | None = None, *names: str) -> None:
        self.written.append(line)
        if probe_line is not None:
            self.by_number[len(self.written)] = probe_line
            self.by_name |= dict.fromkeys(names, probe_line)

    def mark(self, marker: str, probe_line: ProbeLine) -> None:
        """Add a marker whose error announces those of the next line."""
        self.written.append(f"  {marker}")
        self.marked[marker] = probe_line


@dataclass(frozen=True, slots=True)
class _InputPosition:
    """A position in a document that takes a value of an input type.

    Attributes:
        root: ``query`` or ``mutation``.
        field: field of the root type.
        argument: argument of the field.
        path: input fields from the argument to the value, each preceded by its required siblings.
        is_leaf: whether the root field has no selection.
    """

    root: str
    field: str
    argument: str
    path: tuple[str, ...]
    is_leaf: bool

    def opening(self, alias: str) -> str:
        """Return the source from the root field to the opening brace of the value."""
        return f"  {alias}: {self.field}({self.argument}: {{" + "".join(f" {name}: {{" for name in self.path)

    @property
    def closing(self) -> str:
        """The source after the content of the value."""
        return f"  }}{' }' * len(self.path)}){'' if self.is_leaf else ' { __typename }'}"


def _add_input_questions(
    lines: _ProbeLines,
    known: GraphQLSchema,
    position: _InputPosition,
    questions: Sequence[Question],
    marker: str,
    *,
    is_numbered: bool,
) -> None:
    owner = questions[0].owner
    required = required_fields(known, owner)
    wanted = {question.name: ProbeLine(question) for question in questions if question.kind == "input field"}
    whole = next((question for question in questions if question.kind == "required"), None)
    variables = {name: f"$unknown_{owner}_{name}" if is_numbered else "$unknown" for name in wanted}
    declared = " ".join(
        f"{each}: {IMPOSSIBLE_TYPE}" for each in dict.fromkeys(("$unknown", *variables.values()))
    )
    lines.add(f"{position.root} {marker}_{owner}({declared}) {{")
    if wanted:
        lines.add(position.opening("filled"))
        for name in dict.fromkeys((*wanted, *required)):
            variable = variables.get(name, "$unknown")
            own = {variable} - {"$unknown"}
            lines.add(f"    {name}: {variable}", wanted.get(name), f"{owner}.{name}", *own)
        lines.add(position.closing)
    if whole is not None:
        # This value has every known required field: an error for a missing field names a new one.
        lines.add(position.opening("needed"), ProbeLine(whole), owner)
        lines.written[-1] += " ".join(f" {name}: $unknown" for name in required)
        lines.add(position.closing)
        lines.add(position.opening("control"), ProbeLine(whole, is_control=True))
        # The name tells the type by itself: the server may have renamed the type.
        lines.add(f"    {marker}_{owner}: $unknown", ProbeLine(whole, is_control=True), f"{marker}_{owner}")
        lines.add(position.closing)
    lines.add("}")


def required_fields(schema: GraphQLSchema, name: str) -> list[str]:
    """Return the required fields of an input type."""
    described = schema.type_map.get(name)
    if not isinstance(described, GraphQLInputObjectType):
        return []
    return [
        name
        for name, each in described.fields.items()
        if type_of(each).endswith("!") and each.default_value is Undefined
    ]


def _by_owner(questions: Iterable[Question], *kinds: QuestionKind) -> list[tuple[str, list[Question]]]:
    found: dict[str, list[Question]] = {}
    for question in questions:
        if question.kind in kinds:
            found.setdefault(question.owner, []).append(question)
    return list(found.items())


def _find_position(schema: GraphQLSchema, input_type: str) -> _InputPosition | None:
    """Return the nearest position for a value of an input type, None if no root field takes one."""
    waiting = [(position, name) for position, name in _root_positions(schema)]
    seen: set[str] = set()
    for position, name in waiting:
        if name == input_type:
            return position
        described = schema.type_map.get(name)
        if name in seen or not isinstance(described, GraphQLInputObjectType):
            continue
        seen.add(name)
        waiting += [
            (
                _InputPosition(
                    position.root,
                    position.field,
                    position.argument,
                    (*position.path, _required_siblings(schema, name, inner) + inner),
                    position.is_leaf,
                ),
                named_type_of(each),
            )
            for inner, each in described.fields.items()
        ]
    return None


def _required_siblings(schema: GraphQLSchema, owner: str, name: str) -> str:
    return "".join(f"{each}: $unknown " for each in required_fields(schema, owner) if each != name)


def _root_positions(schema: GraphQLSchema) -> Iterator[tuple[_InputPosition, str]]:
    for root, described in (("query", schema.query_type), ("mutation", schema.mutation_type)):
        for name, each in described.fields.items() if described else ():
            is_leaf = is_leaf_type(schema.type_map.get(named_type_of(each)))
            for argument, given in each.args.items():
                yield _InputPosition(root, name, argument, (), is_leaf), named_type_of(given)
