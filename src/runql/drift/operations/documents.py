"""The operations to check: those of runql, and those in a user's `.graphql` files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias

from graphql import (
    DefinitionNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    OperationDefinitionNode,
    Visitor,
    parse,
    visit,
)

from runql.drift.operations.senders import senders_of
from runql.errors import DriftInputError
from runql_graphql import operations

Kind: TypeAlias = Literal["query", "mutation", "subscription", "fragment"]
SUFFIXES = (".graphql", ".gql")


@dataclass(frozen=True, slots=True)
class Definition:
    """One operation or fragment.

    Attributes:
        name: unique among all that are checked together.
        kind: query, mutation, subscription or fragment.
        text: the GraphQL source.
        spreads: names of the fragments that it spreads directly.
        written_name: the name in the file; empty for an anonymous operation.
        path: the file; None for runql's own.
        line: first line in the file, counted from 1.
    """

    name: str
    kind: Kind
    text: str
    spreads: frozenset[str]
    written_name: str
    path: Path | None = None
    line: int = 1


@dataclass(frozen=True, slots=True)
class CheckedOperation:
    """An operation with the fragments that it needs.

    Attributes:
        definition: the operation itself.
        fragments: the fragments that it spreads, directly or not, each once.
        methods: members of runql's classes that send it, such as ``Run.load``; empty for a user's operation.
    """

    definition: Definition
    fragments: tuple[Definition, ...]
    methods: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the operation."""
        return self.definition.name

    @property
    def is_ours(self) -> bool:
        """Whether runql sends it."""
        return self.definition.path is None


@dataclass(slots=True)
class _UniqueNames:
    """Names that are in use, each with its source: different definitions never share a name."""

    used: dict[str, str] = field(default_factory=dict[str, str])

    def claim(self, wanted: str, source: str) -> str:
        name, number = wanted, 1
        while self.used.get(name, source) != source:
            number += 1
            name = f"{wanted}_{number}"
        self.used[name] = source
        return name


def own_operations() -> list[CheckedOperation]:
    """Return every operation that runql sends."""
    sources = sorted(
        source for name, source in vars(operations).items() if name.isupper() and isinstance(source, str)
    )
    documents = [
        _with_fragments(_parse_source(source, None, _UniqueNames()).definitions) for source in sources
    ]
    return [
        replace(operation, methods=senders_of(operation.name))
        for document in documents
        for operation in document
    ]


def user_operations(path: Path, beside: Sequence[CheckedOperation] = ()) -> list[CheckedOperation]:
    """Read the operations in a file, or in all `.graphql` and `.gql` files below a folder.

    The files share their fragments.

    Args:
        path: the file or folder.
        beside: operations to check together with them; a name that is already used there gets a number.

    Raises:
        DriftInputError: the path does not exist, holds no operation, or a file is not GraphQL.
    """
    names = _UniqueNames()
    for operation in beside:
        for each in (operation.definition, *operation.fragments):
            names.claim(each.name, each.text)
    files = [_parse_source(_read_file(file), file, names) for file in _files(path)]
    shared = {old: new for file in files for old, new in file.fragments.items()}
    # A file's own fragment takes precedence over one of the same name in another file.
    found = _with_fragments(
        [_rename_spreads(each, shared | file.fragments) for file in files for each in file.definitions]
    )
    if not found:
        raise DriftInputError(f"{path} holds no operation: --queries takes {' and '.join(SUFFIXES)} files")
    return found


def operations_by_definition(operations: Iterable[CheckedOperation]) -> dict[str, list[CheckedOperation]]:
    """Return the operations that need a definition, by the name of the definition."""
    needed: dict[str, list[CheckedOperation]] = {}
    for operation in operations:
        for each in (operation.definition, *operation.fragments):
            needed.setdefault(each.name, []).append(operation)
    return needed


def definitions_of(operations: Iterable[CheckedOperation]) -> list[Definition]:
    """Return every definition that the operations need, each once, fragments first."""
    fragments: dict[str, Definition] = {}
    roots: dict[str, Definition] = {}
    for operation in operations:
        fragments.update({each.name: each for each in operation.fragments})
        roots[operation.name] = operation.definition
    return [*fragments.values(), *roots.values()]


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(each for each in path.rglob("*") if each.suffix in SUFFIXES and each.is_file())
    if not path.exists():
        raise DriftInputError(f"{path} does not exist")
    return [path]


@dataclass(frozen=True, slots=True)
class _ParsedFile:
    """The definitions of one file, and the unique name of each fragment by its written name."""

    definitions: list[Definition]
    fragments: dict[str, str]


def _read_file(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DriftInputError(f"{file} cannot be read: {error}") from error


def _parse_source(source: str, path: Path | None, names: _UniqueNames) -> _ParsedFile:
    try:
        document = parse(source)
    except GraphQLError as error:
        line = error.locations[0].line if error.locations else 1
        raise DriftInputError(f"{path}:{line}: {error.message}") from error
    definitions = [_definition(node, source, path, names) for node in document.definitions]
    return _ParsedFile(
        definitions, {each.written_name: each.name for each in definitions if each.kind == "fragment"}
    )


def _definition(node: DefinitionNode, source: str, path: Path | None, names: _UniqueNames) -> Definition:
    if not isinstance(node, OperationDefinitionNode | FragmentDefinitionNode) or node.loc is None:
        line = node.loc.start_token.line if node.loc else 1
        raise DriftInputError(f"{path}:{line}: neither an operation nor a fragment")
    own = source[node.loc.start : node.loc.end]
    written = node.name.value if node.name else ""
    kind: Kind = "fragment" if isinstance(node, FragmentDefinitionNode) else node.operation.value
    name = names.claim(written or "Anonymous", own)
    if name != written:
        own = _rename(node, own, name)
    return Definition(
        name=name,
        kind=kind,
        text=own,
        spreads=frozenset(_spreads(node)),
        written_name=written,
        path=path,
        line=node.loc.start_token.line,
    )


def _rename(node: OperationDefinitionNode | FragmentDefinitionNode, source: str, name: str) -> str:
    if node.loc is None or (node.name is not None and node.name.loc is None):
        raise TypeError("the document was parsed without locations")
    if node.name is not None and node.name.loc is not None:
        start, end = node.name.loc.start - node.loc.start, node.name.loc.end - node.loc.start
        return f"{source[:start]}{name}{source[end:]}"
    # The short form `{ … }` has no keyword.
    keyword = re.match(r"\w*", source)
    written = keyword[0] if keyword else ""
    return f"{written or 'query'} {name} {source[len(written) :]}"


def _rename_spreads(definition: Definition, renamed: Mapping[str, str]) -> Definition:
    """Return the definition with renamed spreads; line numbers stay the same."""
    renamed = {old: new for old, new in renamed.items() if old in definition.spreads and old != new}
    if not renamed:
        return definition
    [node] = parse(definition.text).definitions
    source = definition.text
    spreads_to_rename = [
        (spread.name.loc.start, spread.name.loc.end, renamed[spread.name.value])
        for spread in _spread_nodes(node)
        if spread.name.value in renamed and spread.name.loc is not None
    ]
    for start, end, name in sorted(spreads_to_rename, reverse=True):
        source = f"{source[:start]}{name}{source[end:]}"
    spreads = frozenset(renamed.get(each, each) for each in definition.spreads)
    return replace(definition, text=source, spreads=spreads)


class _SpreadCollector(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[FragmentSpreadNode] = []

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_context: object) -> None:
        self.found.append(node)


def _spread_nodes(node: DefinitionNode) -> list[FragmentSpreadNode]:
    collector = _SpreadCollector()
    visit(node, collector)
    return collector.found


def _spreads(node: DefinitionNode) -> Iterator[str]:
    return (each.name.value for each in _spread_nodes(node))


def _with_fragments(definitions: Sequence[Definition]) -> list[CheckedOperation]:
    fragments = {each.name: each for each in definitions if each.kind == "fragment"}
    return [
        CheckedOperation(each, tuple(_needed(each, fragments)))
        for each in definitions
        if each.kind != "fragment"
    ]


def _needed(root: Definition, fragments: Mapping[str, Definition]) -> list[Definition]:
    needed: dict[str, Definition] = {}
    waiting = sorted(root.spreads)
    while waiting:
        name = waiting.pop(0)
        if name in needed:
            continue
        if name not in fragments:
            where = f"{root.path}:{root.line}" if root.path else "runql"
            raise DriftInputError(f"{where}: the fragment {name} is defined nowhere")
        needed[name] = fragments[name]
        waiting += sorted(fragments[name].spreads)
    return list(needed.values())
