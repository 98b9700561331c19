"""The steps of rows, and the spans that are cut by them; without a server."""

from __future__ import annotations

from runql.resources.history.step_map import Span, StepMap


def test_spans_hold_so_many_rows_each_and_know_their_steps() -> None:
    steps = StepMap.of([90, 10, 70, 30, 50, 5], 10, 90)
    assert steps.steps == [10, 30, 50, 70]
    assert steps.spans(10, 90, 2) == [Span(10, 50, [10, 30]), Span(50, 90, [50, 70])]


def test_a_map_of_some_steps_cuts_narrower_and_knows_none() -> None:
    found = StepMap([0, 20, 40, 60], rows_a_step=2, is_whole=False)
    assert found.spans(0, 80, 4) == [Span(0, 40), Span(40, 80)]
    assert found.spans(0, 80, 1) == [Span(0, 20), Span(20, 40), Span(40, 60), Span(60, 80)]


def test_spans_may_end_right_behind_each_step() -> None:
    spans = StepMap([3, 7]).spans(0, 10, 1, apart=True)
    assert spans == [Span(0, 4, [3]), Span(4, 7, []), Span(7, 8, [7]), Span(8, 10, [])]


def test_no_rows_are_one_span() -> None:
    assert StepMap([]).spans(4, 9, 10) == [Span(4, 9, [])]


def test_halves_have_as_many_rows_where_the_steps_are_known() -> None:
    assert Span(0, 100, [1, 2, 3, 90]).halves() == (Span(0, 3, [1, 2]), Span(3, 100, [3, 90]))
    assert Span(0, 100).halves() == (Span(0, 50), Span(50, 100))
    assert Span(0, 100, [7]).halves() == (Span(0, 50, [7]), Span(50, 100, []))
    assert Span(0, 100, [0, 0]).halves() == (Span(0, 50, [0, 0]), Span(50, 100, []))
