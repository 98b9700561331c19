"""What tests see of a page: whether it fits its screen, and what axe-core reports."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from typing import Any, Final

from playwright.sync_api import Locator, Page

from runql_server.running import RunningServer

SOON: Final = timedelta(milliseconds=100)
"""How often pages of tests renew themselves: none waits for the two seconds that users have."""

_axe: Final[Any] = import_module("axe_playwright_python.sync_playwright")  # Any: the package has no types


def open_page(tab: Page, server: RunningServer, path: str) -> None:
    """Open a page with a session of its own."""
    tab.goto(server.page_link(path))


def overflow(tab: Page) -> int:
    """Return by how many pixels the page is wider than its window."""
    width: int = tab.evaluate("document.documentElement.scrollWidth - innerWidth")
    return width


def serious(tab: Page) -> list[str]:
    """Return what axe-core finds serious or critical: the rule, and where.

    Documents in frames, which anybody may have logged, and the insides of plots are left out.
    """
    left_out = {"exclude": [["iframe"], [".plot"]]}
    violations: list[dict[str, Any]] = _axe.Axe().run(tab, context=left_out).response["violations"]
    return [
        f"{each['id']}: {[node['html'][:200] for node in each['nodes']]}"
        for each in violations
        if each["impact"] in {"serious", "critical"}
    ]


def chart(tab: Page, key: str) -> Locator:
    """Find the chart of a key."""
    return tab.locator("figure", has=tab.get_by_text(key, exact=True))


def drawn(figure: Locator) -> int:
    """Return how many points a chart has drawn."""
    return int(figure.get_attribute("data-drawn") or 0)
