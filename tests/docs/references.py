"""Names between backquotes in docstrings and documents: what they refer to, and those that refer to nothing."""

from __future__ import annotations

import ast
import builtins
import inspect
import pkgutil
import re
import types
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Final, NamedTuple, get_args, get_origin, get_type_hints

from graphql import build_schema
from tests.docs.blocks import PAGES, ROOT

import runql
import runql_graphql
import runql_server

PACKAGES: Final = (runql, runql_server, runql_graphql)
SPAN: Final = re.compile(r"``?([^`\n]+)``?")
CROSS_REFERENCE: Final = re.compile(r"\]\[([\w.]+)\]")
RAISED: Final = re.compile(r"^ +([A-Z][\w.]+(?:, [A-Z][\w.]+)*): ", re.MULTILINE)
ERROR_NAME: Final = re.compile(r"[A-Z]\w+(?:Error|Warning)")
VARIABLES: Final = {
    "api": runql.Api,
    "artifact": runql.Artifact,
    "project": runql.Project,
    "run": runql.Run,
    "runs": runql.Runs,
    "sweep": runql.Sweep,
}
"""The names that documents give to objects of public classes."""
FOREIGN: Final = frozenset({"CommError", "ShapeError", "SchemaError"})
"""Errors of other packages, which documents name without their package."""
FOREIGN_WORDS: Final = frozenset({"define_metric", "synchronous", "tzinfo"})
"""A function and keywords of other packages."""
CALL: Final = re.compile(r"\.?([a-z_]\w*)\(")
KEYWORD: Final = re.compile(r"([a-z_]\w*)=(?!=)")
OFFICIAL: Final = ("run.log",)
"""Members of the official SDK's own objects, which documents show beside ours."""


class Missing(NamedTuple):
    """A reference that leads nowhere."""

    place: str
    span: str
    reason: str


class Docstring(NamedTuple):
    """A docstring: where it stands, the names around it, and its content."""

    place: str
    scope: Mapping[str, object]
    content: str


class UnresolvedError(Exception):
    """A name has no such member, or a call no such keyword."""


@cache
def schema_fields() -> frozenset[str]:
    """Read the fields of W&B's schema, such as `displayName`, and their coordinates, such as `Run.displayName`."""
    schema = build_schema((ROOT / "schema" / "wandb.graphql").read_text("utf-8"))
    found: set[str] = set()
    for name, kind in schema.type_map.items():
        fields: Mapping[str, object] = getattr(kind, "fields", {})
        found |= {*fields, *(f"{name}.{field}" for field in fields)}
    return frozenset(found)


@cache
def internal_errors() -> Mapping[str, object]:
    """Find the errors of all modules, for docstrings of functions that let one pass."""
    return {
        name: value
        for module in modules()
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }


@cache
def vocabulary() -> tuple[frozenset[str], frozenset[str]]:
    """Collect the names of all functions and members, and of all parameters."""
    functions: set[str] = {*dir(builtins)}
    parameters: set[str] = set()
    for module in modules():
        for value in [*vars(module).values()]:
            if isinstance(value, types.FunctionType):
                functions.add(value.__name__)
                parameters |= {*inspect.signature(value).parameters}
            elif isinstance(value, type) and value.__module__.startswith("runql"):
                functions |= {*dir(value)}
                parameters |= _parameters(value)
    return frozenset(functions), frozenset(parameters)


def _parameters(cls: type) -> set[str]:
    found: set[str] = {*getattr(cls, "__dataclass_fields__", ())}
    for value in vars(cls).values():
        function = _unwrapped(value)
        if isinstance(function, types.FunctionType):
            found |= {*inspect.signature(function).parameters}
    return found


def modules() -> Iterator[types.ModuleType]:
    """Import every module of the three packages."""
    for package in PACKAGES:
        yield package
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            # Scripts do something when they are imported.
            if not found.name.endswith(("__main__", "_demo_script")):
                yield import_module(found.name)


@cache
def docstrings() -> list[Docstring]:
    """Read every docstring in the source: of modules, classes, functions and attributes."""
    found: list[Docstring] = []
    for module in modules():
        if module.__file__ is None:
            continue
        tree = ast.parse(inspect.getsource(module))
        scope = {**internal_errors(), **vars(module)}
        for node in ast.walk(tree):
            match node:
                case ast.Expr(value=ast.Constant(value=str(content))):
                    found.append(Docstring(f"{module.__name__}:{node.lineno}", scope, content))
                case _:
                    pass
    return found


def documents() -> Iterator[tuple[str, str]]:
    """Read every document without its blocks of code."""
    for page in (*PAGES, "ARCHITECTURE.md", "CONTRIBUTING.md"):
        content = (ROOT / page).read_text("utf-8")
        yield page, re.sub(r"^```.*?^```", "", content, flags=re.DOTALL | re.MULTILINE)


def missing() -> list[Missing]:
    """List the references of all docstrings and documents that lead nowhere."""
    found = [fault for each in docstrings() for fault in check(each.content, each.place, each.scope)]
    for page, content in documents():
        found += check(content, page, {})
    return found


def check(content: str, place: str, scope: Mapping[str, object]) -> Iterator[Missing]:
    """List the references of one piece of prose that lead nowhere; `scope` is what its module knows."""
    for span in SPAN.findall(content):
        try:
            refer(span, scope)
        except UnresolvedError as error:
            yield Missing(place, span, str(error))
    names = CROSS_REFERENCE.findall(content)
    raises = content.partition("Raises:\n")[2].partition("\n\n")[0]
    raised = [name for each in RAISED.findall(raises) for name in each.split(", ")]
    for name in (*names, *raised):
        if _known(name.split(".")[0], scope) is None:
            yield Missing(place, name, f"there is no {name.split('.')[0]}")
            continue
        try:
            refer(name, scope)
        except UnresolvedError as error:
            yield Missing(place, name, str(error))


def refer(span: str, scope: Mapping[str, object] | None = None) -> object:
    """Resolve what a span of code refers to; None if it begins with no name of ours.

    Raises:
        UnresolvedError: it begins with one, and goes on with a member or a keyword that is not there.
    """
    scope = {} if scope is None else scope
    if ERROR_NAME.fullmatch(span) and span not in FOREIGN and _known(span, scope) is None:
        raise UnresolvedError(f"there is no error {span}")
    if span.startswith(OFFICIAL) or span.endswith(".py") or _is_coordinate(span):
        return None
    functions, parameters = vocabulary()
    call, keyword = CALL.match(span), KEYWORD.match(span)
    if call is not None and call[1] not in functions | FOREIGN_WORDS:
        raise UnresolvedError(f"no class has a member {call[1]}")
    if keyword is not None and keyword[1] not in parameters | FOREIGN_WORDS:
        raise UnresolvedError(f"nothing takes {keyword[1]}=")
    try:
        expression = ast.parse(span.strip().replace("…", "..."), mode="eval").body
    except SyntaxError:
        return None
    return _resolve(expression, scope)


def _is_coordinate(span: str) -> bool:
    """Whether the span names a field of W&B's schema: by its type, or in camel case."""
    last = span.rpartition(".")[2]
    return span in schema_fields() or (last in schema_fields() and not last.islower() and last[0].islower())


def _resolve(node: ast.expr, scope: Mapping[str, object]) -> object:
    """What an expression is: a module, a class, a function, an `Instance`, or None where that is open."""
    match node:
        case ast.Name(id=name):
            if name in VARIABLES and name not in scope:
                return Instance(VARIABLES[name])
            return _known(name, scope)
        case ast.Attribute(value=value, attr=attr):
            return _member(_resolve(value, scope), attr)
        case ast.Call(func=function, keywords=keywords):
            called = _resolve(function, scope)
            if called is None:
                return None
            _check_keywords(called, [each.arg for each in keywords if each.arg is not None])
            return _result(called)
        case _:
            return None


class Instance(NamedTuple):
    """An object of a class."""

    of: type


def _known(name: str, scope: Mapping[str, object]) -> object:
    if name in {package.__name__ for package in PACKAGES}:
        return import_module(name)
    if name in runql.__all__:
        return getattr(runql, name)
    found = scope.get(name)
    if isinstance(found, type) and found.__module__.split(".")[0].startswith("runql"):
        return found
    if ERROR_NAME.fullmatch(name):
        return found if found is not None else getattr(builtins, name, None)
    return getattr(builtins, name, None) if isinstance(getattr(builtins, name, None), type) else None


def _member(owner: object, name: str) -> object:
    if owner is None:
        return None
    if isinstance(owner, types.ModuleType):
        if hasattr(owner, name):
            return getattr(owner, name)
        try:
            return import_module(f"{owner.__name__}.{name}")
        except ModuleNotFoundError:
            raise UnresolvedError(f"{owner.__name__} has no {name}") from None
    cls = owner.of if isinstance(owner, Instance) else owner
    if not isinstance(cls, type):
        return None
    for base in cls.__mro__:
        if name in vars(base):
            value: object = vars(base)[name]
            return _bound(value)
        if name in getattr(base, "__annotations__", {}) or name in getattr(base, "__slots__", ()):
            return None
        if f"self.{name}:" in _source(base) or f"self.{name} =" in _source(base):
            return None
    raise UnresolvedError(f"{cls.__name__} has no {name}")


def _source(cls: type) -> str:
    try:
        return inspect.getsource(cls)
    except (OSError, TypeError):
        return ""


def _bound(value: object) -> object:
    if isinstance(value, property):
        return _instance_of(value.fget)
    function = _unwrapped(value)
    return function if callable(function) else None


def _unwrapped(value: object) -> object:
    """The function of a method of a class; other values as they are."""
    if type(value) not in {classmethod, staticmethod}:
        return value
    function: object = getattr(value, "__func__", None)
    return function


def _result(called: object) -> object:
    return Instance(called) if isinstance(called, type) else _instance_of(called)


def _instance_of(function: object) -> Instance | None:
    """An object of the class that a function returns, if that is a class of ours."""
    if not isinstance(function, types.FunctionType):
        return None
    try:
        hint: object = get_type_hints(function).get("return")
    except NameError:
        return None
    if isinstance(hint, types.UnionType):
        [hint, *others] = [each for each in get_args(hint) if each is not types.NoneType]
        if others:
            return None
    hint = get_origin(hint) or hint
    if isinstance(hint, type) and hint.__module__.split(".")[0].startswith("runql"):
        return Instance(hint)
    return None


def _check_keywords(called: object, keywords: list[str]) -> None:
    if not keywords or not callable(called):
        return
    try:
        parameters = inspect.signature(called).parameters
    except (TypeError, ValueError):
        return
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values()):
        return
    for keyword in keywords:
        if keyword not in parameters:
            raise UnresolvedError(f"{getattr(called, '__qualname__', called)} takes no {keyword}=")
