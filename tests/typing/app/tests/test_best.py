"""The best run is found by a filter, read as the application's types, and tagged."""

from __future__ import annotations

from datetime import UTC, datetime

from promotion.best import best_run, mean_loss, promote_best

from runql import Api
from runql_server.testing import RunningServer, SeedRun

SINCE = datetime(2020, 1, 1, tzinfo=UTC)


def seed(server: RunningServer) -> list[str]:
    """Insert a good run, a better one, and better ones that the filter leaves out; return their ids."""

    def run(acc: float, *, lr: float = 0.001, state: str = "finished", tags: tuple[str, ...] = ()) -> SeedRun:
        rows = [{"_step": step, "train/loss": 1 / (step + 1)} for step in range(10)]
        return SeedRun(
            state=state,
            tags=tags,
            config={"lr": lr, "optimizer": {"name": "adam", "batch_size": 32}},
            summary={"acc": acc, "seconds": 3},
            history=rows,
        )

    return server.seed(
        "vision",
        [run(0.8), run(0.9), run(0.99, lr=1.0), run(0.98, state="crashed"), run(0.97, tags=("rejected",))],
    )


def test_the_best_run_is_read_as_types_by_one_request(wandb_server: RunningServer) -> None:
    ids = seed(wandb_server)
    with Api() as api:
        best = best_run(api, f"{wandb_server.entity}/vision", SINCE)
    assert best is not None
    assert (best.run.id, best.summary.acc, best.summary.loss) == (ids[1], 0.9, None)
    assert (best.config.lr, best.config.optimizer.name) == (0.001, "adam")
    assert [request.operation for request in wandb_server.requests] == ["ListFullRuns"]


def test_rows_are_read_as_types(wandb_server: RunningServer) -> None:
    ids = seed(wandb_server)
    with Api() as api:
        loss = mean_loss(api.run(f"{wandb_server.entity}/vision/{ids[0]}"), warmup=8)
    assert loss == (1 / 9 + 1 / 10) / 2


def test_the_best_run_is_tagged_if_it_beats_the_baseline(wandb_server: RunningServer) -> None:
    ids = seed(wandb_server)
    path = f"{wandb_server.entity}/vision"
    with Api() as api:
        assert promote_best(api, path, SINCE, baseline=0.95) is None
        assert promote_best(api, path, SINCE, baseline=0.85) == ids[1]
        assert api.run(f"{path}/{ids[1]}").tags == ["promoted"]
