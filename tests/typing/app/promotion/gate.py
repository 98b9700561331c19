"""The gate: which runs it may promote, and marking the one that it promotes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator

from promotion.wandb.fragments import GateRun
from promotion.wandb.gate_runs import GateRuns, GateRunsProjectRuns
from promotion.wandb.operations import gate_runs, tag_run
from runql import Api, AsyncApi, Operation

PROMOTED = "promoted"


def candidates(api: Api, entity: str, project: str, *, per_page: int = 50) -> Iterator[GateRun]:
    """Yield the finished runs that the gate may promote, oldest first; one request a page."""
    return api.client.pages(_finished(entity, project, per_page), connection=_runs)


def candidates_async(
    api: AsyncApi, entity: str, project: str, *, per_page: int = 50
) -> AsyncIterator[GateRun]:
    """Yield what `candidates` yields."""
    return api.client.pages(_finished(entity, project, per_page), connection=_runs)


def promote(api: Api, run: GateRun) -> list[str]:
    """Mark a run as promoted, and return its tags; one request."""
    tags = [tag for tag in run.tags or [] if tag != PROMOTED]
    changed = api.client.execute(tag_run(id=run.id, tags=[*tags, PROMOTED])).upsert_bucket
    if changed is None or changed.bucket is None:
        raise LookupError(f"the server did not change {run.name}")
    return changed.bucket.tags or []


def _finished(entity: str, project: str, per_page: int) -> Operation[GateRuns]:
    filters = json.dumps({"state": "finished"})
    return gate_runs(entity=entity, project=project, filters=filters, first=per_page)


def _runs(data: GateRuns) -> GateRunsProjectRuns | None:
    return data.project.runs if data.project else None
