"""Runs a script in an official SDK's interpreter against an embedded server."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests import profiles
from tests.patience import PATIENCE

from runql_server.running import RunningServer

VERSIONS = ("RUNQL_WANDB_OLD", "RUNQL_WANDB_NEW")
NEWEST_IF_QUICK = VERSIONS if profiles.IS_FULL else VERSIONS[-1:]
"""For tests that take a minute with each SDK: the quick profile takes the newest alone."""


def interpreter(variable: str) -> str:
    """Return the interpreter from an environment variable; skip the test without one."""
    found = os.environ.get(variable)
    if not found:
        pytest.skip(f"{variable} names no interpreter with the official SDK: use `make test`")
    return found


def settings(server: RunningServer, folder: Path) -> dict[str, str]:
    """Return the variables of a process that logs to a server, and keeps its files in a folder."""
    return {
        **os.environ,
        "WANDB_BASE_URL": server.url,
        "WANDB_API_KEY": server.api_key,
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_DIR": str(folder),
        "WANDB_CONSOLE": "off",
    }


def call(python: str, script: str, *arguments: str, server: RunningServer, folder: Path) -> str:
    """Run a script of this folder to its end, and return what it printed."""
    done = subprocess.run(
        [python, str(Path(__file__).with_name(script)), *arguments],
        env=settings(server, folder),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr
