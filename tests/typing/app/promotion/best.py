"""The best run, by types of the application's own: its config, its summary and the rows of its history."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from statistics import fmean

from pydantic import BaseModel, Field

from runql import Api, Run, TypedRun
from runql.filters import config, created_at, state, summary, tags


class Optimizer(BaseModel):
    """The optimizer in a config."""

    name: str
    batch_size: int


class Train(BaseModel):
    """What the gate reads of a config."""

    lr: float
    optimizer: Optimizer


@dataclass
class Scores:
    """What the gate reads of a summary."""

    acc: float
    loss: float | None = None


class LossRow(BaseModel):
    """A row of a history with a loss."""

    step: int = Field(alias="_step")
    loss: float = Field(alias="train/loss")


Candidate = TypedRun[Train, Scores]


def best_run(api: Api, path: str, since: datetime) -> Candidate | None:
    """Return the finished run since a time with the highest accuracy; one request."""
    wanted = (
        (state == "finished")
        & (created_at > since)
        & (config("lr", float) < 1e-2)
        & summary("acc", float).exists()
        & ~tags.contains("rejected")
    )
    runs = api.runs(path, wanted, order=summary("acc", float).desc(), limit=1)
    return next(iter(runs.typed(config=Train, summary=Scores)), None)


def mean_loss(run: Run, *, warmup: int) -> float:
    """Return the mean of the losses after the first steps."""
    return fmean(row.loss for row in run.scan_history(row=LossRow) if row.step >= warmup)


def promote_best(api: Api, path: str, since: datetime, baseline: float) -> str | None:
    """Tag the best run if it beats the baseline, and return its id."""
    best = best_run(api, path, since)
    if best is None or best.summary.acc <= baseline or best.config.optimizer.batch_size > 256:
        return None
    best.run.tags = [*best.run.tags, "promoted"]
    best.run.update()
    return best.run.id
