"""Names in annotations whose module is imported when `typing.get_type_hints` resolves them."""

from __future__ import annotations

from importlib import import_module
from typing import Final, ForwardRef

_LIBRARIES: Final = {"pd": "pandas", "pl": "polars", "pa": "pyarrow", "rc": "rich.console"}
_GENERIC: Final = {
    "AsyncHistoriesScan": "runql.resources.runs.histories.scan",
    "AsyncHistoryScan": "runql.resources.history.scan",
    "AsyncTypedRuns": "runql.resources.runs.typed.typed_runs",
    "HistoriesScan": "runql.resources.runs.histories.scan",
    "HistoryScan": "runql.resources.history.scan",
    "PageSweeps": "runql.resources.sweeps.page_sweeps",
    "TypedRuns": "runql.resources.runs.typed.typed_runs",
}


class PostponedLibrary:
    """A library of an extra: evaluating ``pd.DataFrame`` imports pandas.

    Where the library is not installed, this raises `ModuleNotFoundError`.
    """

    def __init__(self, module: str) -> None:
        self._module = module

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(import_module(self._module), name)


class PostponedGeneric:
    """A generic class: evaluating ``HistoriesScan[Row]`` imports it."""

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name

    def __getitem__(self, arguments: object) -> object:
        return getattr(import_module(self._module), self._name)[arguments]


Postponed = ForwardRef | PostponedGeneric | PostponedLibrary


def postponed(names: str) -> dict[str, Postponed]:
    """Return names that a module imports for type checkers only, for its globals at run time.

    Each is an expression with the import in it, so nothing is loaded before `typing.get_type_hints` evaluates it::

        if TYPE_CHECKING:
            from runql.resources.runs.run import Run
        else:
            globals().update(postponed("Run"))

    Args:
        names: separated by blanks: names that `runql` exports, ``pd``, ``pl``, ``pa``, ``rc``, or generic classes.
    """
    return {name: _postponed(name) for name in names.split()}


def _postponed(name: str) -> Postponed:
    if name in _LIBRARIES:
        return PostponedLibrary(_LIBRARIES[name])
    if name in _GENERIC:
        return PostponedGeneric(_GENERIC[name], name)
    return ForwardRef(f"__import__('runql').{name}")
