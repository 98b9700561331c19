"""A script for an official SDK's interpreter: create the sweep of the softmax family, and print its id last."""

# ruff: noqa: T201 - the command's output

from __future__ import annotations

import importlib
from typing import Any

from runql_server.training.digits import SWEEP
from runql_server.training.log_runs import PROJECT

if __name__ == "__main__":
    wandb: Any = importlib.import_module("wandb")  # Any: the SDK is not a dependency
    print(wandb.sweep(SWEEP, project=PROJECT))
