"""`python -m tests.bench.mlflow.contender LIBRARY TASK`: fills a server or reads it, in the interpreter of runql or mlflow.

The values are multiples of 1/64, so sums of them are exact in any order.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

from tests.bench.mlflow import data
from tests.bench.result import timed

AT_ONCE = 8
"""Threads of a caller who does the work with threads."""

Read = tuple[int, float]
"""How many values were read, and their sum."""

# Any in this module: mlflow has no place in the environment of the type checkers.


def total(values: Iterable[float]) -> Read:
    """Count and sum values."""
    found = [float(each) for each in values]
    return len(found), sum(found)


def list_by_runql() -> Read:
    """Read config and summary of each run."""
    runql: Any = importlib.import_module("runql")
    runs = runql.Api().runs(data.LISTED)
    return total(value for run in runs for part in (run.config, run.summary) for value in own(part))


def own(part: Mapping[str, Any]) -> Iterable[Any]:
    """Return the values that were logged, without the server's own."""
    return [value for key, value in part.items() if not key.startswith("_")]


def metric_by_runql() -> Read:
    """Read one metric of every run, step by step."""
    runql: Any = importlib.import_module("runql")
    frame = runql.Api().runs(data.SAMPLED).scan_histories([data.METRIC]).collect()
    return frame.height, frame[data.METRIC].sum()


def client() -> Any:
    """Return mlflow's client."""
    return importlib.import_module("mlflow").MlflowClient()


def runs_of(mlflow: Any, project: str) -> Iterable[Any]:
    """Yield the runs of a project, by the pages of mlflow's default size."""
    experiment, token = mlflow.get_experiment_by_name(project).experiment_id, None
    while True:
        page = mlflow.search_runs([experiment], page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def list_by_mlflow() -> Read:
    """As `list_by_runql`: mlflow has params, which are str, and the last value of each metric."""
    found = runs_of(client(), data.LISTED)
    return total(
        value for run in found for part in (run.data.params, run.data.metrics) for value in part.values()
    )


def metric_by_mlflow() -> Read:
    """As `metric_by_runql`, one run after the other: mlflow's client reads a metric of one run."""
    mlflow = client()
    runs = runs_of(mlflow, data.SAMPLED)
    return total(
        each.value for run in runs for each in mlflow.get_metric_history(run.info.run_id, data.METRIC)
    )


def metric_by_threads() -> Read:
    """As `metric_by_mlflow`, by threads of the caller."""
    mlflow = client()
    runs = [run.info.run_id for run in runs_of(mlflow, data.SAMPLED)]

    def values(run: str) -> list[float]:
        return [each.value for each in mlflow.get_metric_history(run, data.METRIC)]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return total(chain.from_iterable(pool.map(values, runs)))


def fill() -> Read:
    """Log the runs of both projects to mlflow's server."""
    mlflow, entities = client(), importlib.import_module("mlflow.entities")
    listed, sampled = (mlflow.create_experiment(project) for project in (data.LISTED, data.SAMPLED))
    for number, name in enumerate(data.names(data.LISTED)):
        run = mlflow.create_run(listed, run_name=name).info.run_id
        params = [entities.Param(key, str(value)) for key, value in data.config(number).items()]
        metrics = [entities.Metric(key, value, 0, 0) for key, value in data.summary(number).items()]
        mlflow.log_batch(run, metrics, params)
    for number, name in enumerate(data.names(data.SAMPLED)):
        run = mlflow.create_run(sampled, run_name=name).info.run_id
        losses = enumerate(data.losses(number))
        mlflow.log_batch(run, [entities.Metric(data.METRIC, value, step, step) for step, value in losses])
    return data.RUNS + data.LONG_RUNS, 0.0


TASKS: dict[tuple[str, str], Callable[[], Read]] = {
    ("runql", "list"): list_by_runql,
    ("runql", "metric"): metric_by_runql,
    ("mlflow", "list"): list_by_mlflow,
    ("mlflow", "metric"): metric_by_mlflow,
    ("mlflow", "metric, threads"): metric_by_threads,
    ("mlflow", "fill"): fill,
}


def main() -> None:
    """Perform one task, and print the result."""
    library, task = sys.argv[1:]
    importlib.import_module(library)
    measured = timed(TASKS[library, task])
    measured.result(0.0, "{} values, sum {}".format(*measured.value)).print()


if __name__ == "__main__":
    main()
