"""Reading histories: windows, downsampling, rows with all keys, and unchanged values."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.profiles import examples

from runql_server.lenient_json import JsonValue
from runql_server.running import RunningServer
from runql_server.runs import sampling
from runql_server.seed import SeedRun

Query = Callable[..., dict[str, Any]]

RUN = 'query($min: Int64, $max: Int64, $n: Int, $specs: [JSONString!]!, $live: [String!]!) { project(name: "p") { run(name: "r") { history(minStep: $min, maxStep: $max, samples: $n) events(samples: $n) sampledHistory(specs: $specs) parquetHistory(liveKeys: $live) { parquetUrls liveData } historyKeys historyLineCount historyTail } } }'


def ask(
    query: Query, *, specs: list[object] | None = None, live: list[str] | None = None, **variables: object
) -> dict[str, Any]:
    texts = [json.dumps(spec) for spec in specs or []]
    body = query(RUN, specs=texts, live=live or [], **variables)
    assert "errors" not in body, body
    found: dict[str, Any] = body["data"]["project"]["run"]
    return found


@given(st.integers(0, 3000), st.integers(2, 700))
def test_positions_are_even_and_keep_the_ends(count: int, samples: int) -> None:
    found = list(sampling.positions(count, samples))
    assert len(found) == min(count, samples)
    assert found == sorted(set(found))
    if count:
        assert (found[0], found[-1]) == (0, count - 1)
    gaps = {later - earlier for earlier, later in pairwise(found)}
    assert not gaps or max(gaps) - min(gaps) <= 1


def test_one_sample_is_the_first() -> None:
    assert list(sampling.positions(5, 1)) == [0]


def test_windows_take_the_lower_bound_in_and_leave_the_upper_out(server: RunningServer, query: Query) -> None:
    server.seed("p", [SeedRun(name="r", history=[{"_step": step} for step in (0, 3, 5, 5.5, 6, 9)])])
    steps = [json.loads(text)["_step"] for text in ask(query, min=3, max=6)["history"]]
    assert steps == [3, 5, 5.5]
    inclusive = ask(query, specs=[{"keys": ["_step"], "minStep": 3, "maxStep": 6, "samples": 10}])[
        "sampledHistory"
    ]
    assert inclusive == [[{"_step": 3}, {"_step": 5}, {"_step": 5.5}, {"_step": 6}]]


def test_rows_come_in_step_order_whatever_the_line_order(server: RunningServer, query: Query) -> None:
    server.seed("p", [SeedRun(name="r", history=[{"_step": 2}, {"_step": 0}, {"_step": 1}])])
    found = ask(query, live=["_step"])
    assert [json.loads(text)["_step"] for text in found["history"]] == [0, 1, 2]
    assert found["parquetHistory"] == {
        "parquetUrls": [],
        "liveData": [{"_step": 0}, {"_step": 1}, {"_step": 2}],
    }


def test_more_rows_than_samples_are_thinned(server: RunningServer, query: Query) -> None:
    rows: list[dict[str, JsonValue]] = [{"_step": step, "x": step} for step in range(1000)]
    server.seed("p", [SeedRun(name="r", history=rows, events=rows)])
    found = ask(query, n=11, specs=[{"keys": ["x"], "samples": 11}])
    expected = [round(999 * index / 10) for index in range(11)]
    assert [json.loads(text)["x"] for text in found["history"]] == expected
    assert [json.loads(text)["x"] for text in found["events"]] == expected
    assert [row["x"] for row in found["sampledHistory"][0]] == expected


def test_samples_only_hold_rows_with_all_keys(server: RunningServer, query: Query) -> None:
    rows: list[dict[str, JsonValue]] = [
        {"_step": 0, "a": 1, "b": 2, "deep": {"x": 5}},
        {"_step": 1, "a": 3},
        {"_step": 2, "b": 4, "deep": {"y": 1}},
        {"_step": 3, "a": None, "b": 6, "deep": {"x": 7}, "deep.x": "literal"},
    ]
    server.seed("p", [SeedRun(name="r", history=rows)])
    specs = [{"keys": keys} for keys in (["a", "b"], ["_step"], ["_step", "deep.x"], ["a", "nope"])]
    assert ask(query, specs=list(specs))["sampledHistory"] == [
        [{"a": 1, "b": 2}, {"a": None, "b": 6}],
        [{"_step": 0}, {"_step": 1}, {"_step": 2}, {"_step": 3}],
        [{"_step": 0, "deep.x": 5}, {"_step": 3, "deep.x": "literal"}],
        [],
    ]


def test_numbers_come_back_bit_for_bit(server: RunningServer, http: httpx.Client) -> None:
    numbers = st.one_of(st.floats(), st.integers(-(2**70), 2**70))

    @examples(40)
    @given(st.lists(numbers, min_size=1, max_size=20))
    def check(values: list[float | int]) -> None:
        (name,) = server.seed("p", [SeedRun(history=[{"v": value} for value in values])])
        text = RUN.replace('"r"', json.dumps(name))
        body = {"query": text, "variables": {"specs": ['{"keys": ["v"]}'], "live": ["v"]}}
        run = json.loads(http.post("/graphql", json=body).text)["data"]["project"]["run"]
        for rows in (
            run["sampledHistory"][0],
            run["parquetHistory"]["liveData"],
            map(json.loads, run["history"]),
        ):
            assert [bits(row["v"]) for row in rows] == [bits(value) for value in values]

    check()


def bits(value: float | str) -> object:
    """A number by its bits; those that strict JSON lacks may be spelled out."""
    if isinstance(value, int):
        return value
    value = float(value)
    return "nan" if math.isnan(value) else struct.pack("d", value)


def test_a_run_without_rows(server: RunningServer, query: Query) -> None:
    server.seed("p", [SeedRun(name="r")])
    found = ask(query, specs=[{"keys": ["x"]}], live=["_step"])
    assert found == {
        "history": [],
        "events": [],
        "sampledHistory": [[]],
        "parquetHistory": {"parquetUrls": [], "liveData": []},
        "historyKeys": None,
        "historyLineCount": 0,
        "historyTail": "[]",
    }


def test_a_spec_without_keys_asks_for_nothing(server: RunningServer, query: Query) -> None:
    server.seed("p", [SeedRun(name="r", history=[{"x": 1}, {"x": 2}])])
    assert ask(query, specs=[{}, {"keys": ["x"]}], live=[])["sampledHistory"] == [[], [{"x": 1}, {"x": 2}]]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("{", "specs"),
        ('{"keys": "loss"}', "keys must be a list"),
        ('{"keys": [1]}', "keys must be a list"),
        ('{"keys": [], "samples": 0}', "samples"),
        ('{"keys": [], "samples": "many"}', "samples"),
        ('{"keys": [], "minStep": "x"}', "minStep"),
    ],
)
def test_a_bad_spec_is_refused(server: RunningServer, query: Query, spec: str, message: str) -> None:
    server.seed("p", [SeedRun(name="r")])
    body = query(RUN, specs=[spec], live=[])
    assert message in body["errors"][0]["message"]
    assert body["errors"][0]["path"] == ["project", "run", "sampledHistory"]


def test_console_lines_are_taken_apart_and_paged(server: RunningServer, query: Query) -> None:
    log = (
        "2026-01-02T03:04:05.123456 one",
        "ERROR 2026-01-02T03:04:06Z two",
        "three",
        "2026-01-02T03:04:05 ",
    )
    server.seed("p", [SeedRun(name="r", log=log)])
    text = 'query($first: Int, $last: Int, $after: String) { project(name: "p") { run(name: "r") { logLineCount logLines(first: $first, last: $last, after: $after) { edges { node { number timestamp level line } } pageInfo { hasNextPage endCursor } } } } }'
    page = query(text, first=2)["data"]["project"]["run"]
    assert page["logLineCount"] == 4
    assert [edge["node"] for edge in page["logLines"]["edges"]] == [
        {"number": 0, "timestamp": "2026-01-02T03:04:05.123456", "level": "", "line": "one"},
        {"number": 1, "timestamp": "2026-01-02T03:04:06", "level": "error", "line": "two"},
    ]
    rest = query(text, after=page["logLines"]["pageInfo"]["endCursor"])["data"]["project"]["run"]["logLines"]
    assert [edge["node"]["line"] for edge in rest["edges"]] == ["three", ""]
    assert rest["pageInfo"]["hasNextPage"] is False
    tail = query(text, last=1)["data"]["project"]["run"]["logLines"]["edges"]
    assert [edge["node"]["number"] for edge in tail] == [3]


def test_numbers_that_strict_json_lacks_are_spelled_out_in_rows_of_keys(
    server: RunningServer, http: httpx.Client
) -> None:
    rows = ['{"_step": 0, "a": NaN}', '{"_step": 1, "a": {"b": [Infinity, -Infinity]}}']
    server.seed("p", [SeedRun(name="r", history=rows)])
    variables = {"specs": [json.dumps({"keys": ["_step", "a"], "samples": 10})], "live": ["_step", "a"]}
    answer = http.post("/graphql", json={"query": RUN, "variables": variables})

    def refuse(token: str) -> float:
        raise AssertionError(f"{token} is not JSON")

    run = json.loads(answer.text, parse_constant=refuse)["data"]["project"]["run"]
    expected = [{"_step": 0, "a": "NaN"}, {"_step": 1, "a": {"b": ["Infinity", "-Infinity"]}}]
    assert run["sampledHistory"] == [expected]
    assert run["parquetHistory"]["liveData"] == expected
