"""Runs whose types widen, and whose values are nested."""

from __future__ import annotations

from collections.abc import Sequence

from tests.contract.both_clients import Row

from runql import Api, Runs
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

ROWS, PAGE = 300, 50
"""Rows of each run, and steps of each window."""
COUNT = 4
"""Runs."""
WIDENS_AT = 120
"""The step from which ``loss`` has fractions, and ``late`` a value."""


def row(step: int, run: int) -> Row:
    """Return a row: ``loss`` is whole at first, ``late`` missing, ``shape`` nested, ``note`` a str in one run."""
    logged: Row = {
        "_step": step,
        "loss": step if step < WIDENS_AT else step + 0.5,
        "shape": {"width": [step, run], "name": f"n{step % 3}"},
        "note": "α" if run == 1 else run,
        "ok": step % 2 == 0,
    }
    return logged if step < WIDENS_AT else {**logged, "late": [1.5, None]}


def seed(server: RunningServer, project: str, count: int = COUNT, rows: int = ROWS) -> None:
    """Write the runs r0, r1, …"""
    server.seed(
        project,
        [
            SeedRun(
                name=f"r{run}",
                config={"lr": 1 if run == 0 else 0.5, "net": {"depth": run}},
                summary={"loss": run / 2},
                history=[row(step, run) for step in range(rows)],
            )
            for run in range(count)
        ],
    )
    server.clear()


def api_to(server: RunningServer) -> Api:
    """Return an entry point."""
    return Api(base_url=server.url, api_key=server.api_key, allow_insecure=True)


def runs_of(api: Api, server: RunningServer, project: str) -> Runs:
    """Return the runs, of which nothing was read yet."""
    return api.runs(f"{server.entity}/{project}", per_page=2)


def operations(server: RunningServer) -> Sequence[str]:
    """Return what was sent."""
    return [str(request.operation) for request in server.requests]
