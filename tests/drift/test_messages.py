"""Messages of GraphQL servers, in the wording of each implementation."""

from __future__ import annotations

import pytest

from runql.drift.server_errors.messages import ParsedMessage, parse_message

# Taken from the source of each implementation; one entry for each wording: message, kind, names and suggestions.
MESSAGES = [
    # graphql-js, and graphql-core with other quotes
    (
        'Cannot query field "nme" on type "User". Did you mean "name" or "notes"?',
        "unknown field",
        "User nme name notes",
    ),
    ("Cannot query field 'nme' on type 'User'. Did you mean 'name'?", "unknown field", "User nme name"),
    (
        'Cannot query field "x" on type "Node". Did you mean to use an inline fragment on "Run" or "User"?',
        "unknown field",
        "Node x Run User",
    ),
    (
        'Unknown argument "nam" on field "Query.project". Did you mean "name"?',
        "unknown argument",
        "Query project nam name",
    ),
    ('Unknown argument "iff" on directive "@include".', "unknown argument", "include iff"),
    (
        'Field "run" argument "name" of type "String!" is required, but it was not provided.',
        "missing argument",
        "run name String!",
    ),
    (
        "Directive '@include' argument 'if' of type 'Boolean!' is required, but it was not provided.",
        "missing argument",
        "include if Boolean!",
    ),
    ('Unknown type "Usr". Did you mean "User"?', "unknown type", "Usr User"),
    (
        'Variable "$a" of type "[Int!]" used in position expecting type "String".',
        "variable position",
        "a [Int!] String",
    ),
    ('Variable "$a" cannot be non-input type "Run".', "variable type", "a Run"),
    ('Field "id" must not have a selection since type "ID!" has no subfields.', "leaf", "id ID!"),
    (
        'Field "user" of type "User" must have a selection of subfields. Did you mean "user { ... }"?',
        "no leaf",
        "user User",
    ),
    ('Fragment "F" cannot condition on non composite type "String".', "fragment condition", "F String"),
    (
        'Fragment "F" cannot be spread here as objects of type "Run" can never be of type "User".',
        "fragment spread",
        "F Run User",
    ),
    (
        "Fragment cannot be spread here as objects of type 'Initiator' can never be of type 'User'.",
        "fragment spread",
        "Initiator User",
    ),
    (
        'Field "notez" is not defined by type "Input". Did you mean "notes"?',
        "unknown input field",
        "Input notez notes",
    ),
    (
        'Field "Input.must" of required type "String!" was not provided.',
        "missing input field",
        "Input must String!",
    ),
    (
        'Value "OLD" does not exist in "Kind" enum. Did you mean the enum value "NEW"?',
        "unknown value",
        "Kind OLD NEW",
    ),
    ('Expected value of type "Int!", found {a: 1}.', "wrong value", "Int!"),
    ('Enum "Kind" cannot represent non-enum value: 1.', "wrong value", "Kind"),
    ("Int cannot represent non-integer value: true", "wrong value", "Int"),
    ('Unknown directive "@inclde".', "unknown directive", "inclde"),
    ('Directive "@include" may not be used on QUERY.', "misplaced directive", "include"),
    (
        'Fields "a" conflict because they return conflicting types "Int" and "String". Use different aliases …',
        "conflicting fields",
        "a",
    ),
    ("Schema is not configured for mutations.", "no such root", "mutation"),
    ('Variable "$a" of required type "String!" was not provided.', "variable value", ""),
    ("Too many validation errors, error limit reached. Validation aborted.", "too many errors", ""),
    ('Variable "$a" is never used in operation "B".', "unused", ""),
    # graphql-go of graph-gophers
    ('Unknown argument "nam" on field "project" of type "Query".', "unknown argument", "Query project nam"),
    (
        'Field "run" argument "name" of type "String!" is required but not provided.',
        "missing argument",
        "run name String!",
    ),
    ('Unknown directive "inclde".', "unknown directive", "inclde"),
    (
        'Argument "input" has invalid value {notez: $x}.\nIn field "notez": Unknown field.',
        "unknown input field",
        "notez",
    ),
    (
        'Argument "input" has invalid value {}.\nIn field "must": Expected "String!", found null.',
        "missing input field",
        "must String!",
    ),
    (
        'Variable "$v" of type "Kind" has invalid default value OLD.\nExpected type "Kind", found OLD.',
        "wrong value",
        "Kind",
    ),
    (
        'Variable "entity" has invalid value null.\nExpected type "String!", found null.',
        "variable value",
        "",
    ),
    ("Schema is not configured to execute mutation operation.", "no such root", "mutation"),
    # gqlgen, with the wording of gqlparser
    (
        'Unknown argument "nam" on field "project" of type "Query". Did you mean "name"?',
        "unknown argument",
        "Query project nam name",
    ),
    (
        'Field "notez" is not defined by type Input. Did you mean notes?',
        "unknown input field",
        "Input notez notes",
    ),
    (
        "Field Input.must of required type String! was not provided.",
        "missing input field",
        "Input must String!",
    ),
    (
        "Expected type Kind!, found OLD. Did you mean the enum value NEW or NEWER?",
        "wrong value",
        "Kind! NEW NEWER",
    ),
    ("must be defined", "variable value", ""),
    ('Schema does not support operation type "mutation"', "no such root", "mutation"),
    # py-gql
    (
        "Required field Input.must of type String! was not provided",
        "missing input field",
        "Input must String!",
    ),
    (
        'Inline fragment cannot be spread here as types "User" and "Initiator" do not overlap.',
        "fragment spread",
        "User Initiator",
    ),
]


@pytest.mark.parametrize(("message", "kind", "words"), MESSAGES, ids=[each[0][:50] for each in MESSAGES])
def test_each_wording_is_parsed(message: str, kind: str, words: str) -> None:
    parsed = parse_message(message)
    assert parsed is not None
    assert parsed.kind == kind
    if kind not in {"variable value", "too many errors", "unused"}:
        assert {*parsed.names.values(), *parsed.suggestions} == set(words.split())


@pytest.mark.parametrize(
    "message", ["internal system error", "query too complex: 9000 > 1000", "", "Forbidden"]
)
def test_an_unknown_wording_is_not_guessed(message: str) -> None:
    assert parse_message(message) is None


def test_a_suggestion_is_no_name() -> None:
    parsed = parse_message('Cannot query field "a" on type "B". Did you mean "c"?')
    assert parsed == ParsedMessage("unknown field", {"field": "a", "type": "B"}, ("c",))
