"""Exports of histories: which runs have them, their contents, invalidation, and downloads."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runql_server.exports.policy import ExportPolicy
from runql_server.lenient_json import JsonValue
from runql_server.running import RunningServer
from runql_server.runs import history_exports
from runql_server.seed import SeedRun
from runql_server.storage.store import Store

QUERY = 'query($live: [String!]!) { project(name: "p") { run(name: "r") { id parquetHistory(liveKeys: $live) { parquetUrls liveData } } } }'


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    """A server that exports every ended run, in small pieces."""
    policy = ExportPolicy(above_rows=0, rows_per_file=10, rows_per_group=4)
    with RunningServer(tmp_path / "server", export_policy=policy) as running:
        yield running


def ask(http: httpx.Client, live: tuple[str, ...] = ("_step",)) -> dict[str, Any]:
    body = http.post("/graphql", json={"query": QUERY, "variables": {"live": list(live)}}).json()
    assert "errors" not in body, body
    found: dict[str, Any] = body["data"]["project"]["run"]
    return found


def exports(http: httpx.Client, live: tuple[str, ...] = ("_step",)) -> tuple[list[str], list[JsonValue]]:
    found = ask(http, live)["parquetHistory"]
    return found["parquetUrls"], found["liveData"]


def tables(urls: list[str]) -> list[pa.Table]:
    # Without the key: the address is enough.
    bodies = [httpx.get(url, trust_env=False).raise_for_status().content for url in urls]
    # The stub of `read` has a list without its items.
    return [pq.ParquetFile(io.BytesIO(body)).read() for body in bodies]  # pyright: ignore[reportUnknownMemberType] - see above


def steps(urls: list[str]) -> list[int]:
    found = [row["_step"] for table in tables(urls) for row in table.to_pylist()]
    return sorted(found)


def stream(
    http: httpx.Client, offset: int, rows: list[dict[str, JsonValue]], *, complete: bool = False
) -> None:
    texts = [json.dumps(row) for row in rows]
    files = {"wandb-history.jsonl": {"offset": offset, "content": texts}}
    body = {"files": files, "complete": complete, "exitcode": 0}
    http.post("/files/local/p/r/file_stream", json=body).raise_for_status()


def test_an_ended_run_is_exported_when_it_is_asked_for(server: RunningServer, http: httpx.Client) -> None:
    server.seed("p", [SeedRun(name="r", history=[{"_step": step, "loss": step / 7} for step in range(25)])])
    urls, live = exports(http)
    assert (len(urls), live) == (3, [])
    assert steps(urls) == list(range(25))
    again, _ = exports(http)
    assert [httpx.URL(url).path for url in again] == [httpx.URL(url).path for url in urls]
    groups = pq.ParquetFile(io.BytesIO(httpx.get(urls[0], trust_env=False).content)).metadata
    assert [groups.row_group(index).num_rows for index in range(groups.num_row_groups)] == [4, 4, 2]
    bounds = groups.row_group(1).column(0).statistics
    assert bounds is not None
    assert (bounds.min, bounds.max) == (4, 7)


@pytest.mark.parametrize("state", ["running", "pending", "preempting"])
def test_a_run_that_may_still_log_is_live(server: RunningServer, http: httpx.Client, state: str) -> None:
    server.seed("p", [SeedRun(name="r", state=state, history=[{"loss": 1}])])
    assert exports(http) == ([], [{"_step": 0}])


def test_short_histories_stay_live_by_default(tmp_path: Path) -> None:
    with (
        RunningServer(tmp_path / "server") as server,
        httpx.Client(base_url=server.url, auth=("api", server.api_key), trust_env=False) as http,
    ):
        server.seed("p", [SeedRun(name="r", history=[{"loss": 1}])])
        assert exports(http) == ([], [{"_step": 0}])


def test_a_column_has_the_type_of_its_values(server: RunningServer, http: httpx.Client) -> None:
    rows: list[dict[str, JsonValue]] = [
        {
            "int": 2**53 + 1,
            "float": math.nan,
            "both": 1,
            "flag": True,
            "text": "ü",
            "list": [1, 2],
            "nested": {"a": {"b": 1}},
            "dotted.name": 3,
            "mixed": 1,
            "big": 2**63,
            "null": None,
            "hollow": {},
            "_step": 0,
        },
        {"float": 0.5, "both": 0.5, "nested": {"c": "x"}, "mixed": "x", "_step": 1},
    ]
    server.seed("p", [SeedRun(name="r", history=rows)])
    (table,) = tables(exports(http)[0])
    columns = {name: table.column(name) for name in table.column_names}
    inner = pa.struct([pa.field("a", pa.struct([pa.field("b", pa.int64())])), pa.field("c", pa.string())])
    assert {name: column.type for name, column in columns.items()} == {
        "_step": pa.int64(),
        "int": pa.int64(),
        "float": pa.float64(),
        "both": pa.float64(),
        "flag": pa.bool_(),
        "text": pa.string(),
        "list": pa.list_(pa.int64()),
        "nested": inner,
        "dotted.name": pa.int64(),
        "mixed": pa.binary(),
        "big": pa.binary(),
        "null": pa.binary(),
        "hollow": pa.binary(),
    }
    assert columns["int"].to_pylist() == [2**53 + 1, None]
    assert repr(columns["float"].to_pylist()) == "[nan, 0.5]"
    assert columns["mixed"].to_pylist() == [b"1", b'"x"']
    assert columns["big"].to_pylist() == [b"9223372036854775808", None]
    assert columns["null"].to_pylist() == [b"null", None], "logged as null, and not logged"
    assert columns["nested"].to_pylist() == [{"a": {"b": 1}, "c": None}, {"a": None, "c": "x"}]


def test_rows_of_a_resumed_run_are_live_until_it_ends_again(
    server: RunningServer, http: httpx.Client
) -> None:
    server.seed("p", [SeedRun(name="r", history=[{"loss": step} for step in range(5)])])
    before, _ = exports(http)
    stream(http, 5, [{"_step": 5, "loss": 0}, {"_step": 3, "late": 1}])
    urls, live = exports(http)
    assert [httpx.URL(url).path for url in urls] == [httpx.URL(url).path for url in before]
    assert live == [{"_step": 3}, {"_step": 5}]
    assert exports(http, ("_step", "late"))[1] == [{"_step": 3, "late": 1}]
    stream(http, 7, [], complete=True)
    urls, live = exports(http)
    assert live == []
    assert steps(urls) == [0, 1, 2, 3, 3, 4, 5]


def test_lines_that_were_written_over_are_exported_anew(server: RunningServer, http: httpx.Client) -> None:
    server.seed("p", [SeedRun(name="r", history=[{"loss": step} for step in range(25)])])
    before, _ = exports(http)
    stream(http, 12, [{"_step": 12, "loss": -1}])
    urls, live = exports(http)
    assert len(urls) == 1, "the file before the line still counts"
    assert live == [{"_step": step} for step in range(10, 25)]
    stream(http, 25, [], complete=True)
    urls, live = exports(http)
    assert live == []
    losses = {row["_step"]: row["loss"] for table in tables(urls) for row in table.to_pylist()}
    assert losses == {step: -1 if step == 12 else step for step in range(25)}
    assert httpx.get(before[1], trust_env=False).status_code == 404
    assert len([path for path in server.store.blobs.rglob("*") if path.is_file()]) == 3


def test_a_request_does_not_wait_for_long_files(tmp_path: Path) -> None:
    policy = ExportPolicy(above_rows=0, patience=0)
    with (
        RunningServer(tmp_path / "server", export_policy=policy) as server,
        httpx.Client(base_url=server.url, auth=("api", server.api_key), trust_env=False) as http,
    ):
        server.seed("p", [SeedRun(name="r", history=[{"loss": step} for step in range(3_000)])])
        urls, live = exports(http)
        while not urls:
            assert len(live) == 3_000, "all rows are live until the file is complete"
            urls, live = exports(http)
        assert (steps(urls), live) == ([*range(3_000)], [])


def test_what_is_being_written_is_left_off_when_the_server_stops(tmp_path: Path) -> None:
    policy = ExportPolicy(above_rows=0, patience=0)
    with (
        RunningServer(tmp_path / "server", export_policy=policy) as server,
        httpx.Client(base_url=server.url, auth=("api", server.api_key), trust_env=False) as http,
    ):
        server.seed("p", [SeedRun(name="r", history=[{"loss": step} for step in range(20_000)])])
        assert len(exports(http)[1]) == 20_000
    left = Store(tmp_path / "server")
    with left.connection() as connection:
        ready = {export.blob for export in history_exports.ready(connection, 1)}
    left.close()
    assert {path.name for path in left.blobs.rglob("*") if path.is_file()} == ready
    again = RunningServer(tmp_path / "server", export_policy=ExportPolicy(above_rows=0))
    with again, httpx.Client(base_url=again.url, auth=("api", again.api_key), trust_env=False) as http:
        assert steps(exports(http)[0]) == [*range(20_000)]


def test_a_name_that_no_column_can_have_keeps_the_run_live(server: RunningServer, http: httpx.Client) -> None:
    server.seed("p", [SeedRun(name="r", history=['{"_step": 0, "\\ud800": 1}'])])
    assert exports(http) == ([], [{"_step": 0}])
    assert not [path for path in server.store.blobs.rglob("*") if path.is_file()]


def test_files_are_served_in_ranges_to_whoever_has_the_address(
    server: RunningServer, http: httpx.Client
) -> None:
    server.seed("p", [SeedRun(name="r", history=[{"loss": step} for step in range(5)])])
    (url,) = exports(http)[0]
    whole = httpx.get(url, trust_env=False)
    head = httpx.head(url, trust_env=False)
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) == len(whole.content)
    tail = httpx.get(url, headers={"Range": "bytes=-8"}, trust_env=False)
    assert (tail.status_code, tail.content) == (206, whole.content[-8:])
    assert tail.headers["etag"] == whole.headers["etag"]
    changed = httpx.URL(url).copy_set_param("expires", "99999999999")
    assert httpx.get(changed, trust_env=False).status_code == 403


def test_a_deleted_run_leaves_no_bytes(server: RunningServer, http: httpx.Client) -> None:
    server.seed("p", [SeedRun(name="r", history=[{"loss": 1}])])
    run = ask(http)
    assert [path for path in server.store.blobs.rglob("*") if path.is_file()]
    deletion = "mutation($id: ID!) { deleteRun(input: {id: $id}) { clientMutationId } }"
    http.post("/graphql", json={"query": deletion, "variables": {"id": run["id"]}}).raise_for_status()
    assert not [path for path in server.store.blobs.rglob("*") if path.is_file()]


@pytest.mark.parametrize("name", ["above_rows", "rows_per_file", "rows_per_group"])
def test_a_policy_is_checked(name: str) -> None:
    with pytest.raises(ValueError, match="an export needs rows"):
        ExportPolicy(**{name: -1})
