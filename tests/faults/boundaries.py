"""Where a transfer is stopped: each class of places between two bytes at which something may be handled differently."""

from __future__ import annotations

from pathlib import Path

from tests.contract.file_answers import BODY
from tests.profiles import IS_FULL

from runql.transport.bodies import BUFFER_SIZE, CHUNK

OLD = b"what was there before"
EVERYWHERE = {
    "no byte": 0,
    "one byte": 1,
    "all but one of a chunk": CHUNK - 1,
    "a chunk": CHUNK,
    "a chunk and one": CHUNK + 1,
    "as much as is held": BUFFER_SIZE,
    "more than is held": BUFFER_SIZE + 1,
    "all but one": len(BODY) - 1,
    "all": len(BODY),
}
QUICK = ("no byte", "a chunk and one", "more than is held", "all")
"""One of each class: nothing, bytes in memory, bytes on disk, everything."""

BOUNDARIES = EVERYWHERE if IS_FULL else {name: EVERYWHERE[name] for name in QUICK}
BEFORE = {"new": None, "replaced": OLD}


def placed(root: Path, before: bytes | None) -> Path:
    """The target, holding what it held before."""
    target = root / "d" / "x.bin"
    if before is not None:
        target.parent.mkdir(parents=True)
        target.write_bytes(before)
    return target


def held(target: Path) -> bytes | None:
    """What the target holds, None when it is not there."""
    return target.read_bytes() if target.exists() else None


def beside(target: Path) -> list[str]:
    """What lies beside the target, folders included."""
    if not target.parent.exists():
        return []
    return sorted(path.name for path in target.parent.iterdir() if path != target)
