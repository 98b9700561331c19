"""A script for an official SDK's interpreter: create a sweep, and let `wandb.agent` run a function for it.

`agent_function.py CONFIG_JSON NOTE_FILE`
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path


def main() -> None:
    """Create the sweep, run its agent to the end, and write the note."""
    wandb = importlib.import_module("wandb")
    sweep_id = wandb.sweep(json.loads(sys.argv[1]), project="swept")
    seen: list[dict[str, object]] = []

    def train() -> None:
        with wandb.init() as run:
            seen.append({"id": run.id, "sweep": run.sweep_id, "config": dict(run.config)})
            run.log({"loss": run.config["lr"] * 2})

    wandb.agent(sweep_id, function=train, project="swept")
    Path(sys.argv[2]).write_text(json.dumps({"sweep": sweep_id, "runs": seen}))


if __name__ == "__main__":
    main()
