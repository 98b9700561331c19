"""The gate reads its own query page by page, and tags the run that it promotes."""

from __future__ import annotations

import asyncio

from promotion.gate import PROMOTED, candidates, candidates_async, promote

from runql import Api, AsyncApi
from runql_server.running import RunningServer
from runql_server.seed import SeedRun


def seed(server: RunningServer) -> list[str]:
    """Insert three finished runs and a crashed one, and return the ids of the finished ones."""
    states = ("finished", "finished", "crashed", "finished")
    ids = server.seed("vision", [SeedRun(state=state, host="gpu-1", tags=("new",)) for state in states])
    return [ids[0], ids[1], ids[3]]


def test_the_candidates_are_the_finished_runs(wandb_server: RunningServer) -> None:
    finished = seed(wandb_server)
    with Api() as api:
        runs = list(candidates(api, wandb_server.entity, "vision", per_page=2))
    assert [run.name for run in runs] == finished
    assert {run.host for run in runs} == {"gpu-1"}
    assert [request.operation for request in wandb_server.requests] == ["GateRuns", "GateRuns"]


def test_the_candidates_are_the_same_in_an_event_loop(wandb_server: RunningServer) -> None:
    finished = seed(wandb_server)

    async def names() -> list[str]:
        async with AsyncApi() as api:
            return [run.name async for run in candidates_async(api, wandb_server.entity, "vision")]

    assert asyncio.run(names()) == finished


def test_the_promoted_run_carries_the_tag(wandb_server: RunningServer) -> None:
    seed(wandb_server)
    with Api() as api:
        run = next(candidates(api, wandb_server.entity, "vision"))
        assert sorted(promote(api, run)) == ["new", PROMOTED]
        assert PROMOTED in api.run(f"{wandb_server.entity}/vision/{run.name}").tags
