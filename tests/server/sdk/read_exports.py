"""Run by the official SDK's own interpreter: reads an exported run's history, and writes down what it saw."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

# Only there in the environment of the SDK, and untyped.
wandb: Any = import_module("wandb")


def main(name: str, result: Path) -> None:
    """Read, and leave the record at ``result``."""
    run = wandb.Api().run(f"local/oracle/{name}")
    # With keys first: once the whole files are in its cache it sends no range requests.
    record = {
        "keys": list(run.scan_history(keys=["loss", "nested"])),
        "window": list(run.scan_history(keys=["tiny"], min_step=10, max_step=150)),
        "whole": list(run.scan_history(use_cache=False)),
    }
    downloaded = run.download_history_exports("exports", require_complete_history=True)
    record["downloaded"] = [path.stat().st_size for path in downloaded.paths]
    result.write_text(json.dumps(record))


main(sys.argv[1], Path(sys.argv[2]))
