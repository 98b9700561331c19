"""Run all cells."""

from __future__ import annotations

import sys
import faulthandler
import time

from tests.faults.matrix.cells import CELLS
from tests.faults.matrix.running import run_cell
from tests.faults.matrix.world import opened

faulthandler.dump_traceback_later(20, exit=True)
words = sys.argv[1:]
cells = [cell for name, cell in CELLS.items() if all(word in name for word in words)]
print(len(CELLS), "cells,", len(cells), "chosen", flush=True)
with opened() as world:
    started = time.monotonic()
    for cell in cells:
        faulthandler.dump_traceback_later(40, exit=True)
        result = run_cell(world, cell)
        if result.violations:
            print(cell.name, result.violations, f"{result.seconds:.2f} s", result.requests, flush=True)
    print(f"{time.monotonic() - started:.1f} s")
