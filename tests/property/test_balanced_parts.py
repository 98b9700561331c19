"""Parts next to each other: every item in one, none heavier than it has to be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from tests.profiles import examples

from runql.resources.runs.parts.split import balanced

WEIGHTS = st.lists(st.integers(1, 100) | st.integers(1, 10**6), max_size=30)


@examples(300)
@given(WEIGHTS, st.integers(1, 40))
def test_each_item_is_in_one_part(weights: list[int], most: int) -> None:
    bounds = balanced(weights, most)
    assert [place for start, stop in bounds for place in range(start, stop)] == [*range(len(weights))]
    assert len(bounds) == (min(most, len(weights)) or 1)
    assert all(start < stop for start, stop in bounds) or not weights


@examples(300)
@given(st.lists(st.integers(1, 50), min_size=1, max_size=8), st.integers(1, 5))
def test_no_other_cut_has_a_lighter_heaviest_part(weights: list[int], most: int) -> None:
    heaviest = max(sum(weights[start:stop]) for start, stop in balanced(weights, most))
    assert heaviest == lightest(weights, most)


def lightest(weights: list[int], most: int) -> int:
    """The same by trying all cuts."""
    if most == 1 or len(weights) == 1:
        return sum(weights)
    return min(
        max(sum(weights[:cut]), lightest(weights[cut:], most - 1) if cut < len(weights) else 0)
        for cut in range(1, len(weights) + 1)
    )
