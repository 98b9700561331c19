"""A script for an official SDK's interpreter: log offline until a file appears, then finish.

`log_until_stopped.py FOLDER STOP_FILE`
"""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path
from typing import Any


def main() -> None:
    """Log rows that fill the blocks of the file fast."""
    wandb: Any = importlib.import_module("wandb")
    run = wandb.init(project="offline", id="living", dir=sys.argv[1])
    stop = Path(sys.argv[2])
    step = 0
    while not stop.exists():
        run.log({"step": step, "text": "t" * 2_000})
        print(f"step {step}")
        run.config.update({"reached": step // 10}, allow_val_change=True)
        step += 1
        time.sleep(0.01)
    run.log({"last": step})
    run.summary["best"] = 0.5
    run.finish()


if __name__ == "__main__":
    main()
