"""Every page in light and dark and on a narrow screen: axe-core finds nothing serious, and nothing is cut off."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from tests.pages.looking import open_page, overflow, serious

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


@pytest.mark.parametrize("page", PAGES)
def test_axe_finds_nothing_serious_and_nothing_is_cut_off(
    tab: Page, sample: RunningServer, page: str, sweep: str
) -> None:
    open_page(tab, sample, PAGES[page].format(sweep=sweep))
    if page in DRAWN:
        expect(tab.locator(DRAWN[page]).first).to_be_visible()
    for details in tab.locator("details").all():
        details.locator("summary").click()
    assert ground(tab) == "rgb(255, 255, 255)"
    assert serious(tab) == []
    tab.emulate_media(color_scheme="dark")
    tab.set_viewport_size({"width": 360, "height": 800})
    assert ground(tab) == "rgb(18, 23, 29)"
    assert (overflow(tab), serious(tab)) == (0, [])
    cut = tab.evaluate(
        """() => [...document.querySelectorAll('main a, main button, main input, main select')]
            .filter((each) => !each.closest('.wide, .scroll, .choices') && each.getBoundingClientRect().right > innerWidth)
            .map((each) => each.outerHTML.slice(0, 200))"""
    )
    assert cut == []


def ground(tab: Page) -> str:
    colour: str = tab.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    return colour


def test_axe_would_find_something(tab: Page, sample: RunningServer) -> None:
    open_page(tab, sample, "/")
    tab.evaluate(
        "document.querySelector('main').insertAdjacentHTML('beforeend', '<input><img src=\"/-/static/icon.svg\">')"
    )
    assert [each.partition(":")[0] for each in serious(tab)] == ["image-alt", "label"]
