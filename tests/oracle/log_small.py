"""A script for an official SDK's interpreter: log a few rows, and write the run's id.

`log_small.py NOTE_FILE`
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

CONFIG: dict[str, object] = {"lr": 0.1 + 0.2, "layers": [64, 32], "deep": {"momentum": 1e-7, "none": None}}


def main() -> None:
    """Log, finish, and write the note."""
    wandb = importlib.import_module("wandb")
    run = wandb.init(
        project="oracle", config=CONFIG, tags=["a", "grün"], notes="a\nnote", group="g", job_type="t"
    )
    for step in range(5):
        run.log({"loss": 1 / (step + 1)})
    run.summary["best"] = 1 / 3
    run.summary["deep"] = {"x": {"y": 2.5}}
    run.finish()
    Path(sys.argv[1]).write_text(json.dumps({"id": run.id}))


if __name__ == "__main__":
    main()
