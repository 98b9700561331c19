"""Checks of an operation's variables against their declared types, before it is sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from pydantic import BaseModel

from runql.values import checked_json, refuse_surrogates
from runql_graphql.base_model import UNSET
from runql_graphql.operation import Operation

_DECLARATION: Final = re.compile(r"\$(\w+)\s*:\s*(\[*)\s*(\w+)")
_STRINGS: Final = frozenset({"String", "ID", "JSONString", "DateTime"})
_LARGEST: Final[Mapping[str, int]] = {"Int": 2**31 - 1, "Int64": 2**63 - 1}


def check_variables(operation: Operation[Any]) -> None:  # Any: checking does not depend on the result's type
    """Refuse a variable that is not of its declared type, or that JSON or UTF-8 cannot hold.

    Every value of a caller passes this check, so that no encoder's error reaches the caller.

    Raises:
        TypeError: a variable has another type.
        ValueError: a variable is too large, or cannot be encoded.
    """
    declared = _declared(operation.document)
    for name, value in operation.variables.items():
        if value is not None and value is not UNSET:
            depth, kind = declared.get(name, (0, ""))
            _check(f"{name} of {operation.name}", value, depth, kind)


@lru_cache(maxsize=128)
def _declared(document: str) -> dict[str, tuple[int, str]]:
    """Return the depth of lists and the scalar or input type of each variable."""
    head, _, _ = document.partition("{")
    return {name: (len(lists), kind) for name, lists, kind in _DECLARATION.findall(head)}


def _check(name: str, value: object, depth: int, kind: str) -> None:
    if depth:
        if not isinstance(value, (list, tuple)):
            raise TypeError(f"{name} must be a list, not {type(value).__name__}")
        members: list[object] = [*value]
        for member in members:
            if member is not None:
                _check(name, member, depth - 1, kind)
    elif kind in _STRINGS:
        if not isinstance(value, str):
            raise TypeError(f"{name} must be a str, not {type(value).__name__}")
        refuse_surrogates(value, name)
    elif kind in _LARGEST:
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"{name} must be an int, not {type(value).__name__}")
        if abs(value) > _LARGEST[kind]:
            raise ValueError(f"{name} must be between -{_LARGEST[kind]} and {_LARGEST[kind]}")
    elif kind == "Boolean":
        if not isinstance(value, bool):
            raise TypeError(f"{name} must be a bool, not {type(value).__name__}")
    else:
        checked_json(value, name, default=dump_input_object)


def dump_input_object(value: object) -> object:
    """Return the JSON object of a GraphQL input object, for the `default` of a JSON encoder."""
    if isinstance(value, BaseModel):
        return value.model_dump(by_alias=True, exclude_unset=True)
    raise TypeError(f"{type(value).__name__} cannot be a GraphQL variable")
