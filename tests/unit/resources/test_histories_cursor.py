"""Whole histories of a list: what is asked at once, what is read alone, and what becomes of what fails."""

from __future__ import annotations

import pytest
from tests.unit.resources.histories_server import (
    ListOnServer,
    batches_of,
    dense,
    parts_of,
    planned_list,
    wanted_of_all,
)
from tests.unit.resources.history_server import RunOnServer
from tests.unit.transport.stepping import answered, served

from runql.errors import ConnectionFailedError, IncompleteHistoriesError, PaginationError, RunqlError
from runql.frames.row_readers import RowReader
from runql.resources.runs.histories.collect import read_histories
from runql.resources.runs.histories.cursor import HistoriesCursor
from runql.resources.runs.histories.page_budget import MOST_RUNS, PageBudget
from runql.resources.runs.histories.sampled import rows_of
from runql.transport.flow import Effect, Send
from runql.transport.wire import Response


def many(count: int, rows: int) -> dict[str, RunOnServer]:
    return {f"run{place}": dense(rows) for place in range(count)}


@pytest.mark.parametrize("rows", [3, 500])
def test_two_hundred_short_runs_take_three_requests(rows: int) -> None:
    server, plan = ListOnServer(many(200, rows)), planned_list()
    assert rows_of(served(read_histories(plan, RowReader()), server.answer).batches) == wanted_of_all(
        server.runs, plan
    )
    assert server.sizes == [50, 100, 200]
    assert server.requests == 3


@pytest.mark.parametrize(("per_page", "first"), [(1, 1), (20, 20), (1000, 50)])
def test_pages_begin_with_those_of_the_list_but_not_with_more_than_fifty(per_page: int, first: int) -> None:
    server = ListOnServer(many(60, 1))
    parts_of(planned_list(per_page=per_page), server.answer)
    assert server.sizes[0] == first
    assert server.samples[0] == min(10_000, 25_000 // first) + 1


def test_a_run_that_is_longer_than_its_share_is_read_alone_and_only_that() -> None:
    server = ListOnServer({"a": dense(10), "long": dense(35), "b": dense(10)})
    plan = planned_list(page_size=10)
    parts, cursor = parts_of(plan, server.answer)
    assert rows_of(batches_of(parts)) == wanted_of_all(server.runs, plan)
    assert server.operations == {"ListWholeHistories": 1, "ScanHistory": 4}
    assert [run.name for part in parts for run in part.ended] == ["a", "long", "b"]
    assert cursor.unread.reasons == {}


def test_where_most_runs_are_longer_than_their_share_the_page_is_asked_again_instead() -> None:
    server, plan = ListOnServer(many(16, 40)), planned_list(per_page=16, page_size=100)
    budget = PageBudget(16, 100, first_rows=160, most_bytes=4000)
    parts, _ = parts_of(plan, server.answer, budget=budget)
    assert rows_of(batches_of(parts)) == wanted_of_all(server.runs, plan)
    assert server.operations["ScanHistory"] == 0
    assert server.sizes == [16, *[3] * 6]


def test_wide_rows_make_small_pages_and_small_windows() -> None:
    wide = RunOnServer([{"_step": step, "text": "x" * 1000} for step in range(30)])
    server, plan = ListOnServer({"a": wide, "b": wide}), planned_list(per_page=2, page_size=1000)
    budget = PageBudget(2, 1000, first_rows=20, most_bytes=8000)
    parts, _ = parts_of(plan, server.answer, budget=budget)
    assert rows_of(batches_of(parts)) == wanted_of_all(server.runs, plan)
    asked = [(sent.variables["minStep"], sent.variables["maxStep"]) for sent in wide.operations]
    assert asked
    closed = [stop - start for start, stop in asked if isinstance(start, int) and isinstance(stop, int)]
    assert max(closed) <= 9


def test_a_page_that_is_too_much_is_halved_and_a_bad_run_is_named() -> None:
    server, plan = ListOnServer(many(8, 3), heavy=["run5"], most=3), planned_list(per_page=8)
    with pytest.raises(IncompleteHistoriesError, match="run5") as caught:
        served(read_histories(plan, RowReader()), server.answer)
    assert caught.value.failed == ("run5",)
    good = {name: run for name, run in server.runs.items() if name != "run5"}
    assert caught.value.partial == wanted_of_all(good, plan)
    assert server.sizes[:3] == [8, 4, 2]


@pytest.mark.parametrize("bounded", [False, True])
def test_a_long_run_whose_windows_fail_is_named_and_the_others_are_read(bounded: bool) -> None:
    server, plan = ListOnServer({"a": dense(50), "bad": dense(70), "b": dense(5)}), planned_list(page_size=10)

    def answer(effect: Effect) -> Response | RunqlError | None:
        is_bad = isinstance(effect, Send) and effect.operation.variables.get("run") == "bad"
        return server.refusal if is_bad else server.answer(effect)

    parts, cursor = parts_of(plan, answer, bounded=bounded)
    assert [*cursor.unread.reasons] == ["bad"]
    good = {name: run for name, run in server.runs.items() if name != "bad"}
    assert rows_of(batches_of(parts)) == wanted_of_all(good, plan)


def test_a_run_that_was_deleted_since_it_was_listed_is_named() -> None:
    server, plan = ListOnServer({"a": dense(5), "gone": dense(70), "b": dense(5)}), planned_list(page_size=10)

    def answer(effect: Effect) -> Response | RunqlError | None:
        is_gone = isinstance(effect, Send) and effect.operation.variables.get("run") == "gone"
        return answered({"project": {"run": None}}) if is_gone else server.answer(effect)

    parts, cursor = parts_of(plan, answer)
    assert [*cursor.unread.reasons] == ["gone"]
    assert [run.name for part in parts for run in part.ended] == ["a", "b"]


@pytest.mark.parametrize("uncounted", [0, None])
def test_a_long_run_comes_in_parts_where_memory_is_to_be_bounded(uncounted: int | None) -> None:
    server, plan = (
        ListOnServer({"long": dense(95), "b": dense(5)}),
        planned_list(page_size=10, max_concurrency=2),
    )
    server.runs["long"].uncounted = uncounted
    parts, _ = parts_of(plan, server.answer, bounded=True)
    assert rows_of(batches_of(parts)) == wanted_of_all(server.runs, plan)
    assert max(sum(batch.height for batch in part.batches) for part in parts) <= 20
    assert len(parts) >= 5


def test_the_next_page_is_asked_for_along_with_the_last_of_a_page_but_not_before_it_may() -> None:
    server, plan = ListOnServer(many(6, 2)), planned_list(per_page=2)
    cursor = HistoriesCursor(plan, RowReader())
    served(cursor.next_part(bounded=True, ahead=False), server.answer)
    assert server.sizes == [2]
    served(cursor.next_part(bounded=True, ahead=True), server.answer)
    assert server.sizes == [2, 4]
    cursor = HistoriesCursor(plan, RowReader())
    served(cursor.next_part(bounded=True, ahead=True), server.answer)
    assert server.sizes == [2, 4, 2, 4]


def test_a_page_ahead_that_fails_is_told_after_what_lies_before_it() -> None:
    server = ListOnServer(many(6, 2), break_at=2, refusal=ConnectionFailedError("cut"))
    cursor = HistoriesCursor(planned_list(per_page=2), RowReader())
    part = served(cursor.next_part(bounded=True, ahead=True), server.answer)
    assert part is not None
    assert [mark.name for mark in part.ended] == ["run0", "run1"]
    with pytest.raises(ConnectionFailedError):
        served(cursor.next_part(bounded=True, ahead=True), server.answer)
    assert server.requests == 2


def test_what_was_read_is_kept_when_the_list_ends_early() -> None:
    server = ListOnServer(many(6, 2), break_at=3, refusal=ConnectionFailedError("cut"))
    plan = planned_list(per_page=1)
    with pytest.raises(IncompleteHistoriesError, match="ended early") as caught:
        served(read_histories(plan, RowReader()), server.answer)
    assert [row["run_id"] for row in caught.value.partial] == ["run0", "run0", "run1", "run1", "run2", "run2"]


def test_a_first_page_that_fails_is_raised_as_it_is() -> None:
    server = ListOnServer(many(6, 2), break_at=1, refusal=ConnectionFailedError("cut"))
    with pytest.raises(ConnectionFailedError):
        served(read_histories(planned_list(), RowReader()), server.answer)


def test_a_list_that_goes_in_a_circle_is_refused() -> None:
    server = ListOnServer(many(4, 1), refusal=PaginationError("circle"), break_at=2)
    with pytest.raises(IncompleteHistoriesError):
        served(read_histories(planned_list(per_page=2), RowReader()), server.answer)


def test_a_count_that_tells_of_more_rows_than_came_makes_sure() -> None:
    run = dense(5)
    run.uncounted = -3
    server, plan = ListOnServer({"a": run}), planned_list()
    parts, _ = parts_of(plan, server.answer)
    assert rows_of(batches_of(parts)) == wanted_of_all(server.runs, plan)
    assert server.operations["ScanHistory"] >= 1


@pytest.mark.parametrize(
    ("heights", "size"),
    [([], 100), ([0] * 50, 100), ([500] * 50, 100), ([1000] * 50, 100), ([5000] * 50, 20)],
)
def test_the_size_that_costs_the_fewest_requests_is_chosen(heights: list[int], size: int) -> None:
    budget = PageBudget(50, 10_000)
    budget.learn(1000, 80 * 1000)
    chosen = budget.choose(heights)
    assert budget.requests(heights, chosen) <= budget.requests(heights, size)
    assert 1 <= chosen <= 100


def test_runs_of_known_rows_fill_the_first_page() -> None:
    budget = PageBudget(50, 10_000)
    budget.expect([200] * 2000, 24, is_sure=True)
    assert (budget.runs, budget.rows_a_run) == (500, 200)
    for row_bytes in (24, None):
        budget = PageBudget(50, 10_000)
        budget.expect([10] * 2000, row_bytes)
        assert budget.runs <= 100


def test_sizes_end_somewhere() -> None:
    budget = PageBudget(50, 10_000)
    for _ in range(20):
        budget.runs = budget.choose([1] * budget.runs)
    assert budget.runs == MOST_RUNS
    assert budget.rows_a_run >= 25_000 // MOST_RUNS


def test_rows_of_many_bytes_leave_room_for_few() -> None:
    budget = PageBudget(50, 10_000)
    assert (budget.rows_a_run, budget.window) == (500, 10_000)
    budget.learn(10, 10 * 8 * 2**20)
    assert (budget.rows_a_run, budget.window) == (1, 1)
