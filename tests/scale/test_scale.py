"""What is measured of many runs: the limit of the front, and requests as the plan counts them."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

import httpx
import pytest
from tests.bench.replay_process import Traffic
from tests.scale.front import ScaleFront, scale_front
from tests.scale.million import MILLION, Reading, Size, read_project
from tests.scale.workers import compare

from runql.resources.runs.histories.cursor import CELL_BYTES
from runql.resources.runs.histories.page_budget import PageBudget
from runql.resources.runs.parts.split import PAGE

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def front() -> Iterator[ScaleFront]:
    with scale_front() as front:
        yield front


def test_the_front_refuses_what_a_key_sends_above_its_limit(front: ScaleFront) -> None:
    front.proxy.taken(latency=0)
    httpx.get(f"{front.proxy.url}/healthz")
    front.proxy.taken(latency=0, allowed=2, window=3_600)
    auths = [("api", "a"), ("api", "a"), ("api", "a"), ("api", "b")]
    answers = [httpx.get(f"{front.proxy.url}/healthz", auth=auth) for auth in auths]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 200]
    assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["1", "0", "0", "1"]
    assert all(3_500 < float(answer.headers["ratelimit-reset"]) <= 3_600 for answer in answers)
    assert front.proxy.taken(latency=0) == Traffic(requests=4, misses=0, refused=1)
    assert "ratelimit-remaining" not in httpx.get(f"{front.proxy.url}/healthz").headers


def planned(size: Size) -> int:
    """Requests of a part by the sizes that the plan chooses: whole pages of runs that fit."""
    budget = PageBudget(per_page=50, page_size=1_000)
    heights = [size.rows] * size.runs
    budget.expect(heights, CELL_BYTES * 2)
    pages = 0
    while heights:
        read, heights = heights[: budget.runs], heights[budget.runs :]
        assert size.rows <= budget.rows_a_run
        pages += 1
        budget.runs = budget.choose(read)
    return pages


@pytest.mark.parametrize("size", [Size(30, 40), Size(130, 900)], ids=str)
def test_requests_are_those_of_the_plan(front: ScaleFront, size: Size) -> None:
    reading = read_project(front, size, allowed=1_000, window=3_600, latency=0)
    assert reading.split == ceil(size.runs / PAGE)
    assert reading.requests == reading.split + planned(size)
    assert reading.refused == 0
    assert reading.sent > size.runs * size.rows * len('{"_step":1}')


def test_a_million_runs_take_requests_in_proportion() -> None:
    reading = Reading(Size(100, 1_000), 1, 11, 0, 50_000_000, 30.0, 2.0, 0.5)
    assert reading.requests_a_thousand == pytest.approx(100 + 2)
    assert reading.used == pytest.approx(11 / 15)
    assert reading.hours_of_cpu(10_000) == pytest.approx(2 * 10_000 * 10 / 3_600)
    splits = MILLION / PAGE
    assert reading.hours(1_000, 60) == pytest.approx((10 * MILLION / 100 + splits) / 60 / 60)
    assert reading.hours(10_000, 60) == pytest.approx((100 * MILLION / 100 + splits) / 60 / 60)


def test_one_process_and_two_workers_read_the_same_rows(
    front: ScaleFront, capsys: pytest.CaptureFixture[str]
) -> None:
    compare(front, runs=6, rows=20, rounds=1, parts=[2])
    said = capsys.readouterr().out
    assert said.count("one process: ") == 5
    assert said.count("two processes, 2 parts: ") == 5
