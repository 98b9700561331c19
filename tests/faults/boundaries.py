"""Byte positions at which a transfer stops, one for each way of handling the bytes."""

from __future__ import annotations

from pathlib import Path

from tests.contract.file_responses import BODY
from tests.profiles import IS_FULL

from runql.transport.files.bodies import BUFFER_SIZE, CHUNK

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
"""One position of each class: no bytes, bytes in memory, bytes on disk, all bytes."""

BOUNDARIES = EVERYWHERE if IS_FULL else {name: EVERYWHERE[name] for name in QUICK}
BEFORE = {"new": None, "replaced": OLD}


def place_target(root: Path, before: bytes | None) -> Path:
    """Create the target with its previous content, and return its path."""
    target = root / "d" / "x.bin"
    if before is not None:
        target.parent.mkdir(parents=True)
        target.write_bytes(before)
    return target


def content_of(target: Path) -> bytes | None:
    """Return the target's content, None if it does not exist."""
    return target.read_bytes() if target.exists() else None


def siblings_of(target: Path) -> list[str]:
    """List the names of other files and folders in the target's folder."""
    if not target.parent.exists():
        return []
    return sorted(path.name for path in target.parent.iterdir() if path != target)
