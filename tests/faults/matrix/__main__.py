"""Runs all cells on several processes, measures the official SDKs beside them, and writes the report."""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from tests.faults.matrix.cells import CELLS
from tests.faults.matrix.known import out_of_date, unexpected
from tests.faults.matrix.libraries import Measured, measure_libraries
from tests.faults.matrix.report import write_report
from tests.faults.matrix.running import Result
from tests.faults.matrix.workers import results_of

PROCESSES: Final = 4
"""More than cores: cells wait for timeouts."""


def _libraries(*, wanted: bool) -> list[Measured]:
    return measure_libraries() if wanted else []


def main() -> int:
    """Run the cells that the arguments choose; write the report when they choose all."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.matrix", description=__doc__)
    parser.add_argument("words", nargs="*", help="only cells whose names contain all of these")
    parser.add_argument("--processes", type=int, default=PROCESSES)
    parser.add_argument("--no-sdks", action="store_true", help="do not measure the official SDKs")
    options = parser.parse_args()
    cells = [cell for name, cell in CELLS.items() if all(word in name for word in options.words)]
    started = time.monotonic()
    results: list[Result] = []
    failed = 0
    measuring = ThreadPoolExecutor(1)
    libraries = measuring.submit(_libraries, wanted=not options.words and not options.no_sdks)
    for result in results_of(cells, options.processes):
        results.append(result)
        if found := unexpected(result):
            failed += 1
            print(
                result.cell,
                *found,
                f"[{result.requests} requests, {result.seconds:.2f} s]",
                sep="\n    ",
                flush=True,
            )
    seconds = time.monotonic() - started
    if not options.words:
        for each in out_of_date(results):
            failed += 1
            print(f"{each}: no cell fails any more, take it out of known.py")
    print(f"{len(results)} cells in {seconds:.0f} s, {failed} failed")
    if not options.words:
        write_report(results, libraries.result(), seconds)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
