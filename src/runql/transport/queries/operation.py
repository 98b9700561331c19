"""Operations of users: what one must have, and the checks before it is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final, Literal, Protocol, TypeVar

from pydantic import BaseModel

from runql.quick_dataclasses import dataclass
from runql.transport.flow import Flow, fetch
from runql_graphql.base_model import UNSET
from runql_graphql.operation import Operation

ModelT = TypeVar("ModelT", bound=BaseModel)
ModelT_co = TypeVar("ModelT_co", bound=BaseModel, covariant=True)

AGAIN: Final = (
    "call a function of a package that runql-codegen generated, and generate it again if it is older"
)

_PARTS: Final[Mapping[str, type]] = {
    "name": str,
    "kind": str,
    "document": str,
    "variables": Mapping,
    "result": type,
}
_STRING_OR_COMMENT: Final = re.compile(r'"""(?:\\"""|.)*?"""|"(?:\\.|[^"\\\n])*"|#[^\n]*', re.DOTALL)
_LANDMARK: Final = re.compile(r"[{}]|\b(query|mutation|subscription)\s+(\w+)\s*(\()?")
_DECLARATION: Final = re.compile(r"\$(\w+)\s*:\s*([\[\]\w!\s]+?)\s*(=|@|,|\$|$)")


class SupportsOperation(Protocol[ModelT_co]):
    """An operation that a client can execute. The functions that ``runql-codegen`` generates return one."""

    @property
    def name(self) -> str:
        """The operation's name in ``document``."""
        ...

    @property
    def kind(self) -> Literal["query", "mutation"]:
        """The client repeats a failed query, and no mutation that the server may have received."""
        ...

    @property
    def document(self) -> str:
        """The GraphQL source, with every fragment that it spreads."""
        ...

    @property
    def variables(self) -> Mapping[str, object]:
        """The variables by GraphQL name; a value of ``UNSET`` is not sent."""
        ...

    @property
    def result(self) -> type[ModelT_co]:
        """The pydantic model of the response's ``data``."""
        ...


@dataclass(frozen=True, slots=True)
class DeclaredOperation:
    """What a document says about one of its operations: its kind, and by variable whether it is required."""

    kind: str
    variables: Mapping[str, bool]


def execute_operation(operation: SupportsOperation[ModelT]) -> Flow[ModelT]:
    """Check an operation, send it and return the response's data; see `checked_operation` and `flow.fetch`."""
    return (yield from fetch(checked_operation(operation)))


def checked_operation(operation: SupportsOperation[ModelT]) -> Operation[ModelT]:
    """Return an operation as runql's own class, after checking that its parts fit each other.

    Raises:
        TypeError: a part is absent or has another type.
        ValueError: the document holds no such operation, or declares other variables.
    """
    for part, expected in _PARTS.items():
        _check_part(operation, part, expected)
    name, kind, variables = operation.name, operation.kind, dict(operation.variables)
    if not issubclass(operation.result, BaseModel):  # pyright: ignore[reportUnnecessaryIsInstance] - callers without a type checker pass any class
        raise TypeError(f"result of {name} must be a pydantic model, not {operation.result.__name__}")
    declared = declared_operations(operation.document).get(name)
    if declared is None:
        raise ValueError(f"the document of {name} holds no operation of this name")
    if kind not in ("query", "mutation"):
        raise ValueError(f"{name} must be a query or a mutation, not a {kind}")
    if declared.kind != kind:
        raise ValueError(f"{name} is a {declared.kind} in its document, and its kind is {kind!r}: {AGAIN}")
    if unknown := [each for each in variables if each not in declared.variables]:
        raise ValueError(f"{name} declares no variable {unknown[0]!r}: {AGAIN}")
    for variable, is_required in declared.variables.items():
        if is_required and variables.get(variable, UNSET) in (None, UNSET):
            raise ValueError(f"{name} needs the variable {variable!r}")
    return Operation(operation.name, kind, operation.document, variables, operation.result)


def _check_part(operation: object, part: str, kind: type) -> None:
    # Callers without a type checker pass anything.
    if not hasattr(operation, part):
        raise TypeError(f"this takes an operation, and {type(operation).__name__} has no {part!r}: {AGAIN}")
    value: object = getattr(operation, part)
    if not isinstance(value, kind):
        raise TypeError(f"{part} of an operation must be a {kind.__name__}, not {type(value).__name__}")


@lru_cache(maxsize=128)
def declared_operations(document: str) -> dict[str, DeclaredOperation]:
    """Return the named operations of a document."""
    source = _STRING_OR_COMMENT.sub('""', document)
    found: dict[str, DeclaredOperation] = {}
    depth = 0
    for mark in _LANDMARK.finditer(source):
        if mark[0] in "{}":
            depth += 1 if mark[0] == "{" else -1
        elif depth == 0:
            head = _in_brackets(source[mark.end() :]) if mark[3] else ""
            declarations = _DECLARATION.finditer(head)
            found[mark[2]] = DeclaredOperation(
                mark[1], {each[1]: each[2].endswith("!") and each[3] != "=" for each in declarations}
            )
    return found


def _in_brackets(source: str) -> str:
    """Return what comes before the bracket that closes."""
    depth = 1
    for index, character in enumerate(source):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0:
            return source[:index]
    return source
