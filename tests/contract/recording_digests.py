"""`python -m tests.contract.recording_digests`: note the digest of every recording, so that one edited by hand is seen."""

from __future__ import annotations

from hashlib import sha256

from tests.contract.recording import FOLDER

DIGESTS = FOLDER / "digests.txt"
LENGTH = 16


def digests() -> dict[str, str]:
    """The recordings as they are, by path."""
    return {
        path.relative_to(FOLDER).as_posix(): sha256(path.read_bytes()).hexdigest()[:LENGTH]
        for path in sorted(FOLDER.glob("*/*.yaml"))
    }


def noted() -> dict[str, str]:
    """The recordings as they were recorded."""
    lines = (line.split(maxsplit=1) for line in DIGESTS.read_text("utf-8").splitlines())
    return {path: digest for digest, path in lines}


def note() -> None:
    """Write them down."""
    DIGESTS.write_text("".join(f"{digest}  {path}\n" for path, digest in digests().items()), encoding="utf-8")


if __name__ == "__main__":
    note()
