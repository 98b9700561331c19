"""The pages of artifacts: types, collections, versions, one version with its files and lineage."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from runql_server.running import RunningServer
from runql_server.seed import SeedRun
from runql_server.seed_artifacts import SeedArtifact, SeedReference

PROJECT = "/local/shelf"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("shelf") / "data") as server:
        server.seed("shelf", [SeedRun(name=name, display_name=f"run {name}") for name in "abc"])
        many = {f"part/{number:04}.bin": f"{number}".encode() for number in range(450)}
        server.seed_artifacts(
            "shelf",
            [
                SeedArtifact(
                    name="raw",
                    files={"notes.txt": b"plain", "page.html": b"<p>shown</p>"},
                    aliases=("first",),
                ),
                SeedArtifact(
                    name="raw",
                    files=many,
                    references={"cloud": SeedReference(uri="s3://bucket/key", size=5)},
                    tags=("checked",),
                    aliases=("best",),
                    description="cleaned twice",
                    metadata={"rows": 10, "by": {"hand": True}},
                    logged_by="a",
                    used_by=("b", "c"),
                ),
                *(
                    SeedArtifact(name=f"set-{number:03}", type="sets", files={"f": b"x"})
                    for number in range(210)
                ),
            ],
        )
        yield server


def test_from_the_project_to_a_version(tab: Page, server: RunningServer) -> None:
    tab.goto(server.page_link(f"{PROJECT}/artifacts"))
    expect(tab.get_by_role("status")).to_have_text("211 collections")
    assert tab.locator("tbody tr").count() == 200
    tab.get_by_role("link", name="Next page").click()
    expect(tab.locator("tbody tr")).to_have_count(11)
    tab.get_by_role("navigation", name="Types").get_by_role("link", name="dataset").click()
    expect(tab.get_by_role("status")).to_have_text("1 collection")
    tab.get_by_role("link", name="raw").click()
    expect(tab.get_by_role("status")).to_have_text("2 versions")
    newest = tab.locator("tbody tr").first
    for shown in ("v1", "latest", "best", "checked"):
        expect(newest).to_contain_text(shown)
    newest.get_by_role("link", name="v1").click()
    expect(tab.get_by_role("heading", level=1)).to_have_text("raw:v1")
    assert tab.url == f"{server.url}{PROJECT}/artifacts/dataset/raw/v1"


def test_a_version_says_what_it_holds_and_who_made_and_used_it(tab: Page, server: RunningServer) -> None:
    tab.goto(server.page_link(f"{PROJECT}/artifacts/dataset/raw/best"))
    main = tab.locator("main")
    for shown in ("cleaned twice", "checked", "rows", "by.hand", "s3://bucket/key"):
        expect(main).to_contain_text(shown)
    assert tab.locator("section", has=tab.get_by_role("heading", name="Logged by")).get_by_role(
        "link"
    ).all_inner_texts() == ["run a"]
    used = tab.locator("section", has=tab.get_by_role("heading", name="Used by")).get_by_role("link")
    assert used.all_inner_texts() == ["run b", "run c"]
    seen = set[str]()
    while True:
        seen |= set(tab.get_by_role("region", name="List of files").locator("tbody th").all_inner_texts())
        following = tab.get_by_role("link", name="More files")
        if not following.count():
            break
        following.click()
        tab.wait_for_load_state()
    assert len(seen) == 451
    expect(tab.get_by_role("link", name="cloud")).to_have_count(0)


def test_files_open_or_are_saved(tab: Page, server: RunningServer) -> None:
    tab.goto(server.page_link(f"{PROJECT}/artifacts/dataset/raw/v0"))
    tab.get_by_role("link", name="notes.txt").click()
    expect(tab.locator("pre")).to_have_text("plain")
    tab.go_back()
    tab.get_by_role("link", name="page.html").click()
    expect(tab.locator("p")).to_have_text("shown")
    assert tab.evaluate("self.origin") == "null"
    tab.goto(f"{server.url}{PROJECT}/artifacts/dataset/raw/v1")
    with tab.expect_download() as saved:
        tab.get_by_role("link", name="part/0000.bin").click()
    assert saved.value.suggested_filename == "0000.bin"
    assert saved.value.path().read_bytes() == b"0"


@pytest.mark.parametrize(
    "path",
    ["none", "dataset/none", "sets/raw", "dataset/raw/v7", "dataset/raw/none", "dataset/raw/v0/files/none"],
)
def test_what_is_not_there_is_not_found(tab: Page, server: RunningServer, path: str) -> None:
    tab.goto(server.page_link(PROJECT))
    response = tab.request.get(f"{server.url}{PROJECT}/artifacts/{path}")
    assert (response.status, "not found" in response.text()) == (404, True)
