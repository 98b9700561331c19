"""Paths of the repository, and the environment of the benchmark's processes."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "tests" / "bench" / "RESULTS.md"


def environment(*, own: bool = True, **more: str) -> dict[str, str]:
    """Return the environment of a process; only our ``own`` interpreter finds the sources of runql."""
    sources = [str(ROOT / "src"), str(ROOT / "generated")] if own else []
    # pip compiles installed libraries; without stored bytecode each process would compile only runql.
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
