"""The file stream: idempotent offsets, history keys, states, and no loss of acknowledged rows."""

from __future__ import annotations

import gzip
import json
import signal
import tempfile
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.patience import PATIENCE
from tests.profiles import examples
from tests.server.server_process import start

from runql_server.access import auth
from runql_server.running import RunningServer
from runql_server.runs import lines
from runql_server.runs.history_keys import HistoryKeys
from runql_server.seed import SeedRun, seed_runs
from runql_server.storage.store import Store

Query = Callable[..., dict[str, Any]]

STATE = 'query { project(name: "p") { run(name: "r") { state exitcode historyLineCount history summaryMetrics systemMetrics stopped historyKeys heartbeatAt logLineCount } } }'


def post(http: httpx.Client, body: object, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return http.post("/files/local/p/r/file_stream", content=content, headers=headers)


def chunk(offset: int, *rows: object) -> dict[str, object]:
    return {
        "files": {"wandb-history.jsonl": {"offset": offset, "content": [json.dumps(row) for row in rows]}}
    }


def state(query: Query) -> dict[str, Any]:
    found: dict[str, Any] = query(STATE)["data"]["project"]["run"]
    return found


def test_a_repeated_chunk_changes_nothing(server: RunningServer, http: httpx.Client, query: Query) -> None:
    server.seed("p", [SeedRun(name="r")])
    rows = [{"_step": step, "x": step / 3} for step in range(5)]
    assert post(http, chunk(0, *rows)).json() == {}
    once = state(query)
    assert post(http, chunk(0, *rows)).status_code == 200
    assert post(http, chunk(3, *rows[3:])).status_code == 200
    again = state(query)
    assert [again[key] for key in ("history", "historyKeys")] == [
        once[key] for key in ("history", "historyKeys")
    ]
    assert again["historyLineCount"] == 5


def test_an_overlapping_chunk_overwrites_from_its_offset(
    server: RunningServer, http: httpx.Client, query: Query
) -> None:
    server.seed("p", [SeedRun(name="r")])
    post(http, chunk(0, {"_step": 0}, {"_step": 1, "old": 1}, {"_step": 2}))
    post(http, chunk(1, {"_step": 1, "new": "text"}, {"_step": 2}, {"_step": 3}))
    found = state(query)
    assert [json.loads(text) for text in found["history"]] == [
        {"_step": 0},
        {"_step": 1, "new": "text"},
        {"_step": 2},
        {"_step": 3},
    ]
    assert sorted(found["historyKeys"]["keys"]) == ["_step", "new"]
    assert found["historyKeys"]["keys"]["_step"]["typeCounts"] == [{"type": "number", "count": 4}]
    assert found["historyKeys"]["lastStep"] == 3


plain = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.floats(), st.text(max_size=3))
values = st.recursive(
    plain,
    lambda inner: st.one_of(
        st.lists(inner, max_size=2),
        st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
        st.just({"_type": "histogram", "values": [1]}),
    ),
    max_leaves=4,
)
rows = st.lists(
    st.dictionaries(st.sampled_from(["_step", "x", "y"]), values, max_size=3), min_size=1, max_size=12
)


@given(rows, st.data())
@examples(40)
def test_keys_kept_on_the_way_equal_keys_counted_at_the_end(
    all_rows: list[dict[str, Any]], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(Store(Path(folder))) as store:
        with store.writing() as connection:
            auth.add_key(connection, "k")
        seed_runs(store, project="p", runs=[SeedRun()])
        texts = [json.dumps(row) for row in all_rows]
        sent = 0
        while sent < len(texts):
            start = data.draw(st.integers(0, sent))
            stop = data.draw(st.integers(sent + 1, len(texts)))
            with store.writing() as connection:
                lines.write_history(connection, 1, lines.parse_history(texts[start:stop], start))
            sent = stop
        with store.reading() as connection:
            kept = lines.load_history_keys(connection, 1)
            counted = lines.recompute_history_keys(connection, 1)
        assert kept is not None
        assert kept.to_string() == counted.to_string()
        assert HistoryKeys.from_string(counted.to_string()).to_string() == counted.to_string()


def test_types_are_counted_and_numbers_that_never_fall_are_monotonic() -> None:
    keys = HistoryKeys()
    for step, value in enumerate([1, 2.5, 2.5]):
        keys.fold(
            {"up": value, "down": -step, "mixed": value if step else "text", "h": {"_type": "histogram"}},
            step,
        )
    document: Any = keys.to_json()
    assert document["keys"]["up"] == {
        "typeCounts": [{"type": "number", "count": 3}],
        "previousValue": 2.5,
        "monotonic": True,
    }
    assert document["keys"]["down"]["monotonic"] is False
    assert document["keys"]["mixed"]["typeCounts"] == [
        {"type": "string", "count": 1},
        {"type": "number", "count": 2},
    ]
    assert document["keys"]["h"] == {"typeCounts": [{"type": "histogram", "count": 3}]}
    assert document["sets"] == [["down", "h", "mixed", "up"]]
    assert document["lastStep"] == 2


def test_summary_events_and_console_arrive(server: RunningServer, http: httpx.Client, query: Query) -> None:
    server.seed("p", [SeedRun(name="r", state="running")])
    summary = '{"loss": NaN, "big": 9007199254740993,  "kept": "as sent"}'
    body = {
        "files": {
            "wandb-summary.json": {"offset": 0, "content": [summary]},
            "wandb-events.jsonl": {
                "offset": 0,
                "content": ['{"system.cpu": 1, "_runtime": 2}', '{"system.gpu": 3}'],
            },
            "output.log": {"offset": 0, "content": ["one\n", "two\n"]},
            "diff.patch": {"offset": 0, "content": ["unknown streams do no harm"]},
        }
    }
    packed = gzip.compress(json.dumps(body).encode())
    assert post(http, packed, **{"content-encoding": "gzip"}).status_code == 200
    found = state(query)
    assert found["summaryMetrics"] == summary
    assert json.loads(found["systemMetrics"]) == {"system.cpu": 1, "system.gpu": 3}
    assert found["logLineCount"] == 2
    count = query(
        'query { project(name: "p") { runCount(filters: "{\\"summary_metrics.big\\": 9007199254740993}") } }'
    )
    assert count["data"]["project"]["runCount"] == 1


STATES: list[tuple[list[object], str]] = [
    ([{}], "running"),
    ([{"complete": True, "exitcode": 0}], "finished"),
    ([{"complete": True, "exitcode": 3}], "failed"),
    ([{"preempting": True}], "preempting"),
    ([{"preempting": True}, {}], "preempting"),
    ([{"preempting": True}, {"complete": True, "exitcode": 1}], "preempted"),
    ([{"complete": True, "exitcode": 1}, {}], "running"),
]


@pytest.mark.parametrize(("bodies", "expected"), STATES)
def test_states(
    server: RunningServer, http: httpx.Client, query: Query, bodies: list[object], expected: str
) -> None:
    server.seed("p", [SeedRun(name="r", state="finished")])
    for body in bodies:
        assert post(http, body).status_code == 200
    assert state(query)["state"] == expected


def test_a_run_that_falls_silent_has_crashed_until_it_speaks_again(
    server: RunningServer, http: httpx.Client, query: Query
) -> None:
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    server.seed("p", [SeedRun(name="r", state="running", created_at=long_ago, heartbeat_at=long_ago)])
    assert state(query)["state"] == "crashed"
    crashed = 'query { project(name: "p") { runCount(filters: "{\\"state\\": \\"crashed\\"}") } }'
    assert query(crashed)["data"]["project"]["runCount"] == 1
    post(http, {})
    assert state(query)["state"] == "running"
    assert query(crashed)["data"]["project"]["runCount"] == 0


def test_a_stop_reaches_the_process_with_the_next_answer(
    server: RunningServer, http: httpx.Client, query: Query
) -> None:
    server.seed("p", [SeedRun(name="r")])
    opaque = query('query { project(name: "p") { run(name: "r") { id } } }')["data"]["project"]["run"]["id"]
    stopped = query("mutation($id: ID!) { stopRun(input: {id: $id}) { success } }", id=opaque)
    assert stopped["data"]["stopRun"] == {"success": True}
    assert post(http, {}).json() == {"stopped": True}
    assert state(query)["stopped"] is True


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "not valid JSON"),
        (b"\xff", "cannot be read"),
        (b"[]", "JSON object"),
        ({"files": {"wandb-history.jsonl": []}}, "wandb-history.jsonl"),
        ({"files": {"wandb-history.jsonl": {"offset": -1, "content": []}}}, "offset"),
        ({"files": {"wandb-history.jsonl": {"offset": "0", "content": []}}}, "offset"),
        ({"files": {"wandb-history.jsonl": {"offset": 0, "content": "x"}}}, "content"),
        ({"files": {"wandb-history.jsonl": {"offset": 0, "content": ["{}", "[1]"]}}}, "history line 1"),
    ],
)
def test_a_bad_chunk_is_refused_whole(
    server: RunningServer, http: httpx.Client, query: Query, body: object, message: str
) -> None:
    server.seed("p", [SeedRun(name="r")])
    answer = post(http, body)
    assert (answer.status_code, message in answer.json()["error"]) == (400, True)
    assert state(query)["historyLineCount"] == 0
    assert http.post("/files/local/p/absent/file_stream", content=b"{}").status_code == 404


def test_kill_9_loses_no_acknowledged_row(tmp_path: Path) -> None:
    process, url, key = start(tmp_path / "data")
    assert key is not None
    acknowledged = 0
    try:
        with httpx.Client(base_url=url, auth=("api", key), trust_env=False) as client:
            create = 'mutation { upsertBucket(input: {modelName: "p", name: "r"}) { inserted } }'
            assert client.post("/graphql", json={"query": create}).json()["data"]["upsertBucket"]["inserted"]
            for offset in range(0, 60, 3):
                answer = post(client, chunk(offset, *({"_step": offset + index} for index in range(3))))
                acknowledged += 3 if answer.status_code == 200 else 0
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert acknowledged == 60
    process, url, printed_again = start(tmp_path / "data")
    try:
        assert printed_again is None
        with httpx.Client(base_url=url, auth=("api", key), trust_env=False) as client:
            found = client.post("/graphql", json={"query": STATE}).json()["data"]["project"]["run"]
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
    assert [json.loads(text)["_step"] for text in found["history"]] == list(range(acknowledged))
    assert found["historyKeys"]["lastStep"] == acknowledged - 1
