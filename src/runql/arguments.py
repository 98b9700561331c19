"""Checks of a caller's arguments, before anything is sent."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from reprlib import Repr
from typing import Final

from runql.errors import LocalFileError
from runql.values import refuse_surrogates

_SHORT: Final = Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother = 4, 200, 200


class DefaultPageSize(int):
    """A page size that the caller did not name, so that frames may choose others."""


DEFAULT_PAGE_SIZE: Final = DefaultPageSize(1000)
"""Steps in a window, as the official reference documents them."""


def shown(value: object) -> str:
    """Return a value's repr for an error message, cut short, however deep or long the value is."""
    try:
        return _SHORT.repr(value)
    except ValueError:
        # Python refuses to format an int of thousands of digits.
        return f"<{type(value).__name__}>"


def checked_str(name: str, value: object) -> str:
    """Check that an argument is a str that UTF-8 can encode, and return it.

    Raises:
        TypeError: it is no str.
        ValueError: it holds half of a surrogate pair.
    """
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}")
    refuse_surrogates(value, name)
    return value


def checked_path(name: str, value: object) -> Path:
    """Check that an argument is the path of a local file or folder, and return it.

    Raises:
        TypeError: it is neither a str nor a path.
        ValueError: no file can have this name: it holds a null character or half of a surrogate pair.
        LocalFileError: it is longer than the system allows.
    """
    path = value if isinstance(value, str) else str(value) if isinstance(value, Path) else _fspath(value)
    if path is None:
        raise TypeError(f"{name} must be a str or a path, not {type(value).__name__}")
    if "\0" in path:
        raise ValueError(f"{name} holds a null character: no file can be named {shown(path)}")
    try:
        os.lstat(path)
    except UnicodeEncodeError:
        refuse_surrogates(path, name)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise LocalFileError(f"{name} cannot be {shown(path)}", error) from error
    return Path(path)


def _fspath(value: object) -> str | None:
    """Return the path of a path-like object such as `os.DirEntry`; None where it has none, or one of bytes."""
    method: object = getattr(type(value), "__fspath__", None)
    path: object = method(value) if callable(method) else None
    return path if isinstance(path, str) else None


def checked_bool(name: str, value: object) -> bool:
    """Check that an argument is a bool, and return it.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, not {type(value).__name__}")
    return value


def positive(name: str, value: int) -> int:
    """Check that an argument is an int of at least 1, and return it."""
    if isinstance(value, bool) or not isinstance(value, int):  # pyright: ignore[reportUnnecessaryIsInstance] — as above
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    if value < 1:
        raise ValueError(f"{name} must be at least 1, not {value}")
    return value
