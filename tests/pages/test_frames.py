"""Links of a page in a notebook's frame: other pages open beside the notebook, other views stay in the frame."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from tests.pages.looking import open_page

from runql_server.pages import artifacts
from runql_server.pages.parts import console, files, media
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

pytestmark = pytest.mark.nightly


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


PAGERS = {
    "/local/digits/artifacts": "Next page",
    "/local/digits/artifacts/model/mlp": "Next page",
    "/local/digits/artifacts/model/mlp/v7": "More files",
    "/local/digits/runs/mlp07/files": "Next page",
    "/local/digits/runs/mlp07/media?key=weights": "Earlier steps",
}


@pytest.fixture
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a page hold one line, so that the sample fills several."""
    monkeypatch.setattr(artifacts, "PAGE", 1)
    monkeypatch.setattr(files, "PAGE", 1)
    monkeypatch.setattr(console, "PAGE", 1)
    monkeypatch.setattr(media, "_LINES_SEARCHED", 1)


def check_pager(tab: Page, server: RunningServer, path: str, name: str) -> None:
    open_page(tab, server, f"{path}{'&' if '?' in path else '?'}jupyter=true")
    before = tab.url
    tab.get_by_role("link", name=name).click()
    expect(tab).not_to_have_url(before)
    assert "jupyter=true" in tab.url
    expect(tab.locator("main")).to_be_visible()
    expect(tab.locator("header.frame")).to_have_count(0)
    assert len(tab.context.pages) == 1


@pytest.mark.usefixtures("short_pages")
@pytest.mark.parametrize("path", PAGERS)
def test_pagers_stay_in_the_frame(tab: Page, sample: RunningServer, path: str) -> None:
    check_pager(tab, sample, path, PAGERS[path])


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Serve a run that printed three lines."""
    with RunningServer(tmp_path_factory.mktemp("printed") / "data") as server:
        server.seed("demo", [SeedRun(name="a", log=("first", "second", "third"))])
        yield server


@pytest.mark.usefixtures("short_pages")
@pytest.mark.parametrize(("query", "name"), [("", "Earlier lines"), ("?before=2", "Later lines")])
def test_pagers_of_logs_stay_in_the_frame(tab: Page, printed: RunningServer, query: str, name: str) -> None:
    check_pager(tab, printed, f"/local/demo/runs/a/logs{query}", name)
    expect(tab.locator("pre > span")).to_have_text("third\n" if query else "second\n")


def test_a_search_of_files_stays_in_the_frame(tab: Page, sample: RunningServer) -> None:
    open_page(tab, sample, "/local/digits/runs/mlp07/files?jupyter=true")
    tab.get_by_role("searchbox").fill("media")
    tab.get_by_role("button", name="Search").click()
    tab.wait_for_url("**/*search=media*")
    expect(tab.get_by_role("status")).to_have_text("2 files")
    assert "jupyter=true" in tab.url
    assert len(tab.context.pages) == 1


def test_media_without_a_key_are_listed(tab: Page, sample: RunningServer) -> None:
    open_page(tab, sample, "/local/digits/runs/mlp07/media")
    expect(tab.get_by_role("heading", name="Media")).to_be_visible()
    tab.get_by_role("link", name="weights").click()
    expect(tab.get_by_role("heading", name="weights")).to_be_visible()
    expect(tab.locator("figure").first).to_be_visible()
