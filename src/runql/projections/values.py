"""The values that a shape names, picked out of a config, a summary or a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeGuard

from runql.projections.shapes import KeyPath, Shape
from runql.values import JSONValue

MISSING = object()


def pick(shape: Shape, values: Mapping[str, JSONValue]) -> dict[str, JSONValue]:
    """Return what a shape names, nested as the type is; keys that it does not name are left out.

    A value of a nested type is an object, or the keys of its fields with dots: ``{"a": {"b": 1}}``, ``{"a.b": 1}``.
    """
    picked: dict[str, JSONValue] = {}
    for each in shape.fields:
        for path in each.paths:
            value = lookup(values, ".".join(path))
            if each.inner is not None:
                value = _pick_inner(each.inner, values, path, value)
            if value is not MISSING and _is_json(value):
                _put(picked, path, value)
                break
    return picked


def lookup(values: Mapping[str, JSONValue], key: str) -> object:
    """Return the value of a key, which may be dotted and lead into objects; `MISSING` where there is none."""
    if key in values:
        return values[key]
    head, dot, rest = key.partition(".")
    while dot:
        inside = values.get(head)
        if isinstance(inside, dict):
            found = lookup(inside, rest)
            if found is not MISSING:
                return found
        further, dot, rest = rest.partition(".")
        head = f"{head}.{further}"
    return MISSING


def _pick_inner(inner: Shape, values: Mapping[str, JSONValue], path: KeyPath, value: object) -> object:
    if _is_object(value):
        return pick(inner, value)
    if value is not MISSING:
        return value
    prefix = ".".join(path) + "."
    below = {name.removeprefix(prefix): each for name, each in values.items() if name.startswith(prefix)}
    return pick(inner, below) if below else MISSING


def _put(target: dict[str, JSONValue], path: KeyPath, value: JSONValue) -> None:
    *heads, last = path
    for head in heads:
        inside = target.setdefault(head, {})
        if not isinstance(inside, dict):
            return
        target = inside
    target[last] = value


def _is_json(value: object) -> TypeGuard[JSONValue]:
    return value is not MISSING


def _is_object(value: object) -> TypeGuard[dict[str, JSONValue]]:
    return isinstance(value, dict)
