"""Results of both clients without types, for tests of their common behaviour."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from tests.contract.both_clients import Face

Untyped: TypeAlias = Any  # Any: one test reads members of the sync and async classes


def held(subject: Untyped, name: str) -> Untyped:
    """Return an attribute, also a private one."""
    return getattr(subject, name)


def taken(face: Face, answer: Untyped) -> Untyped:
    """`Face.take`."""
    return _called(face.take, answer)


def listed(face: Face, many: Untyped) -> list[Untyped]:
    """`Face.items`."""
    return list(_called(face.items, many))


def _called(function: Callable[[Untyped], Untyped], given: Untyped) -> Untyped:
    return function(given)
