"""The pages of the API reference: every public name of runql on one of them, by the part that defines it."""

from __future__ import annotations

import re
from typing import Final

import runql

FOLDER: Final = "docs/reference"
PAGES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "clients": (
        "Clients",
        ("runql.resources.api", "runql.config", "runql.resources.capabilities", "runql.limits"),
    ),
    "runs": ("Runs", ("runql.resources.runs",)),
    "histories": ("Histories", ("runql.resources.history", "runql.resources.runs.histories")),
    "artifacts": ("Artifacts", ("runql.resources.artifacts",)),
    "files": ("Files", ("runql.resources.files",)),
    "sweeps": ("Sweeps", ("runql.resources.sweeps",)),
    "projects": ("Projects and users", ("runql.resources.project", "runql.resources.user")),
    "errors": ("Errors and warnings", ("runql.errors",)),
}
"""Titles, and the modules whose names are there; of several that fit, the longest prefix counts."""
FIRST: Final = (
    "Api",
    "Run",
    "Runs",
    "HistoryScan",
    "HistoriesScan",
    "Artifact",
    "File",
    "Sweep",
    "Project",
    "RunqlError",
)
"""The classes that their pages begin with."""
OTHERS: Final = ("others", "Other names")


def api_pages() -> dict[str, str]:
    """Format the pages, by their paths."""
    named: dict[str, list[str]] = {page: [] for page in [*PAGES, OTHERS[0]]}
    for name in runql.__all__:
        if not name.startswith("__"):
            named[page_of(name)].append(name)
    titles = {**{page: title for page, (title, _) in PAGES.items()}, OTHERS[0]: OTHERS[1]}
    pages = {f"{FOLDER}/{page}.md": _format(titles[page], names) for page, names in named.items()}
    pages[f"{FOLDER}/filters.md"] = (
        "# Filters\n\n`runql.filters` builds filters and orders.\n\n::: runql.filters\n"
    )
    pages[f"{FOLDER}/{OTHERS[0]}.md"] = pages.pop(f"{FOLDER}/{OTHERS[0]}.md")
    contents = "\n".join(
        f"- [{text.splitlines()[0][2:]}]({path.rpartition('/')[2]}): {_named(text)}"
        for path, text in pages.items()
    )
    pages[f"{FOLDER}/README.md"] = (
        f"# API\n\nEvery public name, from its docstring. A class with `Async` before its name has the same members.\n\n{contents}\n"
    )
    return pages


def page_of(name: str) -> str:
    """The page that describes a public name."""
    value: object = getattr(runql, name)
    module = str(getattr(value, "__module__", ""))
    if isinstance(value, type) and issubclass(value, Exception):
        return "errors"
    fitting = [
        (len(prefix), page)
        for page, (_, prefixes) in PAGES.items()
        for prefix in prefixes
        if module.startswith(prefix)
    ]
    return max(fitting)[1] if fitting else OTHERS[0]


def _format(title: str, names: list[str]) -> str:
    # A class stands before its asynchronous twin.
    ordered = sorted(
        names, key=lambda name: (_rank(name), name.removeprefix("Async"), name.startswith("Async"))
    )
    return "\n\n".join([f"# {title}", *(f"::: runql.{name}" for name in ordered)]) + "\n"


def _rank(name: str) -> int:
    base = name.removeprefix("Async")
    return FIRST.index(base) if base in FIRST else len(FIRST)


def _named(page: str) -> str:
    """The names that a page describes, without those of the asynchronous client."""
    names = re.findall(r"^::: runql\.(\w+)$", page, re.MULTILINE)
    return ", ".join(f"`{name}`" for name in names if not name.startswith("Async"))
