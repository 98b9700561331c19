"""Every page in light and dark and on a narrow screen: axe-core finds nothing serious, and nothing is cut off."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from tests.pages.looking import Scheme, open_page, overflow, serious

from runql_server.running import RunningServer

DIGITS = "/local/digits"
PAGES = {
    "front": "/",
    "project": DIGITS,
    "filtered": f"{DIGITS}?field=config.lr&operator=%3E&value=0.1&order=-config.lr&search=lr",
    "refused": f"{DIGITS}?field=nothing&operator=is&value=1",
    "overlay": f"{DIGITS}?runs=softmax00,softmax01,gone&keys=loss,none",
    "sweeps": f"{DIGITS}/sweeps",
    "sweep": f"{DIGITS}/sweeps/{{sweep}}",
}
DRAWN = {"overlay": "figure[data-drawn]", "sweep": "#parallel[data-drawn]"}


@pytest.fixture(scope="module")
def sweep(sample: RunningServer) -> Iterator[str]:
    with sample.store.connection() as connection:
        yield connection.execute("SELECT name FROM sweeps").fetchone()[0]


def look_at(tab: Page, server: RunningServer, page: str, sweep: str, width: int, scheme: Scheme) -> None:
    tab.emulate_media(color_scheme=scheme)
    tab.set_viewport_size({"width": width, "height": 800})
    open_page(tab, server, PAGES[page].format(sweep=sweep))
    if page in DRAWN:
        expect(tab.locator(DRAWN[page]).first).to_be_visible()
    for details in tab.locator("details").all():
        details.locator("summary").click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("page", PAGES)
def test_axe_finds_nothing_serious(
    tab: Page, sample: RunningServer, page: str, sweep: str, scheme: Scheme
) -> None:
    look_at(tab, sample, page, sweep, 1280, scheme)
    assert serious(tab) == []
    ground = tab.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")


@pytest.mark.parametrize("page", PAGES)
def test_a_narrow_screen_shows_everything(tab: Page, sample: RunningServer, page: str, sweep: str) -> None:
    look_at(tab, sample, page, sweep, 360, "light")
    assert (overflow(tab), serious(tab)) == (0, [])
    cut = tab.evaluate(
        """() => [...document.querySelectorAll('main a, main button, main input, main select')]
            .filter((each) => !each.closest('.wide, .scroll, .choices') && each.getBoundingClientRect().right > innerWidth)
            .map((each) => each.outerHTML.slice(0, 200))"""
    )
    assert cut == []


def test_axe_would_find_something(tab: Page, sample: RunningServer) -> None:
    open_page(tab, sample, "/")
    tab.evaluate(
        "document.querySelector('main').insertAdjacentHTML('beforeend', '<input><img src=\"/-/static/icon.svg\">')"
    )
    assert [each.partition(":")[0] for each in serious(tab)] == ["image-alt", "label"]
