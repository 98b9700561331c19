"""Deliberate differences, read from `differences.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("differences.toml")


@dataclass(frozen=True)
class Difference:
    """A call whose result deliberately differs from the official SDK's.

    Attributes:
        call: name of the call.
        sdk: versions of the official SDK with another result.
        because: the reason.
        mends: issues of the official SDK, or other places with the reason.
    """

    call: str
    sdk: tuple[str, ...]
    because: str
    mends: tuple[str, ...]


def load() -> list[Difference]:
    """Load all differences, in the order of the file."""
    document = tomllib.loads(FILE.read_text("utf-8"))
    return [
        Difference(each["call"], tuple(each["sdk"]), each["because"], tuple(each["mends"]))
        for each in document["difference"]
    ]


def of_ours_alone() -> dict[str, list[str]]:
    """Return public members that the official SDK does not have, by class."""
    members: dict[str, list[str]] = tomllib.loads(FILE.read_text("utf-8"))["ours_alone"]
    return members
