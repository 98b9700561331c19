"""A script for an official SDK's interpreter: create a sweep with two runs, and write what the SDK's own reader returns.

`log_sweep.py NOTE_FILE`; it starts itself for each run.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

CONFIG: dict[str, object] = {
    "name": "größe ✓",
    "method": "grid",
    "metric": {"name": "loss", "goal": "minimize"},
    "parameters": {"lr": {"values": [1e-05, 0.5]}, "code": {"value": "008"}, "on": {"values": [True, False]}},
}
LOSSES = (0.75, 0.25)


def main() -> None:
    """Create, log, read back, and write the note."""
    wandb = importlib.import_module("wandb")
    sweep_id = wandb.sweep(CONFIG, project="oracle")
    for loss in LOSSES:
        # As an agent does: a new process, which reads its sweep from the environment.
        command = [sys.executable, __file__, "--loss", str(loss)]
        subprocess.run(command, env={**os.environ, "WANDB_SWEEP_ID": sweep_id}, check=True)
    api = wandb.Api()
    sweep = api.sweep(f"{api.default_entity}/oracle/{sweep_id}")
    best = sweep.best_run()
    note = {
        "id": sweep.id,
        "name": sweep.name,
        "state": sweep.state,
        "config": sweep.config,
        "order": sweep.order,
        "expected_run_count": sweep.expected_run_count,
        "best_loss": sweep.best_loss,
        "best_run": best.id,
        "sweep_of_best_run": best.sweep_name,
        "path": sweep.path,
        "listed": [each.id for each in sweep.runs],
    }
    Path(sys.argv[1]).write_text(json.dumps(note))


def log_run(loss: float) -> None:
    """Log one run of the sweep."""
    wandb = importlib.import_module("wandb")
    with wandb.init(project="oracle") as run:
        run.log({"loss": loss})


if __name__ == "__main__":
    if sys.argv[1] == "--loss":
        log_run(float(sys.argv[2]))
    else:
        main()
