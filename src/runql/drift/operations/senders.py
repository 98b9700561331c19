"""Which members of runql's classes send an operation, and which input fields they fill; `make senders` keeps the table."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files as resources


@dataclass(frozen=True, slots=True)
class Senders:
    """The table `senders.toml`.

    Attributes:
        methods: by operation, the public members that send it.
        inputs: by input type, the fields that are filled.
    """

    methods: Mapping[str, tuple[str, ...]]
    inputs: Mapping[str, frozenset[str]]


@cache
def known_senders() -> Senders:
    """The table as it ships."""
    table = tomllib.loads(
        resources("runql.drift.operations").joinpath("senders.toml").read_text(encoding="utf-8")
    )
    return Senders(
        methods={name: tuple(members) for name, members in table["methods"].items()},
        inputs={name: frozenset(fields) for name, fields in table["inputs"].items()},
    )


def senders_of(operation: str) -> tuple[str, ...]:
    """The public members that send an operation, such as ``Run.load``; empty when none is known."""
    return known_senders().methods.get(operation, ())
