"""The benchmark's own parts: stored responses, counts, digests and verdicts."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import polars as pl
import pytest
from tests.bench import values
from tests.bench.measurement import Measured
from tests.bench.replay_process import ReplayProxy, Traffic
from tests.bench.tasks import LIMIT, NEW, OWN, Goal, Pair
from tests.bench.verdicts import exponent, lazy_verdict, memory_verdict, pair_verdict, ratio, verdicts

from runql import Api
from runql_server.running import RunningServer
from runql_server.seed import SeedRun


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with RunningServer() as server:
        server.seed("p", [SeedRun(name="one", config={"lr": 0.1})])
        yield server


def test_the_front_answers_from_memory_and_counts(server: RunningServer) -> None:
    with (
        ReplayProxy(server.url) as proxy,
        Api(base_url=proxy.url, api_key=server.api_key, overrides={"entity": server.entity}) as api,
    ):
        proxy.taken(latency=0)
        assert api.run("p/one").config == {"lr": 0.1}
        assert proxy.taken(latency=0) == Traffic(requests=1, misses=1)
        server.clear()
        assert [api.run("p/one").config for _ in range(3)] == [{"lr": 0.1}] * 3
        assert proxy.taken(latency=0) == Traffic(requests=3, misses=0)
        assert server.requests == []


def test_files_come_through_the_front_whole_and_in_part(server: RunningServer) -> None:
    with (
        ReplayProxy(server.url) as proxy,
        Api(base_url=proxy.url, api_key=server.api_key, overrides={"entity": server.entity}) as api,
    ):
        run = api.run("p/one")
        path = server.data_dir / "note.bin"
        path.write_bytes(bytes(range(256)) * 300)
        run.upload_file(path, server.data_dir)
        address = run.file("note.bin").fields.direct_url
        assert address is not None
        assert address.startswith(proxy.url)
        for _ in range(2):
            assert httpx.get(address).content == path.read_bytes()
            assert httpx.get(address, headers={"Range": "bytes=10-19"}).content == path.read_bytes()[10:20]


def test_digests_differ_where_values_do_and_only_there() -> None:
    frame = pl.DataFrame({"_step": [0, 1], "a": [1.0, float("nan")], "b": ["x", "y"]})
    same = frame.select(pl.col("b"), pl.col("a"), pl.col("_step").cast(pl.Int32)).reverse()
    assert values.of_frame(frame, "_step") == values.of_frame(same, "_step")
    for other in (
        frame.with_columns(a=pl.Series([1.0, None])),
        frame.with_columns(a=pl.Series([1.0, 2.0])),
        frame.with_columns(b=pl.Series(["x", "z"])),
        frame.rename({"a": "c"}),
        frame.head(1),
    ):
        assert values.of_frame(frame, "_step") != values.of_frame(other, "_step")
    assert values.of_records([("a", {"n": 1}, {})]) == values.of_records([("a", {"n": 1.0}, {})])
    assert values.of_records([("a", {"n": 1}, {})]) != values.of_records([("a", {"n": 2}, {})])


def test_goals_are_kept_or_missed() -> None:
    row = {
        OWN: Measured("t", [1.0, 1.0, 1.1], requests=2),
        NEW: Measured("t", [10.0, 12.0, 11.0], requests=9),
        LIMIT: Measured("t", [0.8, 0.9, 0.9], requests=1),
    }
    assert ratio(row[OWN], row[NEW])[0] == 11.0
    kept = verdicts("t", Goal(times_limit=1.2, ahead=10, requests=2), row)
    assert [each.kept for each in kept] == [True, True, True]
    missed = verdicts("t", Goal(times_limit=1.1, ahead=12, requests=1), row)
    assert [each.kept for each in missed] == [False, False, False]


def test_memory_may_grow_by_one_and_a_half_frames() -> None:
    tenth = Measured("t", baseline=50, peak=90, size=3)
    assert memory_verdict("t", tenth, Measured("t", baseline=50, peak=140, size=33), slack=5).kept
    assert not memory_verdict("t", tenth, Measured("t", baseline=50, peak=141, size=33), slack=5).kept


def test_the_exponent_is_the_power_of_growth() -> None:
    assert exponent([2, 20, 200]) == pytest.approx(1)
    assert exponent([3, 3, 3]) == pytest.approx(0)


def test_the_second_task_of_a_pair_stays_below_its_bound_and_sends_no_request_more() -> None:
    pair, usual = Pair("rows", "dicts", "typed", 2), Measured("dicts", [1.0, 1.0], requests=2)
    assert pair_verdict(pair, usual, Measured("typed", [1.9, 1.9], requests=2)).kept
    assert not pair_verdict(pair, usual, Measured("typed", [2.0, 2.0], requests=2)).kept
    assert not pair_verdict(pair, usual, Measured("typed", [1.0, 1.0], requests=3)).kept


def test_a_lazy_query_takes_half_the_time_and_a_tenth_of_the_bytes() -> None:
    collected = Measured("collected", [1.0, 1.0], received=1_000)
    assert lazy_verdict("t", Measured("lazy", [0.5, 0.5], received=100), collected).kept
    assert not lazy_verdict("t", Measured("lazy", [0.51, 0.51], received=100), collected).kept
    assert not lazy_verdict("t", Measured("lazy", [0.1, 0.1], received=101), collected).kept
