"""The names of pyarrow; where it is not installed, `Table` of `absent`. Type checkers alone read this module."""

# Of two star imports of one name, mypy takes the first and pyright the last; those of an absent library give no name.
# isort: off
from pyarrow import *  # noqa: F403  # pyright: ignore[reportWildcardImportFromLibrary] - its names, or none
from runql.frames.library_types.absent import *  # type: ignore[assignment]  # noqa: F403 - the first import counts
from pyarrow import *  # noqa: F403  # pyright: ignore[reportWildcardImportFromLibrary] - as above
