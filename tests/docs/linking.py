"""Links from names in the text of the built pages to their places in the reference."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.docs.references import VARIABLES

PARTS: Final = re.compile(
    r"<pre.*?</pre>|<a\b.*?</a>|<h\d.*?</h\d>|<nav.*?</nav>|<code>([^<]+)</code>", re.DOTALL
)
"""What has links of its own, and spans of code, which get one."""
NAME: Final = re.compile(r"(?:runql\.)?(\w+)((?:\.\w+)*)(?=[(\[]|$)")


def reference_places(folder: Path) -> dict[str, str]:
    """Find where the built reference describes each name: its page and anchor."""
    return {
        name: f"{page.name}#{name}"
        for page in sorted(folder.glob("*.html"))
        for name in re.findall(r'<h\d id="?(runql\.[\w.]+)"?', page.read_text("utf-8"))
    }


def linked(html: str, places: Mapping[str, str], reference: str) -> str:
    """The page with a link around each span that begins with a name of the reference."""

    def link(part: re.Match[str]) -> str:
        place = None if part[1] is None else places.get(_described(part[1]))
        return part[0] if place is None else f'<a href="{reference}{place}">{part[0]}</a>'

    return PARTS.sub(link, html)


def _described(span: str) -> str:
    """The name in the reference of what a span names; `run.history()` is `runql.Run.history`."""
    found = NAME.match(span)
    if found is None:
        return ""
    owner = VARIABLES[found[1]].__name__ if found[1] in VARIABLES else found[1]
    return f"runql.{owner}{found[2]}" if found[2] or found[1] not in VARIABLES else ""
