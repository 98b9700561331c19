"""A script for the official SDK's interpreter: read, change and delete a run, and write the results."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

# Untyped, and installed only in the environment of the SDK.
wandb: Any = import_module("wandb")


def main(name: str, result: Path) -> None:
    """Read, and write the record to ``result``."""
    api = wandb.Api()
    run = api.run(f"local/oracle/{name}")
    record = {
        "state": run.state,
        "tags": list(run.tags),
        "config": dict(run.config),
        "last_step": run.lastHistoryStep,
        "scan": list(run.scan_history(page_size=100)),
        "scan_keys": list(run.scan_history(keys=["note", "nested", "i"])),
        "window": list(run.scan_history(min_step=10, max_step=150)),
        "sampled": run.history(samples=50, pandas=False),
        "listed": [found.id for found in api.runs("local/oracle", filters={"config.model.deep.x": 0.1})],
        "none": [
            found.id for found in api.runs("local/oracle", {"summary_metrics.best": {"$gt": 1}}, per_page=1)
        ]
        if len(api.runs("local/oracle", {"summary_metrics.best": {"$gt": 1}}))
        else [],
    }
    Path("note.txt").write_text("hello")
    run.upload_file("note.txt")
    record["uploaded"] = run.file("note.txt").download(root="back", replace=True).read()
    run.display_name = "another name"
    run.update()
    record["renamed"] = wandb.Api().run(f"local/oracle/{name}").name
    run.delete()
    record["left"] = len(wandb.Api().runs("local/oracle"))
    result.write_text(json.dumps(record))


main(sys.argv[1], Path(sys.argv[2]))
