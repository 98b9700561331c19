"""Lists of names that a caller gives: the tags of runs, the tags and aliases of artifacts."""

from __future__ import annotations

from collections.abc import Iterable

from runql.arguments import shown


def checked_names(what: str, names: Iterable[str]) -> list[str]:
    """The names as a list.

    Args:
        what: for the error, such as ``tags``.
        names: as the caller gave them. A str is refused: iterating it would give its letters.

    Raises:
        TypeError: they are no list of str.
    """
    if isinstance(names, (str, bytes)):
        raise TypeError(f"{what} must be a list of str, not {shown(names)}")
    given = list(names)
    if not all(isinstance(name, str) for name in given):  # pyright: ignore[reportUnnecessaryIsInstance] — callers may be untyped
        raise TypeError(f"{what} must be a list of str, not {shown(given)}")
    return given
