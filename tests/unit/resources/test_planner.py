"""Which windows a scan requests next, step by step and without a server."""

from __future__ import annotations

import pytest
from tests.unit.resources.history_server import planned

from runql.frames.batches import RowBatch
from runql.resources.history.plan import HistoryHints, ScanPlan
from runql.resources.history.planner import NextWindow, WindowPlanner
from runql.resources.history.progress import ScanProgress
from runql.resources.history.row_counts import RowCounts
from runql.resources.history.step_map import Span
from runql.resources.history.window import Outline, Window, outline_of
from runql.transport.sample_limits import SampleLimits
from runql.values import JSONValue


def begun(
    plan: ScanPlan, hints: HistoryHints, limits: SampleLimits | None = None
) -> tuple[ScanProgress, WindowPlanner]:
    progress = ScanProgress(plan, hints)
    return progress, WindowPlanner(plan, progress, limits or SampleLimits())


def outline(start: int, stop: int | None, *steps: int, samples: int = 100) -> Outline:
    rows: list[dict[str, JSONValue]] = [{"_step": step} for step in steps]
    return outline_of([RowBatch(rows)], start, stop, samples)


def window(
    found: Outline, *, lines: int | None = None, last: int | None = None, keys: JSONValue = None
) -> Window:
    return Window(RowBatch([]), [], found, RowCounts.of(lines, keys), last)


def test_settled_windows_end_before_the_last_reported_step() -> None:
    _, planner = begun(planned(page_size=10), HistoryHints(last_step=34, line_count=35))
    assert planner.settled(None) == [Span(0, 10), Span(10, 20), Span(20, 30)]
    assert planner.settled(2) == [Span(0, 10), Span(10, 20)]


def test_settled_windows_keep_to_the_bounds() -> None:
    plan = planned(page_size=10, min_step=5, max_step=22)
    _, planner = begun(plan, HistoryHints(last_step=99, line_count=100))
    assert planner.settled(None) == [Span(5, 15), Span(15, 22)]


def test_nothing_is_settled_before_the_server_reports_a_last_step() -> None:
    _, planner = begun(planned(page_size=10), HistoryHints(line_count=100))
    assert planner.settled(None) == []
    assert planner.next_window() == NextWindow(0, 10, is_open=False, with_keys=True)


def test_rows_that_fit_one_response_are_requested_without_an_end() -> None:
    _, planner = begun(planned(page_size=10), HistoryHints(last_step=5_000, line_count=10))
    assert planner.settled(None) == []
    assert planner.fits_one_response
    assert planner.is_one_window
    assert planner.next_window() == NextWindow(0, None, is_open=True, with_keys=False)


def test_a_run_of_which_nothing_is_known_begins_with_an_open_window() -> None:
    _, planner = begun(planned(page_size=10), HistoryHints())
    assert planner.next_window() == NextWindow(0, None, is_open=True, with_keys=True)


def test_without_a_count_one_window_is_requested_first_and_several_after_it() -> None:
    plan = planned(page_size=10)
    progress, planner = begun(plan, HistoryHints(last_step=99))
    assert planner.settled(None) == []
    progress.learn(window(outline(0, 10, *range(10)), last=99))
    progress.count(outline(0, 10, *range(10)), is_whole=True)
    progress.pass_to(10)
    assert len(planner.settled(None)) == plan.max_concurrency
    assert planner.settled(2) == [Span(10, 20), Span(20, 30)]


def test_with_keys_the_first_window_is_alone_until_their_counts_are_known() -> None:
    plan = planned(page_size=10, keys=["loss"])
    progress, planner = begun(plan, HistoryHints(last_step=99, line_count=100))
    assert planner.settled(None) == []
    assert planner.next_window() == NextWindow(0, 10, is_open=False, with_keys=True)
    counts: JSONValue = {"keys": {"loss": {"typeCounts": [{"type": "number", "count": 100}]}}}
    progress.learn(window(outline(0, 10, *range(10)), lines=100, last=99, keys=counts))
    progress.pass_to(10)
    assert planner.settled(1) == [Span(10, 20)]
    assert not planner.next_window().with_keys


@pytest.mark.parametrize(("rows", "sparse"), [(100, True), (9_000, False)])
def test_a_run_is_sparse_where_windows_cut_by_rows_are_fewer(rows: int, *, sparse: bool) -> None:
    progress, planner = begun(planned(page_size=10), HistoryHints(last_step=9_999, line_count=rows))
    assert planner.is_sparse == sparse
    progress.has_map = True
    assert not planner.is_sparse, "its steps are requested once"


def test_the_window_behind_the_last_settled_one_leads_to_the_end() -> None:
    progress, planner = begun(planned(page_size=10), HistoryHints(last_step=34, line_count=35))
    assert [planner.leads_to_end(span) for span in planner.settled(None)] == [False, False, True]
    progress.pass_to(30)
    assert planner.next_window() == NextWindow(30, None, is_open=True, with_keys=True)
    bounded = begun(planned(page_size=10, max_step=35), HistoryHints(last_step=34, line_count=35))[1]
    assert not bounded.leads_to_end(Span(20, 30))
    assert bounded.settled(None)[-1] == Span(20, 30)


def test_an_open_window_that_arrived_downsampled_is_read_again_with_ends() -> None:
    progress, planner = begun(planned(page_size=10), HistoryHints())
    thin = outline(0, None, *range(0, 40, 4), samples=10)
    progress.learn(window(thin, lines=40))
    progress.rewind(thin)
    assert (progress.offset, progress.last_step) == (0, 36)
    assert planner.settled(1) == [Span(0, 10)]
    assert planner.next_window() == NextWindow(0, 10, is_open=False, with_keys=False)


def test_windows_shrink_with_the_limits_of_the_server() -> None:
    limits = SampleLimits(least=1)
    _, planner = begun(planned(page_size=100), HistoryHints(last_step=399, line_count=400), limits)
    assert planner.settled(1) == [Span(0, 100)]
    limits.note_downsampled("history", 80)
    assert planner.page_size == 70
    assert planner.settled(2) == [Span(0, 70), Span(70, 140)]


def test_a_window_with_missing_rows_is_cut_by_steps() -> None:
    _, planner = begun(planned(page_size=10), HistoryHints(last_step=99, line_count=100))
    assert planner.split(outline(20, 30, 20, 25), 30) == [Span(20, 25), Span(25, 30)]
    assert planner.split(outline(0, 25, 3), 30) == [Span(0, 10), Span(10, 20), Span(20, 25), Span(25, 30)]


def test_a_wide_window_with_missing_rows_is_cut_at_its_middle_row() -> None:
    _, planner = begun(planned(page_size=10), HistoryHints(last_step=9_999, line_count=100))
    assert planner.split(outline(0, 1_000, 1, 2, 900), 1_000) == [Span(0, 2), Span(2, 1_000)]
    assert planner.split(outline(0, 1_000), 1_000) == [Span(0, 500), Span(500, 1_000)]
