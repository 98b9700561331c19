"""`docs/members.md`: a tick for each member that is compared with the official SDK's."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

from tests.conformance.calls.every import CALLS

ROOT: Final = Path(__file__).parents[2]
FILE: Final = ROOT / "docs" / "members.md"
REFERENCE: Final = ROOT / "tests" / "architecture" / "reference.toml"
PLACE: Final = re.compile(r"(?<=<!-- written by `make conformance` -->\n)\|.*?(?=\n\n)", re.DOTALL)
ORDER: Final = ("Api", "Runs", "Run")
"""Classes at the top of the table."""


def documented() -> list[str]:
    """List the documented members by class, attributes before methods."""
    return [
        f"{owner}.{member}"
        for owner, members in tomllib.loads(REFERENCE.read_text("utf-8")).items()
        for kind in ("properties", "classmethods", "methods")
        for member in members.get(kind, ())
    ]


def covered() -> list[str]:
    """List the members that calls cover, in the order of the calls."""
    return list(dict.fromkeys(member for call in CALLS.values() for member in call.members))


def table() -> str:
    """Format the table, one row per class."""
    ticked = set(covered())
    members = dict.fromkeys([*documented(), *covered()])
    owners = dict.fromkeys([*ORDER, *map(_owner, members)])
    lines = [
        f"| `{owner}` | {' '.join(_cell(each, ticked=each in ticked) for each in members if _owner(each) == owner)} |"
        for owner in owners
    ]
    return "\n".join(["| | |", "|---|---|", *lines])


def refreshed(text: str) -> str:
    """The document with the table as it is now.

    Raises:
        ValueError: the document has no place for it.
    """
    if PLACE.search(text) is None:
        raise ValueError("docs/members.md has no place for the table of members")
    return PLACE.sub(lambda _: table(), text)


def _owner(member: str) -> str:
    return member.partition(".")[0]


def _cell(member: str, *, ticked: bool) -> str:
    return f"`{member.partition('.')[2]}`{' ✓' if ticked else ''}"
