"""Names of files: where a run's file may lie on this disk, and what a local file is called in a run."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from runql.errors import UnsafeNameError

_DRIVE = re.compile(r"[A-Za-z]:")
_RESERVED = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(?:[.:].*)?", re.IGNORECASE | re.DOTALL
)


def target_path(root: str | os.PathLike[str], name: str) -> Path:
    """Where a run's file of this name lies below ``root``; nothing is written.

    Names that only some systems misread (drive letters, backslashes, device names) are refused on all of them.

    Raises:
        UnsafeNameError: the name, or a symbolic link on its way, leads out of ``root``, or means something else than
            a file.
    """
    return target_paths(root, [name])[0]


def target_paths(root: str | os.PathLike[str], names: Sequence[str]) -> list[Path]:
    """As `target_path`, of many files; the links of each folder are followed once."""
    base, targets, inside = Path(root), list[Path](), set[Path]()
    resolved = base.resolve()
    for name in names:
        _check_parts(name)
        target = base / name
        is_link = target.is_symlink()
        if is_link or target.parent not in inside:
            if not _resolved(target, name).is_relative_to(resolved):
                raise UnsafeNameError(f"{name!r} is not saved: a symbolic link leads out of {base}")
            if not is_link:
                inside.add(target.parent)
        targets.append(target)
    return targets


def _check_parts(name: str) -> None:
    for part in name.split("/"):
        if part in {"", ".", ".."} or "\\" in part or "\0" in part:
            raise UnsafeNameError(
                f"{name!r} is not saved: it must be a relative path with `/` between its parts"
            )
        if _DRIVE.match(part) or _RESERVED.fullmatch(part):
            raise UnsafeNameError(f"{name!r} is not saved: Windows reads {part!r} as a drive or device")


def _resolved(target: Path, name: str) -> Path:
    try:
        return target.resolve()
    except (OSError, RuntimeError) as error:
        raise UnsafeNameError(f"{name!r} is not saved: links on its way go in a circle") from error


def upload_name(path: str | os.PathLike[str], root: str | os.PathLike[str]) -> str:
    """What the file at ``path`` is called in a run: its path as seen from ``root``, `..` written `__` and `.` written `_`.

    These are the names that the official SDK gives.
    """
    seen = Path(os.path.relpath(path, Path(root).absolute())).as_posix().lstrip("/")
    return "/".join(part.replace(".", "_") if part in {".", ".."} else part for part in seen.split("/"))
