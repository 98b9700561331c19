"""The page of a run: files, console, media, artifacts; live while it logs, by keyboard, without its header."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from tests.pages.looking import SOON, serious

from runql_server import lenient_json
from runql_server.lenient_json import JsonInput
from runql_server.running import RunningServer
from runql_server.runs import lines
from runql_server.seed import Row, SeedRun
from runql_server.storage import files

pytestmark = pytest.mark.nightly

RUN = "/local/parts/runs/many"
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc0000003010100"
    "18dd8db00000000049454e44ae426082"
)


def image(step: int) -> JsonInput:
    return {
        "_type": "image-file",
        "path": f"media/images/p_{step}.png",
        "caption": f"at {step}",
        "width": 1,
        "height": 1,
    }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("parts") / "data", page_poll=SOON) as server:
        rows: list[Row] = [{"loss": 1 / (1 + step), "_step": step} for step in range(2500)]
        rows[30:60] = [{"loss": 0.1, "_step": step, "picture": image(step)} for step in range(30, 60)]
        console = tuple(f"2026-01-01T00:00:00.000000 line {number}" for number in range(2350))
        server.seed(
            "parts",
            [
                SeedRun(name="many", history=rows, log=(*console, "ERROR 2026-01-01T00:00:01.5 it broke")),
                SeedRun(name="live", state="running", history=[{"loss": 1}], log=("begins",)),
            ],
        )
        with server.store.writing() as connection:
            number = int(connection.execute("SELECT id FROM runs WHERE name = 'many'").fetchone()[0])
            names = [
                *(f"checkpoints/{index:04}.bin" for index in range(450)),
                *(f"media/images/p_{step}.png" for step in range(30, 60)),
            ]
            for name in names:
                files.record(connection, number, name, files.write(server.store, PIXEL))
            sounds: JsonInput = {"_type": "audio-file", "path": "checkpoints/0000.bin", "caption": "a sound"}
            films: JsonInput = {
                "_type": "videos",
                "videos": [{"_type": "video-file", "path": "checkpoints/0001.bin"}],
            }
            other: JsonInput = {"_type": "object3D-file", "path": "checkpoints/0002.bin"}
            connection.execute(
                "UPDATE runs SET summary = ? WHERE id = ?",
                (lenient_json.dump({"sound": sounds, "film": films, "thing": other}), number),
            )
        yield server


def test_files_are_listed_and_all_are_reachable(tab: Page, server: RunningServer) -> None:
    tab.goto(server.page_link(RUN))
    section = tab.locator("section", has=tab.get_by_role("heading", name="Files"))
    assert section.locator("tbody tr").count() == 20
    expect(section).to_contain_text("460 more than here")
    section.get_by_role("link", name="All 480 files").click()
    seen: list[str] = []
    while True:
        expect(tab.get_by_role("heading", name="Files")).to_be_visible()
        seen += tab.locator("tbody th a").all_inner_texts()
        following = tab.get_by_role("link", name="Next page")
        if not following.count():
            break
        following.click()
        tab.wait_for_url(re.compile(re.escape(seen[-1].rpartition("/")[2])))
    assert len(seen) == len(set(seen)) == 480
    tab.get_by_role("searchbox").fill("p_4")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("status")).to_have_text("10 files")
    assert tab.locator("tbody tr").count() == 10


def test_the_console_begins_at_its_end(tab: Page, server: RunningServer) -> None:
    tab.goto(server.page_link(RUN))
    log = tab.get_by_role("region", name="Console lines")
    assert log.locator("pre > span").count() == 100
    expect(log.locator(".error")).to_have_text("it broke\n")
    assert log.evaluate("each => Math.abs(each.scrollTop)") < 2, "the last line is in sight"
    tab.get_by_role("link", name="The whole log").click()
    expect(tab.get_by_role("status")).to_have_text("Lines 1,352 to 2,351 of 2,351")
    tab.get_by_role("link", name="Earlier lines").click()
    expect(tab.get_by_role("status")).to_have_text("Lines 352 to 1,351 of 2,351")
    tab.get_by_role("link", name="Earlier lines").click()
    expect(tab.get_by_role("status")).to_have_text("Lines 1 to 351 of 2,351")
    expect(tab.locator("pre > span").first).to_have_text("line 0\n")
    tab.get_by_role("link", name="Later lines").click()
    expect(tab.get_by_role("status")).to_have_text("Lines 352 to 1,351 of 2,351")


def test_media_are_shown_and_earlier_steps_too(tab: Page, server: RunningServer) -> None:
    tab.goto(server.page_link(RUN))
    media = tab.locator("section", has=tab.get_by_role("heading", name="Media"))
    picture = media.locator("figure", has_text="picture").locator("img")
    picture.scroll_into_view_if_needed()
    expect(picture).to_have_attribute("alt", "at 59")
    tab.wait_for_function("document.querySelector('figure img').naturalWidth === 1")
    expect(media.locator("audio")).to_have_attribute("aria-label", "a sound")
    expect(media.locator("video")).to_have_count(1)
    expect(media.get_by_role("link", name="checkpoints/0002.bin")).to_be_visible()
    media.get_by_role("link", name="All steps of picture").click()
    expect(tab.locator("figure")).to_have_count(25)
    expect(tab.locator("figcaption").first).to_have_text("picture step 59")
    tab.get_by_role("link", name="Earlier steps").click()
    expect(tab.locator("figure")).to_have_count(5)
    expect(tab.locator("figcaption").last).to_have_text("picture step 30")


def test_tables_and_histograms_and_artifacts_of_the_sample(tab: Page, sample: RunningServer) -> None:
    tab.goto(sample.page_link("/local/digits/runs/mlp07"))
    table = tab.locator("figure", has_text="mistakes").get_by_role("table")
    assert table.locator("thead th").all_inner_texts() == ["shown", "taken_for", "times"]
    assert table.locator("tbody tr").count() == 9
    histogram = tab.get_by_role("img", name="Histogram: -0.8584 to 0.8073, 16 bins, most 1163")
    assert histogram.locator("rect").count() == 16
    logged = tab.get_by_role("region", name="Logged artifacts")
    assert logged.get_by_role("link").all_inner_texts() == ["run-mlp07-mistakes:v0", "mlp:v7"]
    tab.get_by_role("region", name="Used artifacts").get_by_role("link", name="digits:v0").click()
    expect(tab.get_by_role("heading", level=1)).to_have_text("digits:v0")
    used = tab.locator("section", has=tab.get_by_role("heading", name="Used by"))
    used.get_by_role("link", name="mlp lr=0.2 hidden=96 activation=tanh").click()
    expect(tab).to_have_url(f"{sample.url}/local/digits/runs/mlp07")


def test_the_page_is_live(tab: Page, server: RunningServer) -> None:
    tab.goto(server.page_link("/local/parts/runs/live"))
    expect(tab.get_by_role("region", name="Console lines")).to_contain_text("begins")
    with server.store.writing() as connection:
        number = int(connection.execute("SELECT id FROM runs WHERE name = 'live'").fetchone()[0])
        lines.write_lines(connection, "log_lines", number, ["and goes on"], 1)
        files.record(connection, number, "new.txt", files.write(server.store, b"new"))
    expect(tab.get_by_role("region", name="Console lines")).to_contain_text("and goes on")
    expect(tab.get_by_role("link", name="new.txt")).to_be_visible()


def test_a_notebooks_page_has_no_header(tab: Page, server: RunningServer) -> None:
    tab.goto(server.page_link(f"{RUN}?jupyter=true"))
    expect(tab.get_by_role("heading", name="Files")).to_be_visible()
    expect(tab.locator("header")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_keyboard_and_readers_reach_everything(tab: Page, sample: RunningServer, scheme: str) -> None:
    tab.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    for path in (
        "/local/digits/runs/mlp07",
        "/local/digits/artifacts",
        "/local/digits/artifacts/model/mlp/v7",
    ):
        tab.goto(sample.page_link(path))
        assert serious(tab) == [], path
        if scheme == "dark":
            continue
        tab.keyboard.press("Tab")
        expect(tab.get_by_role("link", name="Skip to the content")).to_be_focused()
        reached = set[str]()
        for _ in range(150):
            tab.keyboard.press("Tab")
            reached.add(
                tab.evaluate(
                    "document.activeElement.getAttribute('href') ?? document.activeElement.getAttribute('aria-label') ?? ''"
                )
            )
        links = set(tab.locator("main a").evaluate_all("all => all.map(each => each.getAttribute('href'))"))
        assert links <= reached, path


def test_a_narrow_window_shows_the_run(tab: Page, sample: RunningServer) -> None:
    tab.set_viewport_size({"width": 360, "height": 740})
    for path in (
        "/local/digits/runs/mlp07",
        "/local/digits/artifacts/model/mlp",
        "/local/digits/artifacts/model/mlp/v7",
    ):
        tab.goto(sample.page_link(path))
        expect(tab.get_by_role("heading", level=1)).to_be_visible()
        assert tab.evaluate("document.documentElement.scrollWidth") <= 360, path
