"""Where the files of runs lie in an archive: under their own names, unless some file system cannot hold them."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from runql.archive import layout
from runql.resources.files.names import place_files

MOST_PATH: Final = 200
"""Characters of a path in an archive; some systems allow 260 with the folder."""


def folded(name: str) -> str:
    """The name as file systems see it that ignore case and ways of writing accents."""
    return unicodedata.normalize("NFC", name).casefold()


def run_folders(folder: Path, runs: Sequence[str]) -> dict[str, str | None]:
    """The folder of each run's files; None where its files are numbered."""
    return _usable(folder / layout.FILES, layout.FILES, runs, parts=1)


def file_paths(folder: Path, home: str | None, run: str, names: Sequence[str]) -> dict[str, str]:
    """The paths of a run's files in an archive, by their names.

    Args:
        folder: of the archive.
        home: the run's own folder, None where it has none.
        run: its id.
        names: of the files.
    """
    own = {} if home is None else _usable(folder / home, home, names)
    return {name: own.get(name) or f"{layout.MAPPED}/{_digest(run, name)}" for name in names}


def _usable(base: Path, start: str, names: Sequence[str], parts: int | None = None) -> dict[str, str | None]:
    wanted = [name for name in dict.fromkeys(names) if parts is None or name.count("/") < parts]
    placed = place_files(base, wanted, windows=True).targets
    taken: set[str] = set()
    found: dict[str, str | None] = dict.fromkeys(names)
    for name in wanted:
        key = folded(name)
        if name in placed and key not in taken and len(name) <= MOST_PATH and not name.startswith("."):
            taken.add(key)
            found[name] = f"{start}/{name}"
    # A file where others need a folder, on systems that ignore case.
    folders = {key[:place] for key in taken for place in range(len(key)) if key[place] == "/"}
    return {name: None if folded(name) in folders else path for name, path in found.items()}


def _digest(run: str, name: str) -> str:
    return hashlib.sha256(f"{run}\0{name}".encode("utf-8", "surrogatepass")).hexdigest()[:40]
