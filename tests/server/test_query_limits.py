"""Limits of documents: costly ones are refused before validation, and those of honest clients are far below."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from graphql import parse
from hypothesis import given
from hypothesis import strategies as st
from tests.profiles import examples

from runql_server.graphql.limits import DEFAULT, Measures, QueryLimits, Size, excess
from runql_server.running import RunningServer

Query = Callable[..., dict[str, Any]]
ROOT: Final = Path(__file__).parents[2]
MARGIN: Final = 4
"""Times that honest documents fit below each limit."""


def chain(count: int, last: str) -> str:
    """Fragments, each of which spreads the next one twice."""
    links = " ".join(f"fragment f{at} on User {{ ...f{at + 1} ...f{at + 1} }}" for at in range(count))
    return f"{links} fragment f{count} on User {{ {last} }} {{ viewer {{ ...f0 }} }}"


REFUSED: Final = {
    "{" + "viewer {" * 40 + "id" + "}" * 41: "levels",
    "{" + "viewer {" * 10_000 + "}" * 10_000: "nested too deeply",
    "{ viewer(x: " + "[" * 10_000 + "]" * 10_000 + ") { id } }": "nested too deeply",
    "{" + " ".join(f"a{at}: viewer {{ id }}" for at in range(3_000)) + "}": "aliases",
    "{ viewer {" + " id" * 21_000 + "} }": "fields",
    "{" + " viewer { id }" * 700 + "}": "repeats fields",
    chain(60, "id"): "fields",
    chain(3_000, "id"): "nested more than",
    "fragment A on User { ...A } { viewer { ...A } }": "within itself",
    "fragment A on User { ...B } fragment B on User { id ...A } { viewer { ...A } }": "within itself",
    "{" + "a " * 60_000 + "}": "tokens",
    "{ viewer { id } }" + "#" * 600_000: "characters",
    '{ project(name: "' + "x" * 600_000 + '") { id } }': "characters",
}


@pytest.mark.parametrize(("text", "message"), REFUSED.items(), ids=[*map(str, range(len(REFUSED)))])
def test_a_costly_document_is_refused_with_its_measure(http: httpx.Client, text: str, message: str) -> None:
    answer = http.post("/graphql", json={"query": text})
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert message in error["message"]
    assert http.post("/graphql", json={"query": "{ viewer { username } }"}).status_code == 200


def test_errors_of_an_invalid_document_are_bounded(http: httpx.Client) -> None:
    text = "{" + " ".join(f"a{at}" for at in range(19_000)) + "}"
    answer = http.post("/graphql", json={"query": text})
    errors = answer.json()["errors"]
    assert answer.status_code == 400
    assert len(errors) == DEFAULT.errors + 1
    assert "Validation aborted" in errors[-1]["message"] or "Too many" in errors[-1]["message"]


def test_errors_of_a_response_are_bounded_and_counted(tmp_path: Path) -> None:
    text = "{" + " ".join(f'a{at}: organization(name: "x") {{ name }}' for at in range(9)) + "}"
    with (
        RunningServer(tmp_path / "data", query_limits=QueryLimits(errors=4)) as server,
        httpx.Client(base_url=server.url, auth=("api", server.api_key), trust_env=False) as client,
    ):
        errors = client.post("/graphql", json={"query": text}).json()["errors"]
    assert [each["message"] for each in errors[4:]] == ["5 more errors are not listed"]


def everything() -> str:
    """All operations of runql in one document, as `runql drift` sends them."""
    return "\n".join(path.read_text() for path in sorted((ROOT / "queries").glob("*.graphql")))


def test_all_operations_of_runql_in_one_document_are_far_below_each_limit() -> None:
    document = parse(everything())
    size = Measures(document).size
    assert document.loc is not None
    tokens, token = 0, document.loc.start_token
    while token.next is not None:
        tokens, token = tokens + 1, token.next
    assert MARGIN * len(everything()) < DEFAULT.length
    assert MARGIN * tokens < DEFAULT.tokens
    assert MARGIN * size.depth < DEFAULT.depth * 2, "depth does not grow with the number of operations"
    assert MARGIN * size.fields < DEFAULT.fields
    assert MARGIN * size.aliases < DEFAULT.aliases
    assert MARGIN * Measures(document).overlaps(DEFAULT.overlaps) < DEFAULT.overlaps
    assert excess(document) is None


def test_measures_count_fragments_where_they_are_spread() -> None:
    text = "fragment F on User { a: id entity { id } } { viewer { ...F ... on User { ...F b: id } } }"
    assert astuple(Measures(parse(text)).size) == (3, 1 + 2 * 3 + 1 + 3, 2 + 1 + 1)
    assert Size(1, 2, 3) + Size(4, 5, 6) == Size(4, 7, 9)


@examples(200)
@given(st.integers(0, 12), st.integers(0, 6))
def test_pairs_are_counted_as_validation_compares_them(same: int, nested: int) -> None:
    text = "{ a " + "x: b " * same + "c { d } " * nested + "}"
    pairs = same * (same - 1) // 2 + 2 * (nested * (nested - 1) // 2)
    assert Measures(parse(text)).overlaps(10**6) == pairs
    if pairs:
        assert excess(parse(text), QueryLimits(overlaps=pairs - 1)) is not None
    assert excess(parse(text), QueryLimits(overlaps=pairs)) is None
