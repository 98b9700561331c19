"""Charts in the browser: they ask for what they show, follow a run that logs, and say what they leave out."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, Response, expect
from tests.pages.looking import SOON, chart, drawn, open_page

from runql_server.lenient_json import JsonObject, dump
from runql_server.running import RunningServer
from runql_server.runs import lines, runs
from runql_server.runs.curve_chunks import LINES
from runql_server.seed import SeedRun

pytestmark = pytest.mark.nightly

ROWS = 12 * LINES
SPIKE = 30_000


def wave(step: int) -> JsonObject:
    row: JsonObject = {"_step": step, "_runtime": step / 2, "_timestamp": 1_750_000_000 + step}
    row["loss"] = 100.0 if step == SPIKE else math.sin(step / 900)
    return row


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("charts") / "data", page_poll=SOON) as server:
        short = [
            {"acc": step / 10, "loss": -1.0 if step < 2 else step, "bad": math.nan if step % 2 else math.inf if step == 4 else 1}
            for step in range(20)
        ]  # fmt: skip
        server.seed(
            "curves",
            [
                SeedRun(name="long", history=(wave(step) for step in range(ROWS))),
                SeedRun(name="a", display_name="first", history=short),
                SeedRun(
                    name="b", display_name="second", history=[{"acc": 1 - step / 10} for step in range(20)]
                ),
                SeedRun(name="many", history=[{f"k{key:02}": key for key in range(14)}]),
            ],
        )
        yield server


def xs(figure: Locator) -> list[float]:
    found: list[float] = figure.evaluate(
        "figure => figure.querySelector('.plot').data.flatMap(trace => trace.x)"
    )
    return found


def is_of(name: str, value: str) -> re.Pattern[str]:
    return re.compile(rf"/curves\?.*{re.escape(name)}={re.escape(value)}")


def drag(tab: Page, figure: Locator, start: float, stop: float) -> None:
    """Drag over a part of the width of the plot."""
    box = figure.locator(".nsewdrag").bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    tab.mouse.move(box["x"] + start * box["width"], middle)
    tab.mouse.down()
    tab.mouse.move(box["x"] + stop * box["width"], middle, steps=4)
    tab.mouse.up()


def test_a_long_history_is_read_bit_by_bit_and_no_peak_is_lost(tab: Page, server: RunningServer) -> None:
    parts: list[Response] = []
    tab.on("response", lambda response: parts.append(response) if "/curves?" in response.url else None)
    open_page(tab, server, "/local/curves/runs/long")
    figure = chart(tab, "loss")
    expect(figure).to_have_attribute("data-complete", "true")
    complete = [response.json()["complete"] for response in parts]
    assert complete == [False] * (len(complete) - 1) + [True]
    assert len(complete) >= 2
    assert figure.locator(".plot").get_attribute("aria-label") == "loss: from -1 to 100"
    width = figure.locator(".plot").evaluate("plot => plot.clientWidth")
    assert width / 2 < drawn(figure) <= 2 * width + 4


def test_a_drag_asks_for_the_range_and_shows_more_of_it(tab: Page, server: RunningServer) -> None:
    open_page(tab, server, "/local/curves/runs/long")
    figure = chart(tab, "loss")
    expect(figure).to_have_attribute("data-complete", "true")
    before = xs(figure)
    with tab.expect_response(lambda response: "from=" in response.url) as caught:
        drag(tab, figure, 0.5, 0.6)
    query = parse_qs(urlsplit(caught.value.url).query)
    start, stop = float(query["from"][0]), float(query["to"][0])
    assert 0.45 * ROWS < start < stop < 0.65 * ROWS
    expect(figure).to_have_attribute("data-range", f"{query['from'][0]} {query['to'][0]}")
    inside = [x for x in xs(figure) if start <= x <= stop]
    assert len(inside) > 5 * len([x for x in before if start <= x <= stop])
    shown: list[float] = figure.locator(".plot").evaluate("plot => plot.layout.xaxis.range")
    assert shown == [start, stop]
    tab.get_by_role("button", name="Whole range").click()
    expect(figure).to_have_attribute("data-range", "whole")
    assert xs(figure) == before
    shown = figure.locator(".plot").evaluate("plot => plot._fullLayout.xaxis.range")
    assert shown[0] <= 0
    assert shown[1] >= ROWS - 1


def test_a_drag_on_an_axis_of_times_asks_in_seconds(tab: Page, server: RunningServer) -> None:
    open_page(tab, server, "/local/curves/runs/long")
    expect(chart(tab, "loss")).to_have_attribute("data-complete", "true")
    tab.get_by_label("x axis").select_option("_timestamp")
    expect(chart(tab, "loss")).to_have_attribute("data-complete", "true")
    with tab.expect_response(lambda response: "from=" in response.url) as caught:
        drag(tab, chart(tab, "loss"), 0.2, 0.4)
    query = parse_qs(urlsplit(caught.value.url).query)
    assert query["x"] == ["_timestamp"]
    assert 1_750_000_000 < float(query["from"][0]) < float(query["to"][0]) < 1_750_000_000 + ROWS
    expect(chart(tab, "loss")).not_to_have_attribute("data-range", "whole")


def test_the_x_axis_may_be_another(tab: Page, server: RunningServer) -> None:
    open_page(tab, server, "/local/curves/runs/long")
    expect(chart(tab, "loss")).to_have_attribute("data-complete", "true")
    tab.get_by_label("x axis").select_option("_runtime")
    figure = chart(tab, "loss")
    expect(figure).to_have_attribute("data-complete", "true")
    assert max(xs(figure)) == (ROWS - 1) / 2
    assert figure.locator(".xtitle").text_content() == "_runtime"


def test_a_log_scale_says_what_it_leaves_out(tab: Page, server: RunningServer) -> None:
    open_page(tab, server, "/local/curves/runs/a")
    figure = chart(tab, "loss")
    expect(figure).to_have_attribute("data-drawn", "20")
    tab.get_by_label("log scale").check()
    expect(figure.locator(".note")).to_have_text(
        "2 drawn values are not above 0: a log scale leaves them out"
    )
    assert figure.locator(".plot").evaluate("plot => plot.layout.yaxis.type") == "log"
    tab.get_by_label("log scale").uncheck()
    expect(figure.locator(".note")).to_have_text("")


def test_smoothing_keeps_the_bare_curve_behind(tab: Page, server: RunningServer) -> None:
    open_page(tab, server, "/local/curves/runs/a")
    figure = chart(tab, "loss")
    expect(figure).to_have_attribute("data-drawn", "20")
    bare = figure.locator(".plot").evaluate("plot => plot.data.map(trace => trace.y)")
    tab.get_by_label("Smoothing").fill("0.5")
    expect(figure.locator(".scatterlayer .trace")).to_have_count(2)
    smooth = figure.locator(".plot").evaluate("plot => plot.data.map(trace => trace.y)")
    assert smooth[0] == bare[0]
    # The mean has no bias towards its start.
    assert smooth[1][0] == -1
    assert smooth[1][2] == pytest.approx((-0.25 * 0.5 - 0.5 * 0.5 + 2 * 0.5) / (1 - 0.5**3))
    tab.get_by_label("Smoothing").fill("0")
    expect(figure.locator(".scatterlayer .trace")).to_have_count(1)


def test_numbers_that_are_not_finite_are_gaps_and_counted(tab: Page, server: RunningServer) -> None:
    open_page(tab, server, "/local/curves/runs/a")
    figure = chart(tab, "bad")
    expect(figure.locator(".note")).to_have_text("11 values are NaN or infinite")
    ys = figure.locator(".plot").evaluate("plot => plot.data[0].y")
    assert [y for y in ys if y is not None] == [1] * 9


def test_runs_share_a_chart_and_keys_can(tab: Page, server: RunningServer) -> None:
    open_page(tab, server, "/local/curves?runs=a,b")
    figure = chart(tab, "acc")
    expect(figure).to_have_attribute("data-drawn", "40")
    assert figure.locator(".legendtext").all_text_contents() == ["first", "second"]
    tab.get_by_label("in one chart").check()
    figure = chart(tab, "3 keys")
    expect(figure.locator(".legendtext")).to_have_count(4)
    assert figure.locator(".legendtext").all_text_contents() == [
        "first · acc",
        "first · bad",
        "first · loss",
        "second · acc",
    ]
    tab.get_by_label("Keys").fill("ACC")
    expect(chart(tab, "acc").locator(".legendtext")).to_have_count(2)
    expect(tab.locator("[data-progress]")).to_have_text("1 of 3 keys")


def test_a_chart_of_many_keys_says_which_it_leaves_out(tab: Page, server: RunningServer) -> None:
    open_page(tab, server, "/local/curves/runs/many")
    tab.get_by_label("in one chart").check()
    expect(tab.locator("[data-progress]").first).to_have_text(
        "the chart has the first 10 of 14: search for others"
    )
    expect(chart(tab, "10 keys").locator(".legendtext")).to_have_count(10)


def test_charts_follow_a_run_that_logs(tab: Page, server: RunningServer) -> None:
    server.seed("live", [SeedRun(name="now", state="running", history=[{"loss": 1}, {"loss": 2}])])
    open_page(tab, server, "/local/live/runs/now")
    figure = chart(tab, "loss")
    expect(figure).to_have_attribute("data-drawn", "2")

    def log(offset: int, *rows: JsonObject) -> None:
        with server.store.writing() as connection:
            number = runs.number_of(connection, "local", "live", "now")
            lines.write_history(connection, number, lines.parse_history([dump(row) for row in rows], offset))

    log(2, {"_step": 2, "loss": 3}, {"_step": 3, "loss": 4, "late": 1})
    expect(figure).to_have_attribute("data-drawn", "4")
    expect(chart(tab, "late")).to_have_attribute("data-drawn", "1")
    # A resumed process logs a row again: as many rows, another value.
    log(3, {"_step": 3, "loss": 50, "late": 1})
    expect(figure.locator(".plot")).to_have_attribute("aria-label", "loss: from 1 to 50")
    with server.store.writing() as connection:
        number = runs.number_of(connection, "local", "live", "now")
        runs.change(connection, number, runs.RunChange(state="finished"))
    expect(tab.locator("[data-live=state]")).to_have_text("finished")


def test_a_server_that_refuses_is_reported(tab: Page, server: RunningServer) -> None:
    open_page(tab, server, "/local/curves/runs/a")
    figure = chart(tab, "acc")
    expect(figure).to_have_attribute("data-drawn", "20")
    tab.route("**/curves?**", lambda route: route.fulfill(status=299, body="{"))
    tab.get_by_role("button", name="Whole range").click()
    expect(figure.locator(".note")).to_have_text("the server refused: 299")
    # What was drawn stays.
    assert drawn(figure) == 20


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_scheme(tab: Page, server: RunningServer, scheme: str) -> None:
    open_page(tab, server, "/local/curves/runs/a")
    figure = chart(tab, "acc")
    expect(figure).to_have_attribute("data-drawn", "20")
    other = {"light": "dark", "dark": "light"}[scheme]
    tab.emulate_media(color_scheme="dark" if other == "dark" else "light")
    tab.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    ink = tab.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--ink').trim()")
    red, green, blue = (int(ink[at : at + 2], 16) for at in (1, 3, 5))
    expect(figure.locator(".xtitle")).to_have_css("fill", f"rgb({red}, {green}, {blue})")
