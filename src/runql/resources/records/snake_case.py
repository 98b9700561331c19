"""Errors for attribute names in camelCase that name the snake_case attribute."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

WORD_START: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
OTHER_NAMES: Final = {
    "size_bytes": "size",
    "entity_name": "entity",
    "project_id": "project_internal_id",
    "version_index": "version",
    "total_count": "length",
}
"""Fields of the server that have another name in runql."""


class SnakeCaseAttributes:
    """A base class whose AttributeError names the attribute in snake_case, such as ``size`` for ``sizeBytes``."""

    __slots__ = ()

    if not TYPE_CHECKING:  # a type checker must go on refusing unknown names

        def __getattr__(self, name: str) -> object:
            if hasattr(type(self), name):
                # A property of the class raised the AttributeError: raise it again with its own message.
                return object.__getattribute__(self, name)
            owner = type(self).__name__
            wanted = WORD_START.sub("_", name).lower()
            known = next(
                (each for each in (wanted, OTHER_NAMES.get(wanted)) if each and hasattr(type(self), each)),
                None,
            )
            hint = f": use {known}" if known not in (None, name) else ""
            raise AttributeError(f"{owner!r} object has no attribute {name!r}{hint}", name=name, obj=self)
