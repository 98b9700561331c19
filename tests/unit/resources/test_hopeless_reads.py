"""Bulk reads whose operation fails for ever give up after a few runs, and say which runs were not read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.resources.answers import connection, in_project, run_body
from tests.unit.resources.histories_server import ListOnServer, dense, planned_list
from tests.unit.resources.test_histories import WHOLE, Histories, names
from tests.unit.transport.patient_driver import PatientDriver
from tests.unit.transport.stepping import sent, served

from runql.errors import (
    DeadlineExceededError,
    IncompleteHistoriesError,
    RequestTimedOutError,
    RunqlError,
    ServerFailureError,
)
from runql.frames.row_readers import RowReader
from runql.resources.runs.adaptive_pages import HOPELESS, NOT_REQUESTED, Streak
from runql.resources.runs.histories.collect import read_histories, sink_histories
from runql.resources.runs.histories.sampled import rows_of, sample_runs
from runql.resources.runs.query import RunQuery
from runql.transport.flow import Effect, Flow, Send
from runql.transport.wire import Response

DOWN = Response(502, b"Bad Gateway")
LATE = RequestTimedOutError("late")


def listed(effect: Effect, run_ids: list[str]) -> Response:
    """A light page of these runs."""
    operation = sent(effect)
    first, after = operation.variables["first"], operation.variables["after"]
    assert isinstance(first, int)
    start = 0 if after is None else int(str(after))
    end = start + len(run_ids[start : start + first])
    nodes = [run_body(run) for run in run_ids[start:end]]
    return in_project(runs=connection(nodes, cursor=str(end), more=end < len(run_ids), total=len(run_ids)))


def failing(run_ids: list[str], failure: Response | RunqlError) -> Callable[[Effect], Response | RunqlError]:
    """A server that lists runs, and fails for ever at anything else."""
    return lambda effect: listed(effect, run_ids) if sent(effect).name == "ListRuns" else failure


def sampled(per_page: int = 50, limit: int | None = None) -> Flow[object]:
    return sample_runs(RunQuery("e", "p", per_page=per_page, limit=limit), WHOLE)


@pytest.mark.parametrize(("failure", "seconds", "requests"), [(DOWN, 50, 35), (LATE, 330, 20)])
def test_histories_of_two_hundred_runs_end_after_one_backoff(
    failure: Response | RunqlError, seconds: float, requests: int
) -> None:
    driver = PatientDriver(failing(names(200), failure))
    with pytest.raises(IncompleteHistoriesError) as caught:
        driver.run(sampled())
    assert driver.now < seconds
    assert len(driver.sent) < requests
    assert caught.value.partial == []
    assert caught.value.failed == tuple(names(200))
    tried = [run for run, reason in caught.value.reasons.items() if not reason.startswith(NOT_REQUESTED)]
    assert tried == names(HOPELESS if failure is DOWN else 3)
    assert f"{200 - len(tried)} were not requested" in str(caught.value)


def test_scans_of_two_hundred_runs_do_so_too() -> None:
    driver = PatientDriver(failing(names(200), DOWN))
    with pytest.raises(IncompleteHistoriesError) as caught:
        driver.run(read_histories(planned_list(), RowReader()))
    assert driver.now < 60
    assert len(driver.sent) < 120
    assert set(caught.value.failed) == set(names(200))


def test_so_does_a_file_of_them(tmp_path: Path) -> None:
    driver = PatientDriver(failing(names(200), DOWN))
    target = tmp_path / "all.parquet"
    with pytest.raises(IncompleteHistoriesError, match="kept next to the file"):
        driver.run(sink_histories(planned_list(), RowReader(), target, "https://server"))
    assert driver.now < 60
    assert not target.exists()


def test_what_was_read_before_is_kept() -> None:
    run_ids = names(200)
    server = Histories(run_ids, heavy=run_ids[100:], refusal=DOWN)
    driver = PatientDriver(server.answer)
    with pytest.raises(IncompleteHistoriesError) as caught:
        driver.run(sampled())
    assert [row["run_id"] for row in caught.value.partial] == run_ids[:100]
    assert caught.value.failed == tuple(run_ids[100:])
    assert driver.now < 60


def test_long_runs_whose_windows_fail_are_given_up_and_the_short_ones_are_read() -> None:
    runs = {name: dense(3 if place % 2 else 40) for place, name in enumerate(names(40))}
    server = ListOnServer(runs)

    def answer(effect: Effect) -> Response | RunqlError:
        return DOWN if isinstance(effect, Send) and sent(effect).name == "ScanHistory" else whole(effect)

    def whole(effect: Effect) -> Response | RunqlError:
        reply = server.answer(effect)
        assert reply is not None
        return reply

    driver = PatientDriver(answer)
    plan = planned_list(per_page=40, page_size=10)
    with pytest.raises(IncompleteHistoriesError) as caught:
        driver.run(read_histories(plan, RowReader()))
    short = [name for place, name in enumerate(names(40)) if place % 2]
    assert {row["run_id"] for row in caught.value.partial} == set(short)
    assert set(caught.value.failed) == set(names(40)) - set(short)
    assert driver.now < 60
    assert sum(reason.startswith(NOT_REQUESTED) for reason in caught.value.reasons.values()) >= 10


def test_runs_that_fail_here_and_there_do_not_end_the_read() -> None:
    run_ids = names(60)
    heavy = [run for place, run in enumerate(run_ids) if place % 3]
    with pytest.raises(IncompleteHistoriesError) as caught:
        PatientDriver(Histories(run_ids, heavy=heavy).answer).run(sampled(10))
    assert caught.value.failed == tuple(heavy)
    assert [row["run_id"] for row in caught.value.partial] == run_ids[::3]


def test_the_limit_of_the_list_holds_for_the_names_too() -> None:
    with pytest.raises(IncompleteHistoriesError) as caught:
        served(sampled(limit=20), failing(names(200), DOWN))
    assert caught.value.failed == tuple(names(20))


def test_a_list_of_names_that_fails_ends_the_read_with_what_is_known() -> None:
    known = listed
    count = iter(range(100))

    def answer(effect: Effect) -> Response | RunqlError:
        if sent(effect).name != "ListRuns":
            return DOWN
        return known(effect, names(200)) if next(count) < HOPELESS else DOWN

    with pytest.raises(ServerFailureError):
        served(sampled(), answer)


def test_a_deadline_ends_it_with_what_was_read() -> None:
    run_ids = names(200)
    driver = PatientDriver(Histories(run_ids).answer, took=1, deadline=2.5)
    with pytest.raises(
        IncompleteHistoriesError, match="the list ended early: the call does not end"
    ) as caught:
        driver.run(sampled())
    assert isinstance(caught.value.__cause__, DeadlineExceededError)
    assert [row["run_id"] for row in caught.value.partial] == run_ids[:150]


def test_a_streak_ends_with_a_run_that_is_read() -> None:
    streak, error = Streak(), ServerFailureError("down", status=502)
    for _ in range(HOPELESS - 1):
        streak.fail(error)
    assert not streak.is_hopeless
    streak.end()
    streak.fail(error)
    assert not streak.is_hopeless
    for _ in range(HOPELESS - 1):
        streak.fail(error)
    assert streak.is_hopeless
    assert rows_of([]) == []
