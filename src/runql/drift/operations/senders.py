"""Which public members of runql send an operation, and which input fields they fill; `make senders` writes the table."""

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
        methods: public members by the operation that they send.
        inputs: filled fields by input type.
    """

    methods: Mapping[str, tuple[str, ...]]
    inputs: Mapping[str, frozenset[str]]


@cache
def known_senders() -> Senders:
    """Return the table of this version."""
    table = tomllib.loads(
        resources("runql.drift.operations").joinpath("senders.toml").read_text(encoding="utf-8")
    )
    return Senders(
        methods={name: tuple(members) for name, members in table["methods"].items()},
        inputs={name: frozenset(fields) for name, fields in table["inputs"].items()},
    )


def senders_of(operation: str) -> tuple[str, ...]:
    """Return the public members that send an operation, such as ``Run.load``; empty for an unknown operation."""
    return known_senders().methods.get(operation, ())
