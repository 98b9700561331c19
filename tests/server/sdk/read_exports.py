"""A script for the official SDK's interpreter: read an exported run's history, and write the rows."""

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
    run = wandb.Api().run(f"local/oracle/{name}")
    # With keys first: the SDK sends no range requests once its cache has the whole files.
    record = {
        "keys": list(run.scan_history(keys=["loss", "nested"])),
        "window": list(run.scan_history(keys=["tiny"], min_step=10, max_step=150)),
        "whole": list(run.scan_history(use_cache=False)),
    }
    downloaded = run.download_history_exports("exports", require_complete_history=True)
    record["downloaded"] = [path.stat().st_size for path in downloaded.paths]
    result.write_text(json.dumps(record))


main(sys.argv[1], Path(sys.argv[2]))
