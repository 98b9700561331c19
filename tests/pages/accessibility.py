"""What axe-core finds on a page."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from playwright.sync_api import Page

# Any: the package has no types.
_axe: Final[Any] = import_module("axe_playwright_python.sync_playwright")


def violations(page: Page) -> list[str]:
    """Return what is serious or critical: the rule, and where; frames, which hold what was logged, are left out."""
    left_out = {"exclude": [["iframe"], [".plot"]]}
    found: list[dict[str, Any]] = _axe.Axe().run(page, context=left_out).response["violations"]
    return [
        f"{each['id']}: {[node['html'][:200] for node in each['nodes']][:5]}"
        for each in found
        if each["impact"] in {"serious", "critical"}
    ]
