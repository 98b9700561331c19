"""`python -m tests.memory.command_reader PATH TARGET OPTION...`: `runql history PATH/long -o TARGET OPTION...`, and its peak in KiB.

The peak counts from after the imports and a first use, so that it is the peak of the reading alone.
"""

from __future__ import annotations

import sys
from pathlib import Path
from unittest.mock import patch

from tests.memory.histories_reader import status
from typer.testing import CliRunner

from runql.cli.commands import app
from runql.cli.console import spool


def read(run: str, target: Path, *options: str) -> None:
    """Run the command in this process."""
    done = CliRunner().invoke(app, ["history", run, "-o", str(target), *options])
    assert done.exit_code == 0, done.output


def main(path: str, target: str, *options: str) -> None:
    """Warm up with a short run, then measure a long one."""
    file = Path(target)
    # What waits in memory is the same for every run; less of it lets shorter runs show what grows.
    with patch.object(spool, "MOST_IN_MEMORY", 1 << 20):
        read(f"{path}/warm", file.with_stem(f"{file.stem}-warm"))
        before = status("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")
        read(f"{path}/long", file, *options)
        print(max(0, status("VmHWM") - before))


if __name__ == "__main__":
    main(*sys.argv[1:])
