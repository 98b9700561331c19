"""How far a scan has come, step by step and without a server."""

from __future__ import annotations

from tests.unit.resources.history_server import planned
from tests.unit.resources.test_planner import outline, window

from runql.resources.history.plan import HistoryHints
from runql.resources.history.progress import ScanProgress
from runql.values import JSONValue


def test_a_window_before_the_last_reported_step_moves_the_offset_to_its_end() -> None:
    progress = ScanProgress(planned(), HistoryHints(last_step=99, line_count=100))
    progress.advance(outline(0, 10, 0, 4), 10, is_last=False)
    assert (progress.offset, progress.covered, progress.is_at_end) == (10, 10, False)


def test_a_window_beyond_it_moves_the_offset_behind_its_last_row() -> None:
    progress = ScanProgress(planned(), HistoryHints(last_step=5, line_count=6))
    progress.advance(outline(0, 10, 0, 4), 10, is_last=False)
    assert (progress.offset, progress.covered) == (5, 10)


def test_rows_that_were_logged_since_reopen_the_end() -> None:
    progress = ScanProgress(planned(), HistoryHints(last_step=4, line_count=5))
    seen = outline(0, None, *range(5))
    progress.advance(seen, 10, is_last=True)
    assert progress.is_at_end
    progress.resume_behind(seen)
    assert (progress.offset, progress.is_at_end) == (5, False)


def test_a_scan_with_a_bound_is_at_its_end_there() -> None:
    progress = ScanProgress(planned(min_step=5, max_step=20), HistoryHints(last_step=99, line_count=100))
    assert (progress.steps_left, progress.all_steps) == (15, 15)
    progress.pass_to(20)
    assert progress.is_at_end
    assert progress.steps_left == 0


def test_what_responses_report_only_grows() -> None:
    progress = ScanProgress(planned(), HistoryHints(last_step=50, line_count=51))
    progress.learn(window(outline(0, 10), lines=40, last=30))
    assert (progress.last_step, progress.line_count, progress.has_begun) == (50, 51, True)
    progress.learn(window(outline(0, 10), lines=60, last=70))
    assert (progress.last_step, progress.line_count) == (70, 60)


def test_without_a_count_the_rows_that_are_left_are_estimated() -> None:
    progress = ScanProgress(planned(), HistoryHints(last_step=99))
    assert progress.expected_rows is None
    progress.count(outline(0, 10, 0, 5), is_whole=True)
    progress.pass_to(10)
    assert progress.expected_rows == 2 * 90 // 10


def test_counts_of_keys_bound_the_rows_until_more_arrive() -> None:
    counts: JSONValue = {"keys": {"loss": {"typeCounts": [{"type": "number", "count": 3}]}}}
    progress = ScanProgress(planned(keys=["loss"]), HistoryHints(last_step=99, line_count=100))
    assert progress.expected_rows == 100
    progress.learn(window(outline(0, None), lines=100, last=99, keys=counts))
    assert progress.expected_rows == 3
    progress.rewind(outline(0, None, *range(10)))
    assert progress.expected_rows == 100, "some rows hold a null under the key"
