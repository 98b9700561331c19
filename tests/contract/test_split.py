"""Parts of lists and scans: together the whole, each the same whenever it is read, few requests."""

from __future__ import annotations

import json
import pickle

import httpx
import polars as pl
import pytest
from tests.contract.both_clients import AnyApi, Face, Row
from tests.contract.untyped import Untyped, held, listed, taken

from runql import IncompleteHistoriesError, PartialResultWarning, RunNotFoundError
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

ROWS = [3, 0, 40, 7, 7, 1200, 1, 0, 25]


def seed(server: RunningServer, project: str, rows: list[int] = ROWS, *, state: str = "finished") -> None:
    server.seed(
        project,
        (
            SeedRun(name=f"r{place}", state=state, history=[row(step, place) for step in range(count)])
            for place, count in enumerate(rows)
        ),
    )
    server.clear()


def row(step: int, place: int) -> Row:
    logged: Row = {"_step": step, "loss": (place + 1) / (step + 1)}
    return logged | {"rare": step} if step % 10 == 0 else logged


def log(server: RunningServer, project: str, place: int, steps: range) -> None:
    """Log rows as the SDK does."""
    chunk = {"offset": steps.start, "content": [json.dumps(row(step, place)) for step in steps]}
    httpx.post(
        f"{server.url}/files/{server.entity}/{project}/r{place}/file_stream",
        json={"files": {"wandb-history.jsonl": chunk}},
        auth=("api", server.api_key),
        trust_env=False,
    ).raise_for_status()


@pytest.fixture
def api(server: RunningServer, face: Face) -> AnyApi:
    return face.api(server.url, server.api_key)


@pytest.fixture
def runs(server: RunningServer, api: Untyped, project: str, face: Face) -> Untyped:
    seed(server, project)
    return taken(face, api.runs(f"{server.entity}/{project}"))


def together(face: Face, parts: Untyped) -> Untyped:
    return pl.concat([taken(face, part.collect()) for part in parts], how="diagonal_relaxed")


@pytest.mark.parametrize("keys", [None, ["loss"], ["loss", "rare"]], ids=["whole", "one key", "two keys"])
@pytest.mark.parametrize("n", [1, 2, 4, 9, 50])
def test_the_parts_together_are_the_whole(n: int, keys: list[str] | None, runs: Untyped, face: Face) -> None:
    scan = runs.scan_histories(keys)
    whole = taken(face, scan.collect())
    parts = taken(face, scan.split(n))
    assert len(parts) == min(n, len(ROWS))
    assert together(face, parts).select(whole.columns).equals(whole)


def test_a_split_sends_one_request_and_a_part_as_many_as_its_pages(
    runs: Untyped, face: Face, server: RunningServer
) -> None:
    parts = taken(face, runs.scan_histories(["loss"]).split(3))
    assert [request.operation for request in server.requests] == ["ListWholeHistories"]
    server.clear()
    taken(face, parts[0].collect())
    assert len(server.requests) == 1


def test_the_counts_of_a_split_choose_the_pages_of_its_parts(
    server: RunningServer, api: Untyped, project: str, face: Face
) -> None:
    seed(server, project, [2000] * 10)
    runs = taken(face, api.runs(f"{server.entity}/{project}"))
    parts = taken(face, runs.scan_histories(["loss"]).split(2))
    server.clear()
    assert [taken(face, part.collect()).height for part in parts] == [10_000, 10_000]
    assert len(server.requests) == 2


def test_a_list_of_more_runs_takes_a_request_for_each_500(
    server: RunningServer, api: Untyped, project: str, face: Face
) -> None:
    seed(server, project, [1] * 1001)
    runs = taken(face, api.runs(f"{server.entity}/{project}"))
    parts = taken(face, runs.split(4))
    assert len(server.requests) == 3
    assert [taken(face, part.length) for part in parts] == [250, 250, 250, 251]


def test_a_list_that_was_read_is_split_without_a_request(
    runs: Untyped, face: Face, server: RunningServer
) -> None:
    names = [run.id for run in listed(face, runs)]
    server.clear()
    parts = taken(face, runs.split(4))
    assert server.requests == []
    assert [run.id for part in parts for run in listed(face, part)] == names


@pytest.mark.parametrize("lazy", [False, True])
def test_parts_of_a_list_are_the_list_whatever_changes(
    lazy: bool, server: RunningServer, api: Untyped, project: str, face: Face
) -> None:
    seed(server, project)
    runs = taken(face, api.runs(f"{server.entity}/{project}", order="-created_at", lazy=lazy, per_page=2))
    parts = taken(face, runs.split(2))
    names = [run.id for run in listed(face, runs)]
    server.seed(project, [SeedRun(name="later")])
    found = [run for part in parts for run in listed(face, part)]
    assert [run.id for run in found] == names
    if face.name == "sync":
        assert [run.config for run in found] == [{}] * len(names)


def test_rows_and_runs_that_come_later_are_in_no_part(
    server: RunningServer, api: Untyped, project: str, face: Face
) -> None:
    seed(server, project, [30, 5, 0, 600], state="running")
    scan = taken(face, api.runs(f"{server.entity}/{project}")).scan_histories()
    before = taken(face, scan.collect())
    parts = taken(face, scan.split(3))
    for place, steps in enumerate([range(30, 900), range(5, 6), range(3), range(600, 700)]):
        log(server, project, place, steps)
    server.seed(project, [SeedRun(name="later", history=[{"_step": 0, "loss": 1.0}])])
    again = together(face, parts).select(before.columns)
    assert again.equals(before)
    assert together(face, pickle_free(parts)).select(before.columns).equals(before)
    assert taken(face, scan.collect()).height > before.height


def pickle_free(parts: Untyped) -> Untyped:
    return [part.with_key(held(part, "_client").settings.api_key) for part in parts]


@pytest.mark.parametrize("keys", [["loss"], ["loss", "rare"]])
def test_grown_runs_end_at_the_step_of_the_split_with_keys_and_portions_too(
    keys: list[str], server: RunningServer, api: Untyped, project: str, face: Face
) -> None:
    seed(server, project, [300, 20], state="running")
    scan = taken(face, api.runs(f"{server.entity}/{project}")).scan_histories(
        keys, page_size=50, max_concurrency=2
    )
    before = taken(face, scan.collect())
    (part,) = taken(face, scan.split(1))
    log(server, project, 0, range(300, 1000))
    frames = listed(face, part)
    assert pl.concat(frames, how="diagonal_relaxed").select(before.columns).equals(before)


def test_a_run_that_was_deleted_since_is_named(
    runs: Untyped, api: Untyped, project: str, face: Face, server: RunningServer
) -> None:
    parts = taken(face, runs.scan_histories(["loss"]).split(2))
    lists = taken(face, runs.split(2))
    taken(face, taken(face, api.run(f"{server.entity}/{project}/r2")).delete())
    with pytest.raises(IncompleteHistoriesError, match="r2") as caught:
        taken(face, parts[0].collect())
    assert {each["run_id"] for each in caught.value.partial} >= {"r0", "r3"}
    with pytest.raises(RunNotFoundError, match="r2"):
        listed(face, lists[0])
    assert [run.id for run in listed(face, lists[1])] == ["r4", "r5", "r6", "r7", "r8"]


def test_a_partial_result_lacks_it_and_warns(
    server: RunningServer, api: Untyped, project: str, face: Face
) -> None:
    seed(server, project, [2, 2, 2])
    lenient = api.with_options(partial="allow")
    runs = taken(face, lenient.runs(f"{server.entity}/{project}"))
    (scan,), (part,) = taken(face, runs.scan_histories().split(1)), taken(face, runs.split(1))
    taken(face, taken(face, api.run(f"{server.entity}/{project}/r1")).delete())
    with pytest.warns(PartialResultWarning, match="r1"):
        assert set(taken(face, scan.collect())["run_id"]) == {"r0", "r2"}
    with pytest.warns(PartialResultWarning, match="r1"):
        assert [run.id for run in listed(face, part)] == ["r0", "r2"]


def test_a_part_is_split_again_without_a_request(runs: Untyped, face: Face, server: RunningServer) -> None:
    scan = runs.scan_histories()
    whole = taken(face, scan.collect())
    parts = taken(face, scan.split(3))
    server.clear()
    finer = [smaller for part in parts for smaller in taken(face, part.split(2))]
    assert server.requests == []
    assert together(face, finer).select(whole.columns).equals(whole)


def test_no_runs_are_one_empty_part(server: RunningServer, api: Untyped, project: str, face: Face) -> None:
    seed(server, project, [1])
    runs = taken(face, api.runs(f"{server.entity}/{project}", {"tags": {"$in": ["none"]}}))
    (scan,), (part,) = taken(face, runs.scan_histories(["loss"]).split(3)), taken(face, runs.split(3))
    server.clear()
    assert taken(face, scan.collect()).shape == (0, 3)
    assert listed(face, part) == []
    assert server.requests == []


def test_parts_have_their_share_of_the_rate_limit(runs: Untyped, face: Face) -> None:
    for parts in (
        taken(face, runs.split(8, workers=4)),
        taken(face, runs.scan_histories().split(8, workers=4)),
    ):
        assert {held(held(part, "_client"), "_share") for part in parts} == {0.25}
        assert len({id(held(held(part, "_client"), "_rate_limiter")) for part in parts}) == 1


def test_a_sink_of_a_part_and_samples_of_a_part(runs: Untyped, face: Face, tmp_path: Untyped) -> None:
    whole = taken(face, runs.scan_histories().collect())
    for place, part in enumerate(taken(face, runs.scan_histories().split(3))):
        taken(face, part.sink_parquet(tmp_path / f"{place}.parquet"))
    assert (
        pl.concat(
            [pl.read_parquet(path) for path in sorted(tmp_path.glob("*.parquet"))], how="diagonal_relaxed"
        )
        .select(whole.columns)
        .equals(whole)
    )
    sampled = [
        row for part in taken(face, runs.split(3)) for row in taken(face, part.histories(keys=["loss"]))
    ]
    assert sampled == taken(face, runs.histories(keys=["loss"]))


@pytest.mark.parametrize("bad", [0, -1, 1.5, True])
def test_bad_counts_are_refused_before_anything_is_sent(
    bad: Untyped, runs: Untyped, face: Face, server: RunningServer
) -> None:
    for subject in (runs, runs.scan_histories()):
        with pytest.raises((ValueError, TypeError)):
            taken(face, subject.split(bad))
        with pytest.raises((ValueError, TypeError)):
            taken(face, subject.split(2, workers=bad))
    with pytest.raises(ValueError, match="cannot split a pivoted scan"):
        taken(face, runs.scan_histories(pivot=True).split(2))
    assert server.requests == []


def test_a_pickled_part_names_its_runs(runs: Untyped, face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    part = taken(face, runs.scan_histories(["loss"]).split(2))[1]
    monkeypatch.setenv("WANDB_API_KEY", held(part, "_client").settings.api_key.get_secret_value())
    back = pickle.loads(pickle.dumps(part))
    assert repr(back) == repr(part)
    assert taken(face, back.collect()).equals(taken(face, part.collect()))
