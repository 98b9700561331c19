"""Processes that run cells, each with a world of its own."""

from __future__ import annotations

import faulthandler
import multiprocessing
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

from tests.faults.matrix.cells import CELLS, Cell
from tests.faults.matrix.running import Result, run_cell
from tests.faults.matrix.world import World, opened

_CHUNK: Final = 25
_HUNG: Final = 120.0
_stack: Final = ExitStack()
_worlds: Final[list[World]] = []


def _start() -> None:
    _worlds.append(_stack.enter_context(opened()))


def _run(name: str) -> Result:
    # A hang shows where it is.
    faulthandler.dump_traceback_later(_HUNG, exit=True)
    try:
        return run_cell(_worlds[0], CELLS[name])
    finally:
        faulthandler.cancel_dump_traceback_later()


def results_of(cells: list[Cell], processes: int) -> Iterator[Result]:
    """Run cells, in any order."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes, initializer=_start) as pool:
        yield from pool.imap_unordered(_run, [cell.name for cell in cells], _CHUNK)
