"""A script for an official SDK's interpreter: log a run, fork it, resume the fork, try to rewind, and read the fork.

`fork_run.py NOTE_FILE`
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path


def main() -> None:
    """Log, fork, resume, read, and write the note."""
    wandb = importlib.import_module("wandb")
    with wandb.init(project="forks", config={"lr": 1}) as parent:
        for step in range(10):
            parent.log({"loss": 1 / (step + 1)})
    with wandb.init(project="forks", fork_from=f"{parent.id}?_step=4", config={"lr": 2}) as fork:
        for step in range(3):
            fork.log({"loss": 100.5 + step})
    with wandb.init(project="forks", id=fork.id, resume="must") as resumed:
        for step in range(4):
            resumed.log({"loss": 200.5 + step})
    try:
        wandb.init(project="forks", resume_from=f"{parent.id}?_step=4")
        refusal = ""
    except wandb.errors.Error as error:
        refusal = str(error)
    read = wandb.Api().run(f"forks/{fork.id}")
    note = {
        "parent": parent.id,
        "fork": fork.id,
        "refusal": refusal,
        "last_step": read.lastHistoryStep,
        "scan": [[row["_step"], row["loss"]] for row in read.scan_history(keys=["_step", "loss"])],
        "history": [[row["_step"], row["loss"]] for row in read.history(keys=["loss"], pandas=False)],
    }
    Path(sys.argv[1]).write_text(json.dumps(note))


if __name__ == "__main__":
    main()
