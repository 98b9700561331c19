"""Cells that are known to fail, each with the reason."""

from __future__ import annotations

from typing import Final

from tests.faults.matrix.cells import CELLS, Cell
from tests.faults.matrix.running import Result

KNOWN: Final[dict[tuple[str, str], str]] = {}
"""By call, or `*`, and name of the fault: why cells fail. An entry without a failing cell fails `make faults`."""


def entry_of(cell: Cell) -> tuple[str, str] | None:
    """Return the entry for a cell."""
    for key in ((cell.called.name, cell.fault.name), ("*", cell.fault.name)):
        if key in KNOWN:
            return key
    return None


def reason_of(cell: Cell) -> str | None:
    """Return why a cell is known to fail."""
    entry = entry_of(cell)
    return None if entry is None else KNOWN[entry]


def unexpected(result: Result) -> list[str]:
    """Return what a cell does that it should not, apart from what is known."""
    return [] if reason_of(CELLS[result.cell]) else result.violations


def out_of_date(results: list[Result]) -> list[str]:
    """Return the entries of which no cell fails any more."""
    failing = {entry_of(CELLS[result.cell]) for result in results if result.violations}
    return [f"{call} | {fault}" for call, fault in KNOWN if (call, fault) not in failing]
