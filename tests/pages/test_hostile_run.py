"""Hostile names, values, files and logs of runs and artifacts: nothing runs, and the layout holds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from tests.pages import hostile
from tests.pages.looking import serious

from runql_server.lenient_json import JsonInput
from runql_server.running import RunningServer
from runql_server.seed import SeedRun
from runql_server.seed_artifacts import SeedArtifact, SeedReference
from runql_server.storage import files

pytestmark = pytest.mark.nightly

PROJECT = "local/hostile"
RUN = f"/{PROJECT}/runs/bad"
MEDIA = {"page.html": hostile.HTML, "picture.svg": hostile.SVG, "code.js": b"top.broken = 1"}
TABLE = b'{"columns": ["<b>c</b>", "d"], "data": [["<script>1</script>", NaN], [{"_type": "image-file"}, [1, null]], 5]}'
PAGES = [
    RUN,
    f"{RUN}?jupyter=true",
    f"{RUN}/files",
    f"{RUN}/logs",
    f"{RUN}/media?key=sound",
    f"/{PROJECT}/artifacts",
    f"/{PROJECT}/artifacts/%3Cb%3Ekind",
    f"/{PROJECT}/artifacts/%3Cb%3Ekind/%3Ci%3Ename",
    f"/{PROJECT}/artifacts/%3Cb%3Ekind/%3Ci%3Ename/v0",
    f"/{PROJECT}/artifacts/none/%3Cscript%3E",
    f"{RUN}/logs?before=%3Cscript%3E",
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("hostile") / "data") as server:
        seed(server)
        yield server


def seed(server: RunningServer) -> None:
    texts = {f"key {text[:60]}": text for text in hostile.TEXTS}
    media: dict[str, JsonInput] = {
        "picture": {
            "_type": "image-file",
            "path": "picture.svg",
            "caption": hostile.IMAGE,
            "width": 20,
            "height": 20,
        },
        "document": {"_type": "html-file", "path": "page.html"},
        "table": {"_type": "table-file", "path": "bad.table.json"},
        "gone": {"_type": "image-file", "path": "../../etc/passwd"},
        "odd": {"_type": hostile.SCRIPT, "path": ["x"]},
        "bins": {"_type": "histogram", "values": [1, 5, 2], "bins": [0, 1, 2, 3]},
        "bad bins": {"_type": "histogram", "values": [1, "x", -2], "bins": [0, "<", 2, 3]},
    }
    server.seed(
        "hostile",
        [
            SeedRun(
                name="bad",
                display_name=hostile.CLOSING,
                notes=hostile.LONG,
                group=hostile.RTL,
                job_type=hostile.QUOTES,
                host=hostile.IMAGE,
                tags=tuple(text[:100] for text in hostile.TEXTS),
                config=texts,
                summary={**texts, **media},
                history=[
                    {"loss": 1, hostile.SCRIPT: 2},
                    {"sound": {"_type": "audio", "audio": [hostile.SCRIPT]}},
                ],
                log=(
                    *hostile.TEXTS,
                    "\x1b[31mred\x1b[0m \x1b[1;32mgreen\x1b[m \x1b]0;title\x07plain",
                    "50 %\r100 %",
                ),
            )
        ],
    )
    with server.store.writing() as connection:
        number = int(connection.execute("SELECT id FROM runs").fetchone()[0])
        contents = {**MEDIA, "bad.table.json": TABLE, **dict.fromkeys(hostile.FILE_NAMES, b"bytes")}
        for name, content in contents.items():
            files.record(connection, number, name, files.write(server.store, content))
    server.seed_artifacts(
        "hostile",
        [
            SeedArtifact(
                name="<i>name",
                type="<b>kind",
                files={name: b"bytes" for name in hostile.FILE_NAMES if ".." not in name.split("/")},
                references={
                    "bad": SeedReference(uri=hostile.URL),
                    "web": SeedReference(uri="https://a.example/?<b>"),
                },
                aliases=(hostile.SCRIPT.replace("/", ""),),
                description=hostile.CLOSING,
                metadata=texts,
                logged_by="bad",
                used_by=("bad",),
            )
        ],
    )


@pytest.fixture(params=["light", "dark", "narrow"])
def window(browser: Browser, server: RunningServer, request: pytest.FixtureRequest) -> Iterator[Page]:
    """Open a signed-in tab; a dialog, or a script that ran, fails its test."""
    width = 360 if request.param == "narrow" else 1280
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme="dark" if request.param == "dark" else "light"
    )
    problems: list[str] = []
    context.on("dialog", lambda dialog: problems.append(dialog.message))
    context.on("weberror", lambda error: problems.append(str(error.error)))
    page = context.new_page()
    page.goto(server.page_link(f"/{PROJECT}/artifacts"))
    yield page
    context.close()
    assert problems == []


def test_nothing_runs_and_the_layout_holds(window: Page, server: RunningServer) -> None:
    width: int = window.evaluate("innerWidth")
    for path in PAGES:
        window.goto(server.url + path)
        expect(window.locator("main h1")).to_be_visible()
        assert window.evaluate("window.broken") is None, path
        assert window.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
        assert window.locator("main script, main [onerror], main [onmouseover]").count() == 0, path
        links = window.locator("a").evaluate_all("all => all.map(each => each.protocol)")
        assert set(links) <= {"http:", "https:"}, path
        if width > 360:
            assert serious(window) == [], path


def test_a_document_in_a_frame_runs_nothing(browser: Browser, server: RunningServer) -> None:
    page = browser.new_context().new_page()
    page.goto(server.page_link(RUN))
    inner = page.frame_locator("figure iframe")
    expect(inner.locator("#shown")).to_have_text("a document")
    assert inner.locator("#shown").evaluate("self.origin") == "null"
    page.goto(f"{server.url}/files/{PROJECT}/bad/page.html")
    expect(page.locator("#shown")).to_have_text("a document")
    assert page.evaluate("self.origin") == "null"
    page.goto(f"{server.url}/files/{PROJECT}/bad/picture.svg")
    assert page.evaluate("[self.origin, document.documentElement.id]") == ["null", ""]
    page.context.close()


def test_no_page_can_run_a_logged_file(browser: Browser, server: RunningServer) -> None:
    tab = browser.new_context().new_page()
    tab.goto(server.page_link(f"{RUN}/files"))
    url = f"{server.url}/files/{PROJECT}/bad/code.js"
    with tab.expect_response(url) as refused:
        tab.evaluate(
            "src => { const made = document.createElement('script'); made.src = src; document.head.append(made); }",
            url,
        )
    assert refused.value.status == 403
    assert tab.evaluate("window.broken") is None
    assert tab.evaluate("async url => (await fetch(url)).status", url) == 200
    tab.context.close()


@pytest.fixture
def reader(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, headers={"Accept": "text/html"}, trust_env=False) as client:
        client.get(server.page_link("/"))
        yield client


def test_every_file_is_reachable(tab: Page, server: RunningServer) -> None:
    tab.goto(server.page_link(f"{RUN}/files"))
    links = tab.locator("main table a").evaluate_all("all => all.map(each => each.href)")
    assert len(links) == len(hostile.FILE_NAMES) + len(MEDIA) + 1
    for link in links:
        response = tab.request.get(link)
        # A browser resolves dots itself: no client can upload such a name.
        assert response.status == (404 if link.endswith("/up.txt") else 200), link
        assert "set-cookie" not in response.headers
    tab.goto(f"{server.url}/{PROJECT}/artifacts/%3Cb%3Ekind/%3Ci%3Ename/v0")
    own = tab.locator(f"main table a[href^='/{PROJECT}']").evaluate_all("all => all.map(each => each.href)")
    assert len(own) == len(hostile.FILE_NAMES) - 1
    for link in own:
        response = tab.request.get(link)
        assert (response.status, response.body()) == (200, b"bytes"), unquote(link)
        assert "sandbox" in response.headers["content-security-policy"]


def test_only_references_to_the_web_are_links(reader: httpx.Client) -> None:
    page = reader.get(f"/{PROJECT}/artifacts/%3Cb%3Ekind/%3Ci%3Ename/v0").text
    assert 'href="https://a.example/?&lt;b&gt;" rel="noreferrer noopener"' in page
    assert 'href="javascript:' not in page


def test_the_console_shows_colours_and_no_other_control(reader: httpx.Client) -> None:
    page = reader.get(f"{RUN}/logs").text
    assert "<span class='ansi-1'>red</span> <span class='ansi-bold ansi-2'>green</span> plain" in page
    assert "100 %" in page
    assert "50 %" not in page
    assert "\x1b" not in page
    assert len(page) < 60_000


def test_a_value_of_a_million_characters_is_cut(reader: httpx.Client) -> None:
    page = reader.get(RUN).text
    assert "(1,000,000 characters)" in page
    assert len(page) < 300_000


def test_a_data_directory_outside_is_out_of_reach(reader: httpx.Client, server: RunningServer) -> None:
    inside: Path = server.data_dir / "runql.sqlite3"
    assert inside.exists()
    for path in (
        "/-/static/../../app.py",
        "/-/static/%2e%2e/handlers.py",
        "/-/static/..%2fhandlers.py",
        f"/-/static/{inside}",
    ):
        assert reader.get(path).status_code in {401, 404}, path
