"""A script for the official SDK's interpreter: `log_until_told.py ID STOP`: logs rows until the file STOP exists."""

from __future__ import annotations

import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

# Untyped, and installed only in the environment of the SDK.
wandb: Any = import_module("wandb")

PAUSE = 0.05
# The SDK cuts these to whole seconds.
QUICK_RETRIES = {
    "x_file_stream_transmit_interval": 1,
    "x_file_stream_retry_max": 10_000,
    "x_file_stream_retry_wait_min_seconds": 1,
    "x_file_stream_retry_wait_max_seconds": 1,
    "x_graphql_retry_max": 10_000,
    "x_graphql_retry_wait_min_seconds": 1,
    "x_graphql_retry_wait_max_seconds": 1,
    "x_file_transfer_retry_max": 10_000,
    "x_file_transfer_retry_wait_min_seconds": 1,
    "x_file_transfer_retry_wait_max_seconds": 1,
    "x_disable_stats": True,
    "x_disable_meta": True,
    "console": "off",
    "save_code": False,
}


def main(run_id: str, stop: Path) -> None:
    """Log one row after the other; print their number at the end."""
    run = wandb.init(project="endurance", id=run_id, settings=wandb.Settings(**QUICK_RETRIES))
    count = 0
    while not stop.exists():
        run.log({"value": count / 7, "half": count // 2})
        count += 1
        time.sleep(PAUSE)
    run.finish()
    print(count, flush=True)


main(sys.argv[1], Path(sys.argv[2]))
