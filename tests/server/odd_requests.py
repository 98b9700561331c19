"""Strategies for requests that no honest client sends: odd variables of every operation, odd calls of every route."""

from __future__ import annotations

import gzip
import json
import re
from base64 import b64encode
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NamedTuple

from graphql import (
    FragmentDefinitionNode,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLNonNull,
    OperationDefinitionNode,
    parse,
    print_ast,
)
from hypothesis import strategies as st
from starlette.routing import Route

from runql_server.graphql import schema

Json = st.SearchStrategy[object]

# Any: the wrapping types of graphql-core are generics without their argument.
_graphql: Final[Any] = import_module("graphql")
ROOT: Final = Path(__file__).parents[2]
MOST_DIGITS: Final = 4_000
"""Python's JSON reader refuses integers with more digits, by the limit of `int`."""


def opaque(kind: str, rest: str) -> str:
    return b64encode(f"{kind}:{rest}".encode()).decode()


KINDS: Final = ("Run", "Project", "File", "Sweep", "Artifact", "ArtifactCollection", "User", "Agent")
HUGE: Final = "9" * 5_000
IDS: Final = [
    *(
        opaque(kind, rest)
        for kind in KINDS
        for rest in ("1", "0", "-1", "999999999999999999", HUGE, "1:a", "²")
    ),
    opaque("Run", "1:\0"),
    "=",
    "é",
]
FILTERS: Final = [
    '{"config.a": {"$regex": "(a+)+$"}}',
    '{"config.a": {"$regex": "(?=a)"}}',
    '{"config.a": {"$gt": 1e400}}',
    '{"config.a": {"$in": [null, true, 1e999, -0.0, ' + "9" * MOST_DIGITS + "]}}",
    '{"tags": {"$size": ' + "9" * 30 + "}}",
    '{"createdAt": {"$gt": "0000-00-00"}}',
    '{"created_at": {"$gt": "99999-99-99T99:99:99+99:99"}}',
    '{"$and": [' * 60 + "{}" + "]}" * 60,
    '{"summary_metrics.' + ".".join("a" * 900) + '": 1}',
    '{"summary_metrics.": 1}',
    '{"name": "\\ud800"}',
    '{"duration": {"$lt": ' + "9" * 400 + "}}",
]
DEEP: Final = [
    "[" * 950 + "]" * 950,
    '{"a":' * 950 + "1" + "}" * 950,
    "[" * 100_000,
    '{"a":' * 50_000,
]
DOCUMENTS: Final = [
    "{}",
    '{"a": {"value": 1}}',
    '{"a": NaN, "b": Infinity, "c": -0.0, "d": 1e400}',
    '{"a": ' + "9" * 400 + "}",
    '{"a": ' + HUGE + "}",
    '{"": 1, "\\u0000": 2, "\\ud800": 3}',
    '{"_step": ' + "9" * 400 + "}",
    '{"_step": 1e400, "_runtime": "x"}',
    "null",
    "[1]",
    '"x"',
    "{",
    '{"method": "grid", "parameters": {"a": {"values": [1, ' + "9" * 400 + "]}}}",
    '{"method": "random", "parameters": {"a": {"min": 0, "max": 1e400}}}',
    '{"method": "random", "parameters": {"a": {"min": 1, "max": ' + "9" * 400 + "}}}",
    '{"keys": ["loss"], "samples": ' + "9" * 30 + "}",
    '{"keys": [], "samples": -1, "minStep": 1e400}',
    '{"samples": 10, "keys": ["\\ud800"], "maxStep": ' + "9" * 400 + "}",
]
CURSORS: Final = [
    b64encode(json.dumps([order, key, number]).encode()).decode()
    for order in ("+created_at", "files", "lines", "runs")
    for key, number in ((None, 2**62), ("\ud800", -1), (10**400, 1), (1e308, 0))
]
STRINGS: Final = [
    *(
        "",
        "p",
        "r",
        "local",
        "a",
        "v0",
        "latest",
        "p/a:v0",
        "-",
        "%",
        "\0",
        "a\0b",
        "\ud800",
        "é",
        "x" * 10_000,
    ),
    *(
        "../..",
        "9" * 5_000,
        "%" * 60_000,
        "2020-01-01T00:00:00",
        "0000-00-00",
        "-created_at",
        "+config.a.value",
    ),
    *("+summary_metrics." + "a." * 500, "RUNNING", "true", "1e400", "data", "uploads"),
    *IDS,
    *FILTERS,
    *DEEP,
    *DOCUMENTS,
    *CURSORS,
]

strings: Final[Json] = st.one_of(st.sampled_from(STRINGS), st.text(max_size=20))
whole: Final = [
    0,
    1,
    -1,
    2,
    50,
    10**9,
    2**31 - 1,
    -(2**31),
    2**31,
    2**53 + 1,
    2**63 - 1,
    2**63,
    2**70,
    -(2**70),
    10**400,
]
numbers: Final[Json] = st.sampled_from([*whole, 0.5, -0.0, 1e308, float("inf"), float("-inf"), float("nan")])
anything: Final[Json] = st.one_of(
    st.none(), st.booleans(), numbers, strings, st.just([]), st.just({}), st.just([None]), st.just({"a": [1]})
)
_HONEST: Final[list[tuple[str, list[object]]]] = [
    ("entity|user", ["local"]),
    ("project|model", ["p"]),
    ("collection|sequence", ["a", opaque("ArtifactCollection", "1")]),
    ("artifact", [opaque("Artifact", "1"), "a:v0"]),
    ("type", ["dataset"]),
    ("filter", ["{}", '{"config.a": 1}']),
    ("order", ["+created_at", "-summary_metrics.loss"]),
    ("config", ['{"a": {"value": 1}}', '{"method": "grid", "parameters": {"a": {"values": [1, 2]}}}']),
    ("summary|metadata|labels|state", ['{"a": 1}']),
    ("sweep", ["1", "sweep", opaque("Sweep", "1")]),
    ("agent", [opaque("Agent", "1")]),
    (
        "id$",
        [opaque(kind, "1") for kind in ("Run", "Project", "Artifact", "ArtifactCollection", "Sweep", "File")],
    ),
    ("digest|md5", ["1B2M2Y8AsgTpgAmY7PhCfg==", ""]),
    ("spec", ['{"keys": ["loss"], "samples": 10}']),
    ("run|name", ["r", "s", "a", "p", "f"]),
    ("", ["a", "r"]),
]
"""What an argument of such a name usually holds."""


def _honest(name: str) -> Json:
    return next(st.sampled_from(values) for hint, values in _HONEST if re.search(hint, name, re.IGNORECASE))


def mostly(usual: Json, odd: Json) -> Json:
    """Draw the usual value three times in four."""
    return st.integers(0, 3).flatmap(lambda drawn: usual if drawn else odd)


def values_of(wanted: Any, name: str, depth: int = 0) -> Json:
    """Values of a type, nearly all of which the schema accepts."""
    if _graphql.is_non_null_type(wanted):
        return _present(wanted.of_type, name, depth)
    return mostly(_present(wanted, name, depth), st.none())


def _present(wanted: Any, name: str, depth: int) -> Json:
    if _graphql.is_list_type(wanted):
        return st.lists(values_of(wanted.of_type, name, depth), max_size=3)
    if _graphql.is_enum_type(wanted):
        return st.sampled_from(sorted(wanted.values))
    if _graphql.is_input_object_type(wanted):
        return st.deferred(lambda: _objects(wanted, depth))
    match str(wanted):
        case "Int":
            return mostly(st.sampled_from([each for each in whole if -(2**31) <= each < 2**31]), numbers)
        case "Float":
            return numbers
        case "Boolean":
            return st.booleans()
        case "Int64":
            return mostly(st.sampled_from([1, "1"]), st.one_of(numbers, strings))
        case _:
            return mostly(_honest(name), mostly(strings, anything))


def _objects(wanted: GraphQLInputObjectType, depth: int) -> Json:
    if depth > 3:
        return st.just({})
    required = {
        name: field for name, field in wanted.fields.items() if isinstance(field.type, GraphQLNonNull)
    }
    others = {name: field for name, field in wanted.fields.items() if name not in required}
    return st.fixed_dictionaries(
        {name: values_of(field.type, name, depth + 1) for name, field in required.items()},
        optional={name: values_of(field.type, name, depth + 1) for name, field in others.items()},
    )


class Operation(NamedTuple):
    """A document, and a strategy for its variables."""

    name: str
    text: str
    variables: Json


def own_operations() -> list[Operation]:
    """Return the operations that runql sends."""
    source = "\n".join(path.read_text() for path in sorted((ROOT / "queries").glob("*.graphql")))
    document = parse(source)
    fragments = [each for each in document.definitions if isinstance(each, FragmentDefinitionNode)]
    shapes = {each.name.value: print_ast(each) for each in fragments}
    found: list[Operation] = []
    for each in document.definitions:
        if isinstance(each, OperationDefinitionNode) and each.name is not None:
            declared = {
                variable.variable.name.value: _graphql.type_from_ast(schema.load(), variable.type)
                for variable in each.variable_definitions
            }
            variables = {name: values_of(kind, name) for name, kind in declared.items() if kind is not None}
            text = f"{print_ast(each)}\n{_needed(shapes, print_ast(each))}"
            found.append(Operation(each.name.value, text, st.fixed_dictionaries(variables)))
    return found


def _needed(shapes: Mapping[str, str], operation: str) -> str:
    """Return the fragments that an operation spreads, directly or not."""
    needed: dict[str, str] = {}
    waiting = [operation]
    while waiting:
        text = waiting.pop()
        for name, fragment in shapes.items():
            if f"...{name}" in text.replace("... ", "...") and name not in needed:
                needed[name] = fragment
                waiting.append(fragment)
    return "\n".join(needed.values())


def root_fields() -> list[Operation]:
    """Return an operation for each field of Query and Mutation, with all of its arguments."""
    built = schema.load()
    found: list[Operation] = []
    for kind, root in (("query", built.query_type), ("mutation", built.mutation_type)):
        assert root is not None
        for name, field in root.fields.items():
            declared = ", ".join(f"${each}: {argument.type}" for each, argument in field.args.items())
            passed = ", ".join(f"{each}: ${each}" for each in field.args)
            head = f"{kind} {name}{f'({declared})' if declared else ''}"
            text = f"{head} {{ {name}{f'({passed})' if passed else ''} {_selection(field.type)} }}"
            variables = st.fixed_dictionaries(
                {each: values_of(a.type, each) for each, a in field.args.items()}
            )
            found.append(Operation(f"{kind}.{name}", text, variables))
    return found


def _selection(wanted: Any, depth: int = 0) -> str:
    named = _graphql.get_named_type(wanted)
    if _graphql.is_abstract_type(named):
        return "{ __typename }"
    if not _graphql.is_object_type(named):
        return ""
    names = [
        f"{name} {_selection(field.type, depth + 1)}"
        for name, field in named.fields.items()
        if _is_simple(field) and (depth < 3 or _graphql.is_leaf_type(_graphql.get_named_type(field.type)))
    ]
    return f"{{ __typename {' '.join(names)} }}"


def _is_simple(field: GraphQLField) -> bool:
    return not any(_graphql.is_required_argument(each) for each in field.args.values())


class Call(NamedTuple):
    """One request of a route."""

    method: str
    path: str
    body: bytes
    headers: dict[str, str]


_PART: Final = st.one_of(
    st.just("1"),
    st.sampled_from(
        ["local", "p", "r", "a", "0", "1", "-1", "9" * 18, "9" * 19, "9" * 5_000, "%00", "%ED%A0%80"]
    ),
    st.sampled_from(
        ["%FF", "..", "%2e%2e", "x" * 5_000, "d41d8cd98f00b204e9800998ecf8427e", "1.parquet", "%F0%9F"]
    ),
)
_FILES: Final = st.dictionaries(
    st.sampled_from(
        ["wandb-history.jsonl", "wandb-events.jsonl", "output.log", "wandb-summary.json", "x", "\ud800"]
    ),
    st.one_of(
        anything,
        st.fixed_dictionaries(
            {}, optional={"offset": st.one_of(st.just(0), anything), "content": st.lists(strings, max_size=3)}
        ),
    ),
    max_size=4,
)
_POSTS: Final = st.fixed_dictionaries(
    {},
    optional={
        "files": st.one_of(_FILES, _FILES, _FILES, anything),
        "complete": anything,
        "exitcode": anything,
        "preempting": anything,
        "dropped": anything,
        "uploaded": anything,
    },
)
_BODIES: Final = st.one_of(
    _POSTS.map(lambda post: json.dumps(post).encode()),
    anything.map(
        lambda value: json.dumps({"query": value, "variables": value, "operationName": value}).encode()
    ),
    st.binary(max_size=30),
    st.sampled_from([each.encode("utf-8", "surrogatepass") for each in (*DEEP, *DOCUMENTS)]),
)
_ENCODINGS: Final = st.sampled_from(["", "", "gzip", "deflate", "br", "gzip, gzip", "x" * 500])


_USUAL: Final = {
    "{entity}": "local",
    "{project}": "p",
    "{run}": "r",
    "{name:path}": "f",
    "{digest}": "d41d8cd98f00b204e9800998ecf8427e",
}


def _drawn(draw: st.DrawFn, part: str, *, usual: bool) -> str:
    if not part.startswith("{"):
        return part
    end = ".parquet" if part.endswith(".parquet") else ""
    return (_USUAL.get(part, "1") if usual else str(draw(_PART))) + end


@st.composite
def calls(draw: st.DrawFn, routes: list[Route]) -> Call:
    """Draw a request of one of the routes, with odd parts of its path and odd bodies."""
    route = draw(st.sampled_from(routes))
    usual = draw(st.booleans())
    path = "/".join(_drawn(draw, part, usual=usual) for part in route.path.split("/"))
    method = draw(st.sampled_from(sorted((route.methods or {"GET"}) | {"POST", "PUT", "GET"})))
    body, encoding = draw(_BODIES), draw(_ENCODINGS)
    if encoding == "gzip" and draw(st.booleans()):
        body = gzip.compress(body)
    return Call(method, path, body, {"Content-Encoding": encoding} if encoding else {})
