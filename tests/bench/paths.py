"""Where the repository is, and what a process of the benchmark finds in its environment."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "tests" / "bench" / "RESULTS.md"


def environment(*, own: bool = True, **more: str) -> dict[str, str]:
    """The variables of a process; only our ``own`` interpreter finds the sources of runql."""
    sources = [str(ROOT / "src"), str(ROOT / "generated")] if own else []
    # Where bytecode may not be kept, ours alone would be compiled by each process: pip compiles what it installs.
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("WANDB_") and name != "PYTHONDONTWRITEBYTECODE"
    }
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join([*sources, str(ROOT)]),
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_SILENT": "true",
        "PYTHONWARNINGS": "ignore",
        **more,
    }
