"""The code of README and of the documents: fenced blocks with their language, by page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES: Final = (
    "README.md",
    *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").rglob("*.md")),
)


def blocks(page: str, language: str) -> list[str]:
    """The blocks of a page in a language; those without one are of the language `""`."""
    return [code for found, code in FENCE.findall((ROOT / page).read_text("utf-8")) if found == language]


def languages(page: str) -> set[str]:
    """The languages of the blocks of a page."""
    return {found for found, _ in FENCE.findall((ROOT / page).read_text("utf-8"))}
