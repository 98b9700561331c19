"""Attributes are snake_case: a camelCase name, as the server and other clients spell it, names ours in its error."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
RENAMED: Final = {
    "size_bytes": "size",
    "entity_name": "entity",
    "project_id": "project_internal_id",
    "version_index": "version",
    "total_count": "length",
}
"""Fields of the server that have another name here."""


class SnakeCaseAttributes:
    """An object whose unknown attributes are refused by an error that names the known one of the same meaning."""

    __slots__ = ()

    if not TYPE_CHECKING:  # a type checker must go on refusing unknown names

        def __getattr__(self, name: str) -> object:
            if hasattr(type(self), name):
                # A property of ours raised this: find it again, with its own message.
                return object.__getattribute__(self, name)
            owner = type(self).__name__
            wanted = HUMP.sub("_", name).lower()
            known = next(
                (each for each in (wanted, RENAMED.get(wanted)) if each and hasattr(type(self), each)), None
            )
            hint = f": use {known}" if known not in (None, name) else ""
            raise AttributeError(f"{owner!r} object has no attribute {name!r}{hint}", name=name, obj=self)
