"""A script for an official SDK's interpreter: link the best model of all families to the portfolio."""

from __future__ import annotations

import importlib
from typing import Any

from runql_server.training.log_runs import PROJECT

FAMILIES = ("softmax", "mlp", "sgd")
PORTFOLIO = f"{PROJECT}/champion"

if __name__ == "__main__":
    api: Any = importlib.import_module("wandb").Api()  # Any: the SDK is not a dependency
    best = max(
        (api.artifact(f"{PROJECT}/{family}:best") for family in FAMILIES),
        key=lambda artifact: float(artifact.metadata["accuracy"]),
    )
    best.link(PORTFOLIO, aliases=["production"])
