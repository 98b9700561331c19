"""The runs that both servers hold: their names, and what is logged to them."""

from __future__ import annotations

from collections.abc import Iterator

LISTED, SAMPLED = "listed", "sampled"
"""Projects, which mlflow calls experiments."""

RUNS, VALUES = 1_000, 40
"""Runs of the first project, and the values of each config and of each summary."""

LONG_RUNS, STEPS = 200, 500
"""Runs of the second project, and the steps of each."""

METRIC = "loss"


def names(project: str) -> list[str]:
    """Return the names of a project's runs."""
    return [f"run{number:04}" for number in range(RUNS if project == LISTED else LONG_RUNS)]


def config(number: int) -> dict[str, float]:
    """Return the config of a run."""
    return {f"c{key:02}": number + key / 64 for key in range(VALUES)}


def summary(number: int) -> dict[str, float]:
    """Return the last value of each metric of a run."""
    return {f"s{key:02}": number - key / 64 for key in range(VALUES)}


def losses(number: int) -> Iterator[float]:
    """Yield the metric of a run, step by step."""
    return ((number + step) / 64 for step in range(STEPS))
