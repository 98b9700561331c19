"""Config and summary as trees: changes name a path, and a value that is set whole is one leaf."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runql_server.lenient_json import JsonObject, JsonValue


class Config:
    """A config. An object is merged into the one that is there, key by key."""

    def __init__(self) -> None:
        self.tree: JsonObject = {}

    def set(self, path: Sequence[str], value: JsonValue) -> None:
        """Set a value; an empty object sets nothing, as in the SDK."""
        if isinstance(value, dict):
            for key, member in value.items():
                self.set([*path, key], member)
            return
        target = self.tree
        for part in path[:-1]:
            below = target.get(part)
            if not isinstance(below, dict):
                below = target[part] = {}
            target = below
        target[path[-1]] = value

    def remove(self, path: Sequence[str]) -> None:
        """Remove a value, if it is there."""
        target = self.tree
        for part in path[:-1]:
            below = target.get(part)
            if not isinstance(below, dict):
                return
            target = below
        target.pop(path[-1], None)


@dataclass
class _Leaf:
    value: JsonValue


_Node = dict[str, "_Leaf | _Node"]


class Summary:
    """A summary. A value that was set whole is replaced, not changed, by a value below it."""

    def __init__(self) -> None:
        self._tree: _Node = {}

    def set(self, path: Sequence[str], value: JsonValue) -> None:
        """Set the value at a path."""
        target = self._tree
        for part in path[:-1] if len(path) > 1 else ():
            below = target.get(part)
            if not isinstance(below, dict):
                below = target[part] = {}
            target = below
        target[path[-1]] = _Leaf(value)

    def remove(self, path: Sequence[str]) -> None:
        """Remove the value at a path, if it is there."""
        target = self._tree
        for part in path[:-1]:
            below = target.get(part)
            if not isinstance(below, dict):
                return
            target = below
        target.pop(path[-1], None)

    def document(self) -> JsonObject:
        """Return the summary as nested objects."""
        return _document(self._tree)


def _document(node: _Node) -> JsonObject:
    return {
        name: below.value if isinstance(below, _Leaf) else _document(below) for name, below in node.items()
    }
