"""Parse the error messages of GraphQL servers: graphql-js, graphql-core, graph-gophers, gqlgen and py-gql."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from runql.transport.unknown_parts import UNKNOWN_PART_MESSAGES

ErrorKind: TypeAlias = Literal[
    "unknown field",
    "unknown argument",
    "missing argument",
    "unknown type",
    "variable position",
    "variable type",
    "leaf",
    "no leaf",
    "fragment condition",
    "fragment spread",
    "unknown input field",
    "missing input field",
    "unknown value",
    "wrong value",
    "unknown directive",
    "misplaced directive",
    "repeated directive",
    "conflicting fields",
    "no such root",
    "variable value",
    "too many errors",
    "unused",
]


@dataclass(frozen=True, slots=True)
class ServerError:
    """One entry of ``errors`` in a GraphQL response.

    Attributes:
        message: the message of the server.
        locations: lines and columns in the document, counted from 1.
    """

    message: str
    locations: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class ParsedMessage:
    """A message of a server in a known wording.

    Attributes:
        kind: kind of the error.
        names: names in the message: ``field``, ``type``, ``argument``, ``variable``, ``expected``, ``given``, ``value``, …
        suggestions: names that the server suggests instead.
    """

    kind: ErrorKind
    names: Mapping[str, str] = field(default_factory=dict[str, str])
    suggestions: tuple[str, ...] = ()


def _name(group: str) -> str:
    return rf'"?(?P<{group}>\w+)"?'


def _type(group: str) -> str:
    return rf'"?(?P<{group}>[\w\[\]!]+)"?'


# `parse_message` turns every quote into `"`; gqlgen and py-gql omit some of them. The first match decides: graph-gophers
# reports an invalid input field inside of a message about its argument, so input fields come before values.
_WORDINGS: tuple[tuple[ErrorKind, str], ...] = (
    ("unknown argument", rf'Unknown argument {_name("argument")} on directive "?@?(?P<directive>\w+)"?'),
    (
        "missing argument",
        rf"Field {_name('field')} argument {_name('argument')} of type {_type('expected')} is required",
    ),
    (
        "missing argument",
        rf'Directive "?@?(?P<directive>\w+)"? argument {_name("argument")} of type {_type("expected")} is required',
    ),
    (
        "variable position",
        rf'Variable "?\$?(?P<variable>\w+)"? of type {_type("given")} used in position expecting type {_type("expected")}',
    ),
    ("variable type", rf'Variable "?\$?(?P<variable>\w+)"? cannot be non-input type {_type("type")}'),
    ("leaf", rf"Field {_name('field')} must not have a selection since type {_type('found')}"),
    ("no leaf", rf"Field {_name('field')} of type {_type('found')} must have a selection"),
    (
        "fragment condition",
        rf"Fragment (?:{_name('fragment')} )?cannot condition on non composite type {_name('type')}",
    ),
    (
        "fragment spread",
        rf"Fragment (?:{_name('fragment')} )?cannot be spread here as objects of type {_name('type')} "
        rf"can never be of type {_name('member')}",
    ),
    (
        "fragment spread",
        rf"ragment (?:{_name('fragment')} )?cannot be spread here as types {_name('member')} and {_name('type')}",
    ),
    ("unknown input field", rf"In field {_name('field')}: Unknown field"),
    (
        "missing input field",
        rf'Field "?(?P<type>\w+)\.(?P<field>\w+)"? of required type {_type("expected")} was not provided',
    ),
    (
        "missing input field",
        rf'Required field "?(?P<type>\w+)\.(?P<field>\w+)"? of type {_type("expected")} was not provided',
    ),
    ("missing input field", rf"In field {_name('field')}: Expected {_type('expected')}, found null"),
    # graph-gophers validates the values of variables together with the document; gqlgen and graphql-js do it later.
    (
        "variable value",
        r'Variable "?\$?\w+"? (?:has invalid (?:value|type)|got invalid value|of (?:non-null|required) type)',
    ),
    ("variable value", r"must be defined|Variable .* was not provided"),
    ("unknown value", rf"Value {_name('value')} does not exist in {_name('type')} enum"),
    ("wrong value", rf"Expected value of type {_type('expected')}, found"),
    ("wrong value", rf"Expected type {_type('expected')}, found"),
    ("wrong value", rf"Enum {_name('expected')} cannot represent"),
    ("wrong value", rf"{_name('expected')} cannot represent (?:a )?(?:non|value)"),
    ("wrong value", rf"Argument {_name('argument')} has invalid value"),
    ("unknown directive", r'Unknown directive "?@?(?P<directive>\w+)"?'),
    ("misplaced directive", r'Directive "?@?(?P<directive>\w+)"? may not be used on'),
    ("repeated directive", r'The directive "?@?(?P<directive>\w+)"? can only be used once at this location'),
    ("conflicting fields", rf"Fields {_name('field')} conflict because"),
    (
        "no such root",
        r"Schema (?:is not configured (?:for|to execute)|does not support operation type) \W?(?P<root>[a-z]+?)s?\b",
    ),
    ("too many errors", r"Too many (?:validation )?errors|error limit reached"),
    ("unused", r"(?:Variable|Fragment) .* is never used|^Unused (?:variable|fragment)"),
)
_PATTERNS: tuple[tuple[ErrorKind, re.Pattern[str]], ...] = (
    *((kind, pattern) for kind, pattern, _ in UNKNOWN_PART_MESSAGES),
    *((kind, re.compile(wording)) for kind, wording in _WORDINGS),
)
_QUOTES = str.maketrans("'`“”’", '"' * 5)


def parse_message(message: str) -> ParsedMessage | None:
    """Parse the message of a server; None if the wording is unknown."""
    main, _, hint = message.translate(_QUOTES).partition("Did you mean")
    for kind, pattern in _PATTERNS:
        match = pattern.search(main)
        if match:
            names = {name: value for name, value in match.groupdict().items() if value is not None}
            return ParsedMessage(kind, names, _suggestions(hint))
    return None


def _suggestions(hint: str) -> tuple[str, ...]:
    quoted = re.findall(r'"([^"]+)"', hint)
    # gqlgen suggests enum values without quotes: "Did you mean A, B, or C?"
    names = quoted or [
        each for each in re.findall(r"\w+", hint.partition("?")[0]) if each not in _SMALL_WORDS
    ]
    return tuple(name for name in names if "{" not in name)


_SMALL_WORDS = {"or", "the", "enum", "value", "to", "use", "an", "inline", "fragment", "on"}
