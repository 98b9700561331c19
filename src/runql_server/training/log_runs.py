"""Run by an official SDK's interpreter: train some of the grid and log it; `python -m runql_server.training.log_runs RUN_ID`."""

from __future__ import annotations

import importlib
import os
import sys
import time
from typing import Any

from runql_server.training.digits import Plan, Row, grid, train

PROJECT = "digits"
# The machine is sampled often and the runs are short: this much of a second, so that each has some samples.
SECONDS_PER_RUN = 1.2


def log(plan: Plan) -> None:
    """Train one model under the SDK's eyes."""
    wandb: Any = importlib.import_module("wandb")  # Any: the SDK is not a dependency
    run = wandb.init(
        project=PROJECT,
        id=plan.run_id,
        name=plan.name,
        config=plan.config,
        tags=plan.tags,
        group=plan.family,
        job_type="train",
        notes=plan.notes,
        settings=wandb.Settings(x_stats_sampling_interval=0.3, console="off"),
    )
    started = time.monotonic()
    for row in train(plan):
        run.log(_logged(row, wandb))
    while time.monotonic() - started < SECONDS_PER_RUN:
        time.sleep(0.05)
    if plan.ending == "finished":
        run.summary["parameters"] = {"count": _parameters(plan)}
        run.finish()
        return
    # What was logged travels in the background; the process then goes away without a word.
    time.sleep(20)
    os._exit(1)


def _logged(row: Row, wandb: Any) -> Row:  # Any: as above
    weights = row.get("weights")
    return (
        row
        if weights is None
        else {**row, "weights": wandb.Histogram(weights["histogram"].ravel(), num_bins=16)}
    )


def _parameters(plan: Plan) -> int:
    hidden = int(plan.model.get("hidden", 0))
    return (64 + 10) * hidden if hidden else 640


if __name__ == "__main__":
    log(next(plan for plan in grid() if plan.run_id == sys.argv[1]))
