"""The public surface, walked: the members of a class, their signatures, and annotations written as texts."""

from __future__ import annotations

import dataclasses
import inspect
import types
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import (
    Any,
    ForwardRef,
    Literal,
    Union,
    get_origin,
    get_overloads,
    get_type_hints,
)

import pandas as pd
import polars as pl
import pyarrow as pa
from typing_extensions import is_protocol

import runql
from runql.resources.history.plan import Match
from runql.resources.history.sampled import Row, Stream
from runql.resources.runs.histories.formats import SampleFormat, ScanFormat
from runql.resources.sweeps.page_sweeps import PageSweeps

Kind = Literal["method", "classmethod", "property"]
Function = Callable[..., object]

# What modules import for type checkers only, and the alias that spells itself in quotes.
NAMES = {
    "pd": pd,
    "pl": pl,
    "pa": pa,
    "Match": Match,
    "PageSweeps": PageSweeps,
    "Row": Row,
    "SampleFormat": SampleFormat,
    "ScanFormat": ScanFormat,
    "Stream": Stream,
    **{name: getattr(runql, name) for name in runql.__all__},
}


@dataclasses.dataclass(frozen=True)
class Member:
    """One member of a class, as it is written there or in the nearest base of ours.

    Attributes:
        owner: the class that writes it.
        name: its name.
        kind: how it is reached.
        function: what is called in the end.
    """

    owner: type
    name: str
    kind: Kind
    function: Function

    @property
    def doc(self) -> str:
        """Its own docstring; one that a base class has does not count."""
        return self.function.__doc__ or ""

    @property
    def returns(self) -> str:
        """The annotation of what it gives; of a coroutine function, what awaiting it gives."""
        return written(hints_of(self.function).get("return", types.NoneType))

    @property
    def parameters(self) -> list[str]:
        """Each parameter as a text: kind, name, annotation, default; without `self` and `cls`."""
        return parameters_of(self.function)

    @property
    def overloads(self) -> list[tuple[list[str], str]]:
        """Parameters and return annotation of each overload."""
        return [
            (parameters_of(each), written(hints_of(each).get("return", types.NoneType)))
            for each in get_overloads(self.function)
        ]


def public_classes() -> list[type]:
    """The classes that `runql` exports."""
    exported = (getattr(runql, name) for name in runql.__all__)
    return [each for each in exported if inspect.isclass(each)]


def bases_of_ours(owner: type) -> list[type]:
    """The class and its bases that runql writes, in the order in which members are looked up."""
    return [base for base in owner.__mro__ if base.__module__.split(".")[0] == "runql"]


def members_of(owner: type, *, special: bool = False) -> dict[str, Member]:
    """The members written by us: public ones, and with ``special`` the double-underscored functions too."""
    found: dict[str, Member] = {}
    for base in bases_of_ours(owner):
        for name, value in vars(base).items():
            member = _member(base, name, value)
            wanted = not name.startswith("_") or (special and _is_special(base, name))
            if member is not None and wanted and name not in found:
                found[name] = member
    return found


def hints_of(function: Function) -> dict[str, Any]:  # Any: an annotation has no type of its own
    """The annotations, resolved."""
    return get_type_hints(function, localns=dict(NAMES))


def parameters_of(function: Function) -> list[str]:
    """See `Member.parameters`."""
    hints = hints_of(function)
    parameters = list(inspect.signature(function).parameters.values())
    return [
        f"{parameter.kind.name} {parameter.name}: {written(hints.get(parameter.name))} = {parameter.default!r}"
        for parameter in parameters
        if parameter.name not in {"self", "cls"}
    ]


def written(hint: object) -> str:
    """An annotation as a text, with every class under its bare name."""
    if isinstance(hint, str):
        return hint
    if isinstance(hint, ForwardRef):
        return hint.__forward_arg__
    origin, arguments = get_origin(hint), arguments_of(hint)
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, arguments))}]"
    if origin is Union or origin is types.UnionType:
        return " | ".join(written(each) for each in arguments)
    named = origin or hint
    name = str(getattr(named, "__name__", named))
    return f"{name}[{', '.join(written(each) for each in arguments)}]" if arguments else name


def classes_in(hint: object) -> Iterator[type]:
    """Every class that an annotation is made of."""
    if get_origin(hint) is Literal:
        return
    for argument in arguments_of(hint):
        yield from classes_in(argument)
    named: object = get_origin(hint) or hint
    if isinstance(named, type):
        yield named


def arguments_of(hint: object) -> tuple[object, ...]:
    """What stands in an annotation's brackets; a callable's parameters and result in one row."""
    arguments: tuple[object, ...] = getattr(hint, "__args__", ())
    return arguments


def _is_special(owner: type, name: str) -> bool:
    # In this order: a dataclass, once looked for, narrows the type of what is not one.
    is_generated = is_protocol(owner) or dataclasses.is_dataclass(owner)
    return name.startswith("__") and name.endswith("__") and not is_generated


def _member(owner: type, name: str, value: object) -> Member | None:
    if isinstance(value, property) and value.fget is not None:
        return Member(owner, name, "property", value.fget)
    if isinstance(value, cached_property):
        return Member(owner, name, "property", value.func)
    if isinstance(value, classmethod):
        function = getattr(owner, name).__func__
        return Member(owner, name, "classmethod", function)
    if inspect.isfunction(value):
        return Member(owner, name, "method", value)
    return None
