"""Links of a page in a notebook's frame: other pages open beside the notebook, other views stay in the frame."""

from __future__ import annotations

from playwright.sync_api import Page, expect
from tests.pages.looking import open_page

from runql_server.running import RunningServer


def test_other_pages_open_in_a_tab_of_their_own(tab: Page, sample: RunningServer) -> None:
    open_page(tab, sample, "/local/digits?jupyter=true")
    with tab.expect_popup() as opened:
        tab.locator("table.runs tbody th a").first.click()
    expect(opened.value.locator("header.frame")).to_be_visible()
    assert opened.value.evaluate("opener") is None
    assert tab.url == f"{sample.url}/local/digits?jupyter=true"


def test_other_views_stay_in_the_frame(tab: Page, sample: RunningServer) -> None:
    open_page(tab, sample, "/local/digits?jupyter=true")
    tab.locator("thead").get_by_role("link", name="Run").click()
    expect(tab.locator("th[aria-sort=ascending], th[aria-sort=descending]")).to_have_count(1)
    tab.get_by_label("Search").fill("mlp")
    tab.get_by_role("button", name="Apply").click()
    tab.wait_for_url("**/*search=mlp*")
    assert "jupyter=true" in tab.url
    expect(tab.locator("header.frame")).to_have_count(0)
    assert len(tab.context.pages) == 1


def test_a_page_outside_of_a_frame_keeps_its_tab(tab: Page, sample: RunningServer) -> None:
    open_page(tab, sample, "/local/digits")
    tab.locator("table.runs tbody th a").first.click()
    tab.wait_for_url("**/runs/*")
    assert len(tab.context.pages) == 1
