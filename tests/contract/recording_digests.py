"""`python -m tests.contract.recording_digests`: store the digests of all recordings, to detect edits by hand."""

from __future__ import annotations

from hashlib import sha256

from tests.contract.recording import FOLDER

DIGESTS = FOLDER / "digests.txt"
LENGTH = 16


def digests() -> dict[str, str]:
    """Compute the digests of the current recordings, by path."""
    return {
        path.relative_to(FOLDER).as_posix(): sha256(path.read_bytes()).hexdigest()[:LENGTH]
        for path in sorted(FOLDER.glob("*/*.yaml"))
    }


def noted() -> dict[str, str]:
    """Read the stored digests, by path."""
    lines = (line.split(maxsplit=1) for line in DIGESTS.read_text("utf-8").splitlines())
    return {path: digest for digest, path in lines}


def note() -> None:
    """Store the digests of the current recordings."""
    DIGESTS.write_text("".join(f"{digest}  {path}\n" for path, digest in digests().items()), encoding="utf-8")


if __name__ == "__main__":
    note()
