"""Differences on purpose, read from `differences.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("differences.toml")


@dataclass(frozen=True)
class Difference:
    """A call that runql answers otherwise than the official SDK.

    Attributes:
        call: its name.
        sdk: the versions of the official SDK that it differs from.
        because: why.
        mends: issues of the official SDK, or where the reason is written down.
    """

    call: str
    sdk: tuple[str, ...]
    because: str
    mends: tuple[str, ...]


def load() -> list[Difference]:
    """All that are listed, in the file's order."""
    document = tomllib.loads(FILE.read_text("utf-8"))
    return [
        Difference(each["call"], tuple(each["sdk"]), each["because"], tuple(each["mends"]))
        for each in document["difference"]
    ]


def of_ours_alone() -> dict[str, list[str]]:
    """Public members that the official SDK does not have, by class."""
    members: dict[str, list[str]] = tomllib.loads(FILE.read_text("utf-8"))["ours_alone"]
    return members
