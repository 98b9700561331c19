"""Every kind of parameter: draws have the documented distribution, grids the documented points."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from random import Random
from statistics import fmean, pstdev

import pytest

from runql_server.lenient_json import JsonValue
from runql_server.sweeps.early_stopping import Hyperband, parse
from runql_server.sweeps.parameters import group

DRAWS = 4_000


def draws(**entry: JsonValue) -> list[float]:
    space, chance = group({"a": entry}), Random(7)
    found = [space.draw(chance)["a"] for _ in range(DRAWS)]
    return [value for value in found if isinstance(value, int | float)]


def is_uniform(values: list[float], low: float, high: float) -> None:
    """Each tenth of the range holds about a tenth of the values, and none lie outside."""
    assert len(values) == DRAWS
    assert low <= min(values) <= max(values) <= high
    tenths = Counter(min(9, int((value - low) / (high - low) * 10)) for value in values)
    assert all(0.8 * DRAWS / 10 < tenths[index] < 1.2 * DRAWS / 10 for index in range(10)), tenths


def is_normal(values: list[float], mean: float, deviation: float) -> None:
    assert fmean(values) == pytest.approx(mean, abs=deviation * 0.08)
    assert pstdev(values) == pytest.approx(deviation, rel=0.05)
    within = sum(abs(value - mean) < deviation for value in values) / len(values)
    assert within == pytest.approx(0.683, abs=0.03)


def same(value: float) -> float:
    return value


def log_of_inverse(value: float) -> float:
    return math.log(1 / value)


Scaled = tuple[dict[str, JsonValue], Callable[[float], float], float, float]
UNIFORM: list[Scaled] = [
    ({"min": 0.5, "max": 2.5}, same, 0.5, 2.5),
    ({"distribution": "uniform", "min": -1, "max": 1}, same, -1, 1),
    ({"distribution": "log_uniform", "min": -9.2, "max": 0}, math.log, -9.2, 0),
    ({"distribution": "log_uniform_values", "min": 1.0e-4, "max": 1}, math.log, math.log(1e-4), 0),
    ({"distribution": "inv_log_uniform", "min": 0, "max": 9.2}, log_of_inverse, 0, 9.2),
    (
        {"distribution": "inv_log_uniform_values", "min": 0.01, "max": 10},
        math.log,
        math.log(0.01),
        math.log(10),
    ),
]


@pytest.mark.parametrize(("entry", "on_scale", "low", "high"), UNIFORM)
def test_uniform_kinds_are_uniform_on_their_scale(
    entry: dict[str, JsonValue], on_scale: Callable[[float], float], low: float, high: float
) -> None:
    is_uniform([on_scale(value) for value in draws(**entry)], low - 1e-9, high + 1e-9)


def test_normal_kinds_are_normal_on_their_scale() -> None:
    is_normal(draws(distribution="normal"), 0, 1)
    is_normal(draws(distribution="normal", mu=3, sigma=0.5), 3, 0.5)
    is_normal([math.log(value) for value in draws(distribution="log_normal", mu=1, sigma=2)], 1, 2)
    assert fmean(draws(distribution="beta", a=2, b=6)) == pytest.approx(0.25, abs=0.02)


def test_whole_numbers_are_equally_likely_at_both_ends() -> None:
    for entry in ({"min": 3, "max": 6}, {"distribution": "int_uniform", "min": 3, "max": 6}):
        counts = Counter(draws(**entry))
        assert set(counts) == {3, 4, 5, 6}
        assert all(DRAWS / 4 * 0.85 < count < DRAWS / 4 * 1.15 for count in counts.values())


@pytest.mark.parametrize(
    ("entry", "step"),
    [
        ({"distribution": "q_uniform", "min": 0, "max": 1, "q": 0.1}, 0.1),
        ({"distribution": "q_uniform", "min": 1, "max": 100}, 1),
        ({"distribution": "q_log_uniform", "min": 0, "max": 5, "q": 2}, 2),
        ({"distribution": "q_log_uniform_values", "min": 1, "max": 512, "q": 8}, 8),
        ({"distribution": "q_normal", "mu": 10, "sigma": 3, "q": 0.25}, 0.25),
        ({"distribution": "q_log_normal", "sigma": 2}, 1),
        ({"distribution": "q_beta", "a": 1, "b": 1, "q": 0.2}, 0.2),
    ],
)
def test_rounded_kinds_are_multiples(entry: dict[str, JsonValue], step: float) -> None:
    values = draws(**entry)
    assert len(set(values)) > 3
    for value in values:
        assert value == pytest.approx(step * round(value / step), abs=1e-9)
        assert isinstance(value, int) is isinstance(step, int)
        assert len(repr(value)) < 10, "0.3 and not 0.30000000000000004"


def test_choices_follow_their_probabilities() -> None:
    space, chance = group({"a": {"values": ["x", None, [1]], "probabilities": [0.7, 0.3, 0]}}), Random(1)
    counts = Counter(repr(space.draw(chance)["a"]) for _ in range(DRAWS))
    assert set(counts) == {"'x'", "None"}
    assert counts["'x'"] / DRAWS == pytest.approx(0.7, abs=0.03)
    even = group({"a": {"values": [True, "1", 1.5]}})
    assert all(
        count / DRAWS == pytest.approx(1 / 3, abs=0.03)
        for count in Counter(repr(even.draw(chance)["a"]) for _ in range(DRAWS)).values()
    )


def test_a_grid_lists_every_combination() -> None:
    space = group(
        {
            "i": {"min": 1, "max": 2},
            "q": {"distribution": "q_uniform", "min": 0.15, "max": 0.35, "q": 0.1},
            "nested": {"parameters": {"v": {"values": ["a", "b"]}, "c": {"value": 0}}},
        }
    )
    points = [space.point(index) for index in range(space.points or 0)]
    assert points == [
        {"i": i, "q": q, "nested": {"v": v, "c": 0}} for i in (1, 2) for q in (0.2, 0.3) for v in ("a", "b")
    ]
    assert group({}).points == 1
    assert group({"a": {"distribution": "normal"}}).points is None


@pytest.mark.parametrize(
    ("entry", "brackets"),
    [
        ({"min_iter": 3, "max_iter": 81}, (3, 9, 27, 81)),
        ({"max_iter": 27, "s": 2}, (3, 9)),
        ({"min_iter": 4, "eta": 2, "max_iter": 20}, (4, 8, 16)),
        ({"max_iter": 10, "s": 5, "eta": 2}, (1, 2, 5)),
    ],
)
def test_brackets_are_those_that_are_documented(
    entry: dict[str, JsonValue], brackets: tuple[int, ...]
) -> None:
    found = parse({"type": "hyperband", **entry}, "loss")
    assert found is not None
    assert found.brackets == brackets
    unbounded = parse({"type": "hyperband", "min_iter": 3}, "loss")
    assert unbounded is not None
    assert unbounded.brackets[:4] == (3, 9, 27, 81)


def test_one_of_eta_runs_goes_on() -> None:
    hyperband = Hyperband((1,), 3, strict=False)
    values = [float(value) for value in range(9)]
    assert [value for value in values if not hyperband.stops(value, values, maximize=False)] == [0, 1, 2]
    assert [value for value in values if not hyperband.stops(value, values, maximize=True)] == [6, 7, 8]
    assert not hyperband.stops(5, [5], maximize=False), "the first to reach a bracket"
    assert not hyperband.stops(5, [5, 5, 5], maximize=False), "equals of the best"
    assert hyperband.stops(math.nan, [1, math.nan], maximize=True)
