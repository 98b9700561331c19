"""The checkers see the types of the application's own query, on both clients."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import assert_type

from promotion.wandb.fragments import GateRun
from promotion.wandb.gate_runs import GateRuns
from promotion.wandb.operations import gate_runs
from promotion.wandb.tag_run import TagRun

from runql import UNSET, Api, AsyncApi, Operation, SupportsOperation


def read(api: Api, mutation: SupportsOperation[TagRun]) -> None:
    operation = gate_runs(entity="team", project="vision", after=UNSET)
    assert_type(operation, Operation[GateRuns])
    assert_type(api.client.execute(operation), GateRuns)
    assert_type(api.client.execute(mutation), TagRun)
    runs = api.client.pages(operation, connection=lambda data: data.project.runs if data.project else None)
    assert_type(runs, Iterator[GateRun])


async def read_async(api: AsyncApi, operation: Operation[GateRuns]) -> None:
    assert_type(await api.client.execute(operation), GateRuns)
    runs = api.client.pages(operation, connection=lambda data: data.project.runs if data.project else None)
    assert_type(runs, AsyncIterator[GateRun])
