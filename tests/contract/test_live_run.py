"""A run that logs while it is read, and a list that shifts between two pages."""

from __future__ import annotations

import json

import httpx
import pytest
from tests.contract.both_clients import AnyRun, Face, Row
from tests.contract.intercepting import Fault, InterceptingTransport, Sent

from runql.resources.runs import state as run_state
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

STARTED = 40


@pytest.fixture
def run(server: RunningServer, project: str, face: Face) -> AnyRun:
    """A running run, read when it had forty rows."""
    rows = [row(step) for step in range(STARTED)]
    server.seed(project, [SeedRun(name="live", state="running", history=rows)])
    return face.take(face.api(server.url, server.api_key).run(f"{server.entity}/{project}/live"))


def row(step: int) -> Row:
    return {"_step": step, "loss": step / 4}


def log(server: RunningServer, project: str, steps: range) -> None:
    """Log rows as the SDK does."""
    chunk = {"offset": steps.start, "content": [json.dumps(row(step)) for step in steps]}
    answer = httpx.post(
        f"{server.url}/files/{server.entity}/{project}/live/file_stream",
        json={"files": {"wandb-history.jsonl": chunk}},
        auth=("api", server.api_key),
        trust_env=False,
    )
    answer.raise_for_status()


@pytest.mark.parametrize("size", [1, 7, 40, 41, 1000])
@pytest.mark.parametrize("keys", [None, ["loss"]], ids=["whole", "keys"])
def test_rows_logged_since_the_run_was_read_are_scanned(
    keys: list[str] | None, size: int, run: AnyRun, server: RunningServer, project: str, face: Face
) -> None:
    log(server, project, range(STARTED, 90))
    server.clear()
    assert face.items(run.scan_history(keys, size)) == [row(step) for step in range(90)]
    assert len(server.requests) <= -(-90 // size) + 1


@pytest.mark.parametrize(("size", "reached"), [(10, 120), (39, 120), (40, STARTED), (1000, STARTED)])
def test_rows_logged_while_the_scan_is_read_are_scanned_too(
    size: int, reached: int, run: AnyRun, server: RunningServer, project: str, face: Face
) -> None:
    def go_on(sent: Sent) -> Fault:
        if sent.answer is not None and sent.variables.get("minStep") == 0:
            log(server, project, range(STARTED, 120))
        return None

    api = face.api(server.url, server.api_key, transport=InterceptingTransport(go_on))
    scanned = face.take(api.run(f"{server.entity}/{project}/{run.id}"))
    # Where one answer brings all there is, what comes after it is for the next scan.
    assert face.items(scanned.scan_history(page_size=size)) == [row(step) for step in range(reached)]
    assert face.items(scanned.scan_history(page_size=size)) == [row(step) for step in range(120)]


@pytest.mark.parametrize("told", [-1, 0, 25])
@pytest.mark.parametrize("size", [10, 1000])
def test_rows_beyond_the_last_step_that_the_server_tells_of_are_scanned(
    size: int, told: int, run: AnyRun, server: RunningServer, project: str, face: Face
) -> None:
    def lag(sent: Sent) -> Fault:
        if sent.answer is None:
            return None
        answer = json.loads(sent.answer)
        found = answer["data"]["project"]["run"]
        if found.get("historyKeys"):
            found["historyKeys"]["lastStep"] = told
        return httpx.Response(200, json=answer)

    transport = InterceptingTransport(lag)
    api = face.api(server.url, server.api_key, transport=transport)
    lagging = face.take(api.run(f"{server.entity}/{project}/{run.id}"))
    assert face.items(lagging.scan_history(page_size=size)) == [row(step) for step in range(STARTED)]


def test_a_run_that_ends_while_one_waits_is_over(
    run: AnyRun, server: RunningServer, project: str, face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_state, "POLL_SECONDS", 0.01)

    def end(sent: Sent) -> Fault:
        if sent.answer is not None and sent.operation == "GetRunState":
            httpx.post(
                f"{server.url}/files/{server.entity}/{project}/live/file_stream",
                json={"complete": True, "exitcode": 3},
                auth=("api", server.api_key),
                trust_env=False,
            ).raise_for_status()
        return None

    api = face.api(server.url, server.api_key, transport=InterceptingTransport(end))
    waiting = face.take(api.run(f"{server.entity}/{project}/{run.id}"))
    face.wait(waiting, None)
    assert waiting.state == "failed"
    assert api.traffic.requests == 3


def test_a_list_that_shifts_shows_no_run_twice(server: RunningServer, project: str, face: Face) -> None:
    names = server.seed(project, [SeedRun(name=f"r{n}", summary={"score": 10 - n}) for n in range(6)])
    api = face.api(server.url, server.api_key)
    runs = face.take(
        api.runs(f"{server.entity}/{project}", order="-summary_metrics.score", per_page=3, lazy=True)
    )
    first = face.items(runs, 3)
    assert [run.id for run in first] == names[:3]
    rescore(server, first[0].storage_id, 0)
    everything = [run.id for run in face.items(runs)]
    assert everything == names
    assert face.take(runs.length) == len(everything)
    fresh = face.take(api.runs(f"{server.entity}/{project}", order="-summary_metrics.score", lazy=True))
    assert [run.id for run in face.items(fresh)] == [*names[1:], names[0]]


def test_histories_of_a_list_that_shifts_hold_no_run_twice(
    server: RunningServer, project: str, face: Face
) -> None:
    rows = [{"loss": 1.0}]
    names = server.seed(
        project, [SeedRun(name=f"r{n}", summary={"score": 10 - n}, history=rows) for n in range(6)]
    )
    storage = face.take(face.api(server.url, server.api_key).run(f"{server.entity}/{project}/r0")).storage_id

    def shift(sent: Sent) -> Fault:
        if sent.answer is not None and sent.variables.get("after") is None:
            rescore(server, storage, 0)
        return None

    api = face.api(server.url, server.api_key, transport=InterceptingTransport(shift))
    runs = face.take(api.runs(f"{server.entity}/{project}", order="-summary_metrics.score", per_page=3))
    assert [each["run_id"] for each in face.take(runs.histories())] == names
    assert api.traffic.requests == 3


def rescore(server: RunningServer, storage_id: str, score: int) -> None:
    """Change a run's summary, as the SDK does."""
    mutation = "mutation M($id: String, $text: JSONString) { upsertBucket(input: {id: $id, summaryMetrics: $text}) { bucket { id } } }"
    answer = httpx.post(
        f"{server.url}/graphql",
        json={"query": mutation, "variables": {"id": storage_id, "text": json.dumps({"score": score})}},
        auth=("api", server.api_key),
        trust_env=False,
    )
    assert "errors" not in answer.json(), answer.text
