"""Runs a script of this folder in the official SDK's interpreter, without this project on its path."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.patience import ENVIRONMENT, PATIENCE

from runql_server.running import RunningServer

OLD, NEW = "RUNQL_WANDB_OLD", "RUNQL_WANDB_NEW"


def interpreter_of(variable: str) -> str:
    """Return the interpreter with one version of the SDK; skip the test without one."""
    found = os.environ.get(variable)
    if not found:
        pytest.skip(f"{variable} names no interpreter that has the official SDK")
    return found


def run_sdk(
    server: RunningServer,
    interpreter: str,
    script: str,
    folder: Path,
    *arguments: str,
    **more: str,
) -> subprocess.CompletedProcess[str]:
    """Run the script in the folder against the server; ``more`` is added to its environment."""
    folder.mkdir(exist_ok=True)
    environment = {
        **ENVIRONMENT,
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "WANDB_DIR": str(folder),
        "WANDB_CACHE_DIR": str(folder / "cache"),
        "WANDB_DATA_DIR": str(folder / "staging"),
        "WANDB_BASE_URL": server.url,
        "WANDB_API_KEY": server.api_key,
        "WANDB_ERROR_REPORTING": "false",
        "PYTHONWARNINGS": "ignore",
        **more,
    }
    return subprocess.run(
        [interpreter, str(Path(__file__).with_name(script)), *arguments],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
