"""A script for an official SDK's interpreter: read one run through its public API, and write its values as JSON.

`read_run.py PATH NOTE_FILE`
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path


def main() -> None:
    """Read, and write the note."""
    wandb = importlib.import_module("wandb")
    run = wandb.Api().run(sys.argv[1])
    note = {
        "name": run.name,
        "tags": list(run.tags),
        "notes": run.notes,
        "group": run.group,
        "job_type": run.job_type,
        "config": dict(run.config),
        "rawconfig": dict(run.rawconfig),
        "summary": dict(run.summary_metrics),
    }
    Path(sys.argv[2]).write_text(json.dumps(note))


if __name__ == "__main__":
    main()
