"""A server in a separate process, for tests that kill it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple


class Started(NamedTuple):
    """The process, its base URL, and the printed key; only the first start over a directory prints one."""

    process: subprocess.Popen[str]
    url: str
    key: str | None


def environment() -> dict[str, str]:
    """Return the environment in which a process finds the server's code.

    It compiles nothing to disk: one whose files are limited in size would leave cut bytecode to all later processes.
    """
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


def start(data_dir: Path, *options: str) -> Started:
    """Start a server over the directory, and wait until it prints its URL."""
    command = [sys.executable, "-m", "runql_server", "--port", "0", "--data-dir", str(data_dir), *options]
    process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    said = "".join(process.stdout.readline() for _ in range(4))
    url = re.search(r"WANDB_BASE_URL=(\S+)", said)
    key = re.search(r"WANDB_API_KEY=(\S+)", said)
    assert url is not None, said
    return Started(process, url.group(1), key.group(1) if key else None)
