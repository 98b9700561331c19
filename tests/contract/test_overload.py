"""Pages of histories that are too much for the server are halved, and nothing that was read is lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import httpx
import pytest
from tests.contract.both_clients import Face
from tests.contract.intercepting import Fault, InterceptingTransport, Sent

from runql import Api, IncompleteHistoriesError, QueryError, RequestTimedOutError, Runs, ServerFailureError
from runql.resources.runs.parts import counts
from runql_server.lenient_json import JsonInput
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

RUNS = 20
KEEPS_UP = 3


@pytest.fixture
def names(server: RunningServer, project: str) -> list[str]:
    rows = [{"loss": 1.0 / (step + 1)} for step in range(4)]
    return server.seed(project, [SeedRun(name=f"r{n:02}", history=rows) for n in range(RUNS)])


def failure(kind: str) -> Fault:
    match kind:
        case "502":
            return httpx.Response(502, text="<html>Bad Gateway</html>")
        case "timeout":
            return httpx.ReadTimeout("")
        case _:
            return httpx.Response(200, json={"errors": [{"message": "too complex"}], "data": None})


def sizes(transport: InterceptingTransport) -> list[int]:
    return [sent.variables["first"] for sent in transport.seen if sent.operation == "ListHistories"]


@pytest.mark.parametrize("kind", ["502", "timeout", "graphql"])
def test_a_page_that_is_too_much_is_halved_until_it_is_not(
    kind: str, names: list[str], server: RunningServer, project: str, face: Face
) -> None:
    def overload(sent: Sent) -> Fault:
        too_much = sent.operation == "ListHistories" and sent.variables["first"] > KEEPS_UP
        return failure(kind) if too_much and sent.answer is None else None

    transport = InterceptingTransport(overload)
    api = face.api(server.url, server.api_key, transport=transport)
    rows = face.take(face.take(api.runs(f"{server.entity}/{project}", per_page=16)).histories())
    unhindered = face.api(server.url, server.api_key)
    assert rows == face.take(face.take(unhindered.runs(f"{server.entity}/{project}")).histories())
    assert [row["run_id"] for row in rows] == [name for name in names for _ in range(4)]
    assert sizes(transport)[:4] == [16, 8, 4, 2]
    assert max(sizes(transport)[4:]) <= 2 * KEEPS_UP
    # Every page that fails is followed by one that does not: a bounded price, whatever the server can do.
    assert len(transport.seen) <= 2 * RUNS


@pytest.mark.parametrize(
    ("metrics", "keeps_up", "expected"),
    [
        (10_000, RUNS, [3, 10, 10]),
        (1, RUNS, [3, *[1] * 17]),
        (10_000, 4, [3, 10, 5, 3, 3, 3, 3, 6, 3, 3]),
        (10_000, 1, [3, 2, *[1] * 4, 2, *[1] * 4, 2, *[1] * 4, 2, *[1] * 4, 2, *[1] * 4]),
    ],
    ids=["few metrics", "many metrics", "an overload", "a run at a time"],
)
def test_pages_of_metrics_are_as_large_as_the_runs_before_allow(
    metrics: int,
    keeps_up: int,
    expected: list[int],
    names: list[str],
    server: RunningServer,
    project: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(counts, "FIRST_PAGE", 3)
    monkeypatch.setattr(counts, "MOST_A_PAGE", 10)
    monkeypatch.setattr(counts, "METRICS_A_PAGE", metrics)

    def overload(sent: Sent) -> Fault:
        return failure("502") if sent.variables.get("first", 0) > keeps_up and sent.answer is None else None

    transport = InterceptingTransport(overload)
    with Api(base_url=server.url, api_key=server.api_key, transport=transport) as api:
        lazy = api.runs(f"{server.entity}/{project}").scan_histories().lazy()
        assert [sent.variables["first"] for sent in transport.seen] == expected
        transport.seen.clear()
        rows = lazy.select("run_id", "loss").collect()
    assert rows["run_id"].to_list() == [name for name in names for _ in range(4)]
    assert rows["loss"].to_list() == [1.0, 1 / 2, 1 / 3, 1 / 4] * RUNS


COUNTING: Mapping[str, Callable[[Runs], object]] = {
    "a lazy frame": lambda runs: runs.scan_histories().lazy(),
    "parts of a scan": lambda runs: runs.scan_histories().split(2),
    "parts of a list": lambda runs: runs.split(2),
}


@pytest.mark.parametrize("read", COUNTING)
def test_a_run_that_cannot_be_counted_is_named(
    read: str, names: list[str], server: RunningServer, project: str
) -> None:
    def overload(sent: Sent) -> Fault:
        counts_it = sent.operation == "ListWholeHistories" and names[5] in (sent.answer or "")
        return failure("502") if counts_it else None

    transport = InterceptingTransport(overload)
    with Api(base_url=server.url, api_key=server.api_key, transport=transport, retries=0) as api:
        runs = api.runs(f"{server.entity}/{project}")
        with pytest.raises(IncompleteHistoriesError, match="was only what the server counts") as caught:
            COUNTING[read](runs)
    assert caught.value.failed == (names[5],)


@pytest.mark.parametrize(("metric", "first"), [("loss", 500), ("text", 50)])
def test_only_numbers_fill_the_first_page_of_a_lazy_query(
    metric: str, first: int, server: RunningServer, project: str
) -> None:
    row: dict[str, JsonInput] = {"loss": 0.5, "text": "a string of any length", "more": 1, "others": 2}
    server.seed(project, [SeedRun(name=f"r{n:02}", history=[row]) for n in range(60)])
    transport = InterceptingTransport(lambda _sent: None)
    with Api(base_url=server.url, api_key=server.api_key, transport=transport) as api:
        lazy = api.runs(f"{server.entity}/{project}").scan_histories().lazy()
        transport.seen.clear()
        assert lazy.select(metric).collect()[metric].to_list() == [row[metric]] * 60
        assert transport.seen[0].variables["first"] == first


def test_one_passing_failure_costs_one_request(
    names: list[str], server: RunningServer, project: str, face: Face
) -> None:
    def once(sent: Sent) -> Fault:
        return failure("502") if len(transport.seen) == 1 and sent.answer is None else None

    transport = InterceptingTransport(once)
    api = face.api(server.url, server.api_key, transport=transport)
    rows = face.take(face.take(api.runs(f"{server.entity}/{project}", per_page=10)).histories(1))
    assert [row["run_id"] for row in rows] == names
    assert sizes(transport)[:2] == [10, 5]
    assert len(sizes(transport)) <= 1 + RUNS // 5


@pytest.mark.parametrize("bad", [0, 7, RUNS - 1], ids=["first", "middle", "last"])
@pytest.mark.parametrize("kind", ["502", "graphql"])
def test_a_run_that_cannot_be_read_is_named_and_the_others_are_kept(
    kind: str, bad: int, names: list[str], server: RunningServer, project: str, face: Face
) -> None:
    def broken(sent: Sent) -> Fault:
        hit = sent.operation == "ListHistories" and f'"{names[bad]}"' in (sent.answer or "")
        return failure(kind) if hit else None

    client = face.client(server.url, server.api_key, transport=InterceptingTransport(broken))
    runs = face.runs(client, server.entity, project, per_page=8)
    with pytest.raises(IncompleteHistoriesError, match=names[bad]) as caught:
        face.take(runs.histories(format="polars"))
    assert caught.value.failed == (names[bad],)
    others = [name for name in names if name != names[bad]]
    assert list(dict.fromkeys(row["run_id"] for row in caught.value.partial)) == others
    assert len(caught.value.partial) == 4 * len(others)


@pytest.mark.parametrize(
    ("kind", "error"),
    [("502", ServerFailureError), ("timeout", RequestTimedOutError), ("graphql", QueryError)],
)
def test_a_server_that_fails_at_everything_fails_the_call(
    kind: str, error: type[Exception], names: list[str], server: RunningServer, face: Face
) -> None:
    transport = InterceptingTransport(lambda _sent: failure(kind))
    client = face.client(server.url, server.api_key, transport=transport)
    with pytest.raises(error):
        face.take(face.runs(client, server.entity, "any", per_page=16).histories())
    assert [sent.variables["first"] for sent in transport.seen] == [16, 8, 4, 2, 1, 1]


def test_a_refusal_is_not_asked_again_in_halves(server: RunningServer, project: str, face: Face) -> None:
    transport = InterceptingTransport(lambda _sent: httpx.Response(403, json={"error": "permission denied"}))
    client = face.client(server.url, server.api_key, transport=transport)
    with pytest.raises(Exception, match="permission denied"):
        face.take(face.runs(client, server.entity, project).histories())
    assert len(transport.seen) == 1
