"""File names: the local path of a file of a run or artifact, and the name of a local file in a run."""

from __future__ import annotations

import errno
import os
import re
import tempfile
import unicodedata
import warnings
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

from runql.arguments import shown
from runql.errors import LocalFileError, UnsafeNameError
from runql.quick_dataclasses import dataclass
from runql.transport.flow import Flow

OnUnsafe: TypeAlias = Literal["raise", "skip"]
"""What a download does, after the other files have arrived, about names that cannot be used: an error or a warning."""

MAX_PART_LENGTH: Final = 255
"""Bytes on Linux, UTF-16 units on Windows."""

UNSTORABLE: Final = frozenset(
    {errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL, errno.ENOTDIR, errno.EISDIR, errno.ELOOP}
)
"""The error codes of file systems for a name that they cannot store, such as one with a colon on a FAT disk."""

_WINDOWS: Final = os.name == "nt"
_RESERVED: Final = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(?:\..*)?", re.IGNORECASE | re.DOTALL
)
_NOT_ON_WINDOWS: Final = re.compile(r'[\x00-\x1f<>:"|?*\\]')


@dataclass(frozen=True, slots=True)
class Placement:
    """The paths to save files to, and the names that cannot be used.

    Attributes:
        targets: paths by name, in the order of the names.
        refused: reasons by name; downloads add names that the disk refuses.
    """

    targets: dict[str, Path]
    refused: dict[str, str]

    def saved(self) -> dict[str, Path]:
        """The paths by name, without those that the disk refused."""
        return {name: path for name, path in self.targets.items() if name not in self.refused}

    def report_refused(self, on_unsafe: OnUnsafe) -> None:
        """Warn of refused names, or raise an error that lists them.

        Raises:
            UnsafeNameError: names were refused, and ``on_unsafe`` is ``raise``.
        """
        if not self.refused:
            return
        error = UnsafeNameError(self.refused, [*self.saved().values()])
        if on_unsafe == "raise":
            raise error
        reasons = "; ".join(f"{name!r}: {reason}" for name, reason in self.refused.items())
        warnings.warn(f"{len(self.refused)} file(s) are not saved: {reasons}", RuntimeWarning, stacklevel=2)


def checked_on_unsafe(given: OnUnsafe) -> OnUnsafe:
    """Check an ``on_unsafe`` argument.

    Raises:
        ValueError: it is neither ``raise`` nor ``skip``.
    """
    if given not in get_args(OnUnsafe):
        raise ValueError(f"on_unsafe must be 'raise' or 'skip', not {shown(given)}")
    return given


def target_path(root: str | os.PathLike[str], name: str, *, windows: bool = _WINDOWS) -> Path:
    """Return the path of a file of this name below ``root``; writes nothing.

    Raises:
        UnsafeNameError: the name or a symbolic link leads out of ``root``, or this system cannot store the name.
        LocalFileError: ``root`` is not a folder, or cannot be read.
    """
    return target_paths(root, [name], windows=windows)[0]


def target_paths(
    root: str | os.PathLike[str], names: Sequence[str], *, windows: bool = _WINDOWS
) -> list[Path]:
    """Return the paths of several files; as `target_path`."""
    placement = place_files(root, names, windows=windows)
    if placement.refused:
        raise UnsafeNameError(placement.refused)
    return [placement.targets[name] for name in names]


def ignores_case(folder: Path) -> bool:
    """Whether the file system ignores the case of names."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        with tempfile.NamedTemporaryFile(prefix=".case-", dir=folder) as probe:
            path = Path(probe.name)
            return path.with_name(path.name.upper()).exists()
    except OSError:
        # Nothing can be written there: the download reports that.
        return False


def place_files(
    root: str | os.PathLike[str],
    names: Sequence[str],
    *,
    windows: bool = _WINDOWS,
    folds: Callable[[Path], bool] = ignores_case,
) -> Placement:
    """Choose the paths of files below ``root``; symbolic links of each folder are resolved once.

    Args:
        root: the folder, which need not exist.
        names: the names of the files, with `/` between their parts.
        windows: whether the system is Windows.
        folds: whether a folder ignores case; called only if names differ in case or Unicode form alone.

    Raises:
        LocalFileError: ``root`` is not a folder, or cannot be read.
        ValueError: ``root`` cannot be a path.
    """
    base = Path(root)
    resolved = _resolved_root(base)
    problems = {name: _problem(name, windows=windows) for name in names}
    refused = {name: problem for name, problem in problems.items() if problem is not None}
    refused |= _collisions([name for name in problems if name not in refused], lambda: folds(base))
    targets, inside = dict[str, Path](), set[Path]()
    for name in problems:
        if name in refused:
            continue
        target = base / name
        problem = _target_problem(target, base, resolved, inside)
        if problem is None:
            targets[name] = target
        else:
            refused[name] = problem
    return Placement(targets, refused)


def skip_unstorable(saving: Flow[None], name: str, refused: MutableMapping[str, str]) -> Flow[None]:
    """Save one file of many. A name that the disk cannot store is added to ``refused`` and does not stop the others."""
    try:
        yield from saving
    except LocalFileError as error:
        if error.errno not in UNSTORABLE:
            raise
        refused[name] = str(error)


def upload_name(path: str | os.PathLike[str], root: str | os.PathLike[str]) -> str:
    """Return the name of a local file in a run: its path relative to ``root``, with `__` for `..` and `_` for `.`.

    The official SDK gives the same names.

    Raises:
        UnsafeNameError: the name has no UTF-8 form, or the file is on another drive than ``root``.
    """
    try:
        relative = os.path.relpath(path, Path(root).absolute())
    except ValueError as error:
        raise UnsafeNameError({os.fspath(path): str(error)}, doing="uploaded") from error
    seen = Path(relative).as_posix().lstrip("/")
    if not _is_utf8(seen) or "\0" in seen:
        reason = "it has no UTF-8 form, or contains a NUL character: rename the file"
        raise UnsafeNameError({seen: reason}, doing="uploaded")
    return "/".join(part.replace(".", "_") if part in {".", ".."} else part for part in seen.split("/"))


def _problem(name: str, *, windows: bool) -> str | None:
    # Every system refuses names that leave the folder; this one also refuses names that it cannot store.
    parts = name.split("/")
    if name.startswith("/"):
        return "it is an absolute path"
    if ".." in parts:
        return "`..` leads out of the folder"
    if "\0" in name:
        return "it contains a NUL character"
    if "" in parts or "." in parts:
        return "a part of it is empty or `.`, which no file system stores"
    if not _is_utf8(name):
        return "it contains half a surrogate pair, which has no UTF-8 form"
    return next((found for part in parts if (found := _part_problem(part, windows=windows))), None)


def _part_problem(part: str, *, windows: bool) -> str | None:
    size, unit = (
        (len(part.encode("utf-16-le")) // 2, "UTF-16 units") if windows else (len(part.encode()), "bytes")
    )
    if size > MAX_PART_LENGTH:
        return f"a part of it has {size} {unit}, this system stores {MAX_PART_LENGTH}"
    if not windows:
        return None
    if found := _NOT_ON_WINDOWS.search(part):
        return f"Windows does not allow {found[0]!r} in a name, or reads it as a drive, a folder or a stream"
    if part[-1] in " .":
        return f"Windows drops the last character of {part!r}"
    if _RESERVED.fullmatch(part):
        return f"Windows reads {part!r} as a device"
    return None


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _collisions(names: Sequence[str], folds: Callable[[], bool]) -> dict[str, str]:
    """Names that collide with others: the later of two spellings, and a file where others need a folder."""
    collisions = _collisions_of({name: name for name in names})
    folded = {name: unicodedata.normalize("NFC", name).casefold() for name in names}
    folded_collisions = _collisions_of(folded)
    return folded_collisions if folded_collisions != collisions and folds() else collisions


def _collisions_of(keys: Mapping[str, str]) -> dict[str, str]:
    refused, first = dict[str, str](), dict[str, str]()
    for name, key in keys.items():
        other = first.setdefault(key, name)
        if other != name:
            refused[name] = f"this disk takes it for {other!r}, which differs in spelling alone"
    folders = {key[: slash.start()] for key in first for slash in re.finditer("/", key)}
    return refused | {
        name: "other files are in a folder of this name" for key, name in first.items() if key in folders
    }


def _resolved_root(base: Path) -> Path:
    try:
        if base.exists() and not base.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        _refuse_cycle(base)
        return base.resolve()
    except (OSError, RuntimeError) as error:
        reason = error if isinstance(error, OSError) else OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        raise LocalFileError(f"cannot save below {base}", reason) from error
    except ValueError as error:
        raise ValueError(f"root cannot be a path: {error}") from error


def _refuse_cycle(path: Path) -> None:
    """Raise RuntimeError where symbolic links form a cycle, as `Path.resolve` does before Python 3.13."""
    try:
        path.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise RuntimeError(f"symbolic links form a cycle: {path}") from error


def _target_problem(target: Path, base: Path, resolved: Path, inside: set[Path]) -> str | None:
    """Why a path cannot be used: a link leads out of the folder, or the disk cannot store the name."""
    try:
        is_link = target.is_symlink()
        if is_link or target.parent not in inside:
            _refuse_cycle(target)
            if not target.resolve().is_relative_to(resolved):
                return f"a symbolic link leads out of {base}"
            if not is_link:
                inside.add(target.parent)
    except RuntimeError:
        return "its symbolic links form a cycle"
    except OSError as error:
        if error.errno not in UNSTORABLE:
            raise LocalFileError(f"cannot save to {target}", error) from error
        return error.strerror or str(error)
    return None
