"""Runs the command in a process of its own, without a terminal, or in this one."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Protocol

from tests.patience import PATIENCE
from typer.testing import CliRunner, Result

from runql.cli.commands import app


class Served(Protocol):
    """A running server."""

    @property
    def url(self) -> str: ...

    @property
    def api_key(self) -> str: ...

    @property
    def entity(self) -> str: ...


def settings(server: Served) -> dict[str, str]:
    """The variables that name a server."""
    return {
        "WANDB_BASE_URL": server.url,
        "WANDB_API_KEY": server.api_key,
        "WANDB_ENTITY": server.entity,
        "COLUMNS": "200",
    }


def clean(env: Mapping[str, str]) -> dict[str, str]:
    """The variables of this process without those of W&B, and these."""
    return {**{name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}, **env}


def in_process_of_its_own(
    server: Served, *arguments: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, as people do."""
    return subprocess.run(
        [sys.executable, "-m", "runql.cli.main", *arguments],
        env=clean({**settings(server), **(env or {})}),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def in_this_process(server: Served, *arguments: str) -> Result:
    """Run the command here, which is quicker."""
    return CliRunner(env=settings(server)).invoke(app, list(arguments))
