"""The names of rich; where it is not installed, `ConsoleRenderable` of `absent`. Type checkers alone read this module."""

__all__ = ["ConsoleRenderable"]  # noqa: F405 - a star import brings it

# Of two star imports of one name, mypy takes the first and pyright the last; those of an absent library give no name.
# isort: off
from rich.console import *  # noqa: F403  # pyright: ignore[reportWildcardImportFromLibrary] - its names, or none
from runql.frames.library_types.absent import *  # noqa: F403 - the first import counts
from rich.console import *  # noqa: F403  # pyright: ignore[reportWildcardImportFromLibrary] - as above
