"""The optional dataframe libraries, looked up without importing them."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal, TypeAlias

from runql.errors import MissingExtraError

Library: TypeAlias = Literal["dask", "pandas", "polars", "pyarrow", "ray"]
EXTRAS: dict[Library, str] = {
    "dask": "dask",
    "pandas": "pandas",
    "polars": "polars",
    "pyarrow": "arrow",
    "ray": "ray",
}


def require(library: Library, *, needed_for: str) -> None:
    """Refuse a call before it sends anything, where its library is missing.

    Raises:
        MissingExtraError: the library is not installed.
    """
    if find_spec(library) is None:
        raise MissingExtraError(library, extra=EXTRAS[library], needed_for=needed_for)
