"""The draw_curve curve: as wide and high as asked, its ends where they belong, no value too strange."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from runql.cli.output import LEVELS, draw_curve

FLOATS = st.floats(allow_nan=True, allow_infinity=True)


@given(st.lists(FLOATS, max_size=300), st.integers(1, 80), st.integers(2, 12))
def test_any_values_give_lines_of_one_width(values: list[float], width: int, height: int) -> None:
    lines = draw_curve(values, width=width, height=height)
    if not any(math.isfinite(value) for value in values):
        assert lines == ["(no finite value)"]
        return
    assert len(lines) == height
    curves = [line.split("┤", 1)[1] for line in lines]
    assert {len(curve) for curve in curves} == {min(width, len(values))}
    assert set("".join(curves)) <= set(LEVELS)


def test_a_falling_curve_falls() -> None:
    top, *_, bottom = draw_curve([8.0, 4.0, 2.0, 1.0], width=4, height=4)
    assert top.endswith("┤█   ")
    assert bottom.endswith("┤███▁")
    assert top.split()[0] == "8"
    assert bottom.split()[0] == "1"


def test_what_is_not_finite_is_left_blank() -> None:
    (_, bottom) = draw_curve([1.0, math.nan, 2.0], width=3, height=2)
    assert bottom.split("┤")[1][1] == " "
