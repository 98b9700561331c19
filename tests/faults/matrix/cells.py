"""The cells: public calls x faults x clients, and the part that a commit draws."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.contract.both_clients import FaceName
from tests.faults.matrix.calls import CALLS, Called
from tests.faults.matrix.catalogue import FAULTS
from tests.faults.matrix.faults import Fault

_ROOT: Final = Path(__file__).parents[3]
_FACES: Final[tuple[FaceName, ...]] = ("sync", "async")
_SILENT_SHARE: Final = 3
"""Where a fault is silent for a while, one of so many cells is made: each waits for a timeout."""
_SHARE: Final = 10
"""One of so many combinations is a cell."""
_CORE: Final = frozenset(
    {
        *(
            "run",
            "runs(paged)",
            "run.scan_history",
            "exported.scan_history",
            "runs.histories",
            "file.download",
        ),
        *("artifact.download", "run.upload_file", "run.update", "run.delete", "file.delete"),
        *("project.export", "import_project"),
    }
)
"""Calls that take part in more cells."""
FIXED: Final = "without a commit"


@dataclass(frozen=True)
class Cell:
    """One call on one client with one fault."""

    called: Called
    fault: Fault
    face: FaceName

    @property
    def name(self) -> str:
        """Call, fault and client."""
        return f"{self.called.name} | {self.fault.title} | {self.face}"


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "replace")).digest()[:6], "big")


def _everything() -> list[Cell]:
    found: list[Cell] = []
    for fault in FAULTS.values():
        for called in CALLS.values():
            if not fault.kinds & called.kinds:
                continue
            for face in _FACES:
                cell = Cell(called, fault, face)
                share = (2 if called.name in _CORE else _SHARE) * (_SILENT_SHARE if fault.silent else 1)
                if _number(cell.name) % share == 0:
                    found.append(cell)
    return found


CELLS: Final[dict[str, Cell]] = {cell.name: cell for cell in _everything()}


def commit() -> str:
    """Return the commit that is checked out."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=_ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return FIXED
    return done.stdout.strip()


def drawn(one_of: int, by: str) -> list[Cell]:
    """Return one of so many cells, the same for the same commit."""
    return [cell for name, cell in CELLS.items() if _number(f"{by} {name}") % one_of == 0]
