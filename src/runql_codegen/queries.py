"""The user's queries: reading them, and finding what does not fit the schema, by file, line and column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ariadne_codegen.utils import str_to_snake_case
from graphql import (
    DocumentNode,
    ExecutableDefinitionNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    Node,
    NoUnusedFragmentsRule,
    OperationDefinitionNode,
    Source,
    get_location,
    parse,
    specified_rules,
    validate,
)

from runql.drift.operations.documents import SUFFIXES
from runql_codegen.settings import CodegenError, CodegenSettings

RULES: Final = [rule for rule in specified_rules if rule is not NoUnusedFragmentsRule]
RESERVED: Final = frozenset(
    {"base_model", "enums", "fragments", "input_types", "operation", "operations", "runql"}
)
"""Modules that each generated package has, and a name that it imports."""
MOST_PROBLEMS: Final = 20


@dataclass(frozen=True, slots=True)
class Queries:
    """The definitions in the files of a project.

    Attributes:
        files: the content of each file, by its path in the project.
        document: all definitions, each with its place in its file.
    """

    files: dict[str, str]
    document: DocumentNode

    @property
    def fragments(self) -> set[str]:
        """The names of the fragments."""
        return {
            each.name.value for each in self.document.definitions if isinstance(each, FragmentDefinitionNode)
        }

    @property
    def operations(self) -> list[OperationDefinitionNode]:
        """The queries and mutations."""
        return [each for each in self.document.definitions if isinstance(each, OperationDefinitionNode)]


def read_queries(settings: CodegenSettings) -> Queries:
    """Read the files of the queries folder.

    Raises:
        CodegenError: there is no operation, or a file cannot be read.
    """
    folder = settings.queries
    name = settings.shown(folder)
    if not folder.exists():
        raise CodegenError(
            f"{name} does not exist: write your queries there, or change queries in pyproject.toml"
        )
    paths = (
        sorted(each for each in folder.rglob("*") if each.suffix in SUFFIXES and each.is_file())
        if folder.is_dir()
        else [folder]
    )
    files: dict[str, str] = {}
    definitions: list[ExecutableDefinitionNode] = []
    for path in paths:
        shown = settings.shown(path)
        files[shown] = _read(path, shown)
        definitions += _parsed(files[shown], shown)
    found = Queries(files, DocumentNode(definitions=tuple(definitions)))
    if not found.operations:
        raise CodegenError(f"{name} holds no query: write one into a {' or '.join(SUFFIXES)} file there")
    return found


def check_queries(queries: Queries, schema: GraphQLSchema) -> None:
    """Refuse queries that the schema does not allow, and those that no function can be made of.

    Raises:
        CodegenError: one line for each problem, with file, line and column.
    """
    problems = [*_unusable(queries.operations)]
    for error in validate(schema, queries.document, RULES):
        node = error.nodes[0] if error.nodes else None
        problems.append(f"{place(node)}: {error.message}" if node else error.message)
    if problems:
        more = len(problems) - MOST_PROBLEMS
        rest = [f"and {more} more"] if more > 0 else []
        raise CodegenError("\n".join([*problems[:MOST_PROBLEMS], *rest]))


def place(node: Node) -> str:
    """Return where a node stands, as ``file:line:column``."""
    if node.loc is None:
        raise TypeError("the document was parsed without locations")
    at = get_location(node.loc.source, node.loc.start)
    return f"{node.loc.source.name}:{at.line}:{at.column}"


def _read(path: Path, shown: str) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CodegenError(f"{shown} cannot be read: {error}") from error


def _parsed(content: str, shown: str) -> Iterator[ExecutableDefinitionNode]:
    try:
        document = parse(Source(content, shown))
    except GraphQLError as error:
        at = error.locations[0] if error.locations else None
        where = f"{shown}:{at.line}:{at.column}" if at else shown
        raise CodegenError(f"{where}: {error.message}") from error
    for node in document.definitions:
        if not isinstance(node, OperationDefinitionNode | FragmentDefinitionNode):
            raise CodegenError(
                f"{place(node)}: neither an operation nor a fragment: a schema has its own setting"
            )
        yield node


def _unusable(operations: Sequence[OperationDefinitionNode]) -> Iterator[str]:
    modules: dict[str, str] = {}
    for each in operations:
        if each.name is None:
            yield f"{place(each)}: an operation without name: the function is named after it"
            continue
        name, module = each.name.value, str_to_snake_case(each.name.value)
        if each.operation.value == "subscription":
            yield f"{place(each)}: {name} is a subscription: clients execute queries and mutations"
        if module in RESERVED:
            yield f"{place(each)}: {name} would be the module {module}, which each package has: name it otherwise"
        if modules.setdefault(module, name) != name:
            yield f"{place(each)}: {name} and {modules[module]} would be one module, {module}: rename one"
