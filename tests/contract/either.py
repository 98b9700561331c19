"""What either face gives, looked at the same way: without types, for tests of what the typed faces hold in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from tests.contract.face import Face

Untyped: TypeAlias = Any  # Any: one test reads the members of both faces' classes


def taken(face: Face, answer: Untyped) -> Untyped:
    """`Face.take`."""
    take: Callable[[Untyped], Untyped] = face.take
    return take(answer)


def listed(face: Face, many: Untyped) -> list[Untyped]:
    """`Face.items`."""
    items: Callable[[Untyped], list[Untyped]] = face.items
    return items(many)
