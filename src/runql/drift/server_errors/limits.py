"""Limits that a server states when it refuses a document: GraphQL Armor, graphql-js, graphql-core and others."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from runql.drift.server_errors.messages import ServerError

LimitKind: TypeAlias = Literal["tokens", "aliases", "directives", "depth", "cost"]

_WORDINGS: Final[tuple[tuple[LimitKind, re.Pattern[str]], ...]] = (
    ("tokens", re.compile(r"token limit of (\d[\d,]*) (?:was )?exceeded", re.IGNORECASE)),
    ("tokens", re.compile(r"contains more tha[nt] (\d[\d,]*) tokens")),
    ("aliases", re.compile(r"alias(?:es)? limit of (\d[\d,]*) exceeded", re.IGNORECASE)),
    ("directives", re.compile(r"directives? limit of (\d[\d,]*) exceeded", re.IGNORECASE)),
    ("depth", re.compile(r"depth limit of (\d[\d,]*) exceeded", re.IGNORECASE)),
    ("depth", re.compile(r"exceeds (?:the )?maximum (?:operation |query )?depth of (\d[\d,]*)")),
    ("cost", re.compile(r"cost limit of (\d[\d,]*) exceeded", re.IGNORECASE)),
    ("cost", re.compile(r"exceeds (?:the )?maximum cost of (\d[\d,]*)")),
)

_FOUND: Final = re.compile(r"found (\d+(?:\.\d+)?)")
_NOUNS: Final[dict[LimitKind, str]] = {
    "tokens": "{} tokens a document",
    "aliases": "{} aliases",
    "directives": "{} directives",
    "depth": "a depth of {}",
    "cost": "a cost of {}",
}


@dataclass(frozen=True, slots=True)
class StatedLimit:
    """A limit in a message of a server.

    Attributes:
        kind: what it bounds.
        allowed: the highest number that the server accepts.
        found: the number that it says to have found; None where it says none.
    """

    kind: LimitKind
    allowed: int
    found: float | None = None

    def words(self) -> str:
        """Return what the server allows, such as ``1,000 tokens a document``."""
        return _NOUNS[self.kind].format(f"{self.allowed:,}")


def stated_limits(errors: Iterable[ServerError]) -> list[StatedLimit]:
    """Return the limits that the messages state."""
    return [
        StatedLimit(kind, int(stated[1].replace(",", "")), float(found[1]) if found else None)
        for error in errors
        for kind, pattern in _WORDINGS
        if (stated := pattern.search(error.message))
        for found in [_FOUND.search(error.message, stated.end())]
    ]
