"""The x axis of curves: any key with numbers, the run's own step metrics, and what a chart says about both."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect
from tests.pages.hostile import TEXTS
from tests.pages.looking import SOON, chart, open_page

from runql_server.lenient_json import JsonObject, dump
from runql_server.pages.axes import LONGEST
from runql_server.running import RunningServer
from runql_server.runs import lines, runs
from runql_server.runs.curve_chunks import LINES
from runql_server.seed import SeedRun

pytestmark = pytest.mark.nightly

METRICS: JsonObject = {
    "_wandb": {
        "value": {
            "m": [
                {"1": "epoch", "6": [3]},
                {"2": "val/*", "5": 1, "6": []},
                {"1": "acc", "5": 1},
                {"1": "lost", "5": 6},
                {"1": "far", "5": 99},
                {"1": "never"},
                "odd",
            ]
        }
    }
}
HOSTILE = tuple(text for text in TEXTS if len(text) < LONGEST)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("axes") / "data", page_poll=SOON) as server:
        rows: list[JsonObject] = []
        for step in range(20):
            row: JsonObject = {"loss": 20 - step, "tokens": step * 1000}
            if step % 5 == 4:
                row |= {"epoch": step // 5, "val/loss": step, "acc": step, "lost": 1, "far": 1}
            rows.append(row)
        server.seed(
            "axes",
            [
                SeedRun(name="own", history=rows),
                SeedRun(name="plain", history=[{"loss": step, "lap": step % 4} for step in range(8)]),
                SeedRun(
                    name="long",
                    history=({"lap": step * 7919 % 1000, "loss": step} for step in range(6 * LINES)),
                ),
                SeedRun(
                    name="hostile", history=[dict.fromkeys(HOSTILE, step) | {"loss": step} for step in (1, 2)]
                ),
                SeedRun(name="live", state="running", history=[{"loss": 1}]),
            ],
        )
        with server.store.writing() as connection:
            for name in ("own", "live"):
                number = runs.number_of(connection, "local", "axes", name)
                runs.change(connection, number, runs.RunChange(config=dump(METRICS)))
        yield server


def title_of(tab: Page, key: str) -> str:
    figure = chart(tab, key)
    expect(figure).to_have_attribute("data-complete", "true")
    return figure.locator(".xtitle").text_content() or ""


def xs(tab: Page, key: str) -> list[float]:
    found: list[float] = chart(tab, key).evaluate("each => each.querySelector('.plot').data[0].x")
    return found


def choose(tab: Page, axis: str) -> None:
    tab.get_by_label("x axis").first.select_option(axis)


def test_a_step_metric_is_the_x_axis_of_its_keys(tab: Page, server: RunningServer) -> None:
    open_page(tab, server, "/local/axes/runs/own")
    shown = {key: title_of(tab, key) for key in ("val/loss", "acc", "loss", "lost", "far")}
    assert shown == {"val/loss": "epoch", "acc": "epoch", "loss": "_step", "lost": "_step", "far": "_step"}
    assert xs(tab, "val/loss") == [0, 1, 2, 3]
    expect(tab.get_by_label("x axis").first).to_have_value("")
    choose(tab, "_step")
    expect(chart(tab, "acc").locator(".xtitle")).to_have_text("_step")
    assert xs(tab, "acc") == [4, 9, 14, 19]


def test_any_key_with_numbers_is_an_x_axis(tab: Page, server: RunningServer) -> None:
    open_page(tab, server, "/local/axes/runs/own")
    choose(tab, "tokens")
    expect(chart(tab, "loss").locator(".xtitle")).to_have_text("tokens")
    expect(chart(tab, "loss")).to_have_attribute("data-drawn", "20")
    assert xs(tab, "loss") == [step * 1000 for step in range(20)]
    expect(chart(tab, "loss").locator(".note")).to_have_text("")
    choose(tab, "epoch")
    expect(chart(tab, "loss").locator(".note")).to_have_text("16 rows without epoch are not drawn")
    assert xs(tab, "loss") == [0, 1, 2, 3]


def test_an_axis_that_goes_back_says_so(tab: Page, server: RunningServer) -> None:
    open_page(tab, server, "/local/axes/runs/plain")
    expect(tab.get_by_label("x axis").first).to_have_value("_step")
    choose(tab, "lap")
    back = "lap goes back in places: points are in its order, not in the order of rows"
    expect(chart(tab, "loss").locator(".note")).to_have_text(back)
    assert xs(tab, "loss") == [0, 0, 1, 1, 2, 2, 3, 3]
    tab.goto(f"{server.url}/local/axes/runs/long")
    choose(tab, "lap")
    expect(chart(tab, "loss").locator(".note")).to_have_text(
        f"{back}; too many rows for each: the lowest and highest of each 32 are drawn"
    )
    expect(chart(tab, "loss").locator(".plot")).to_have_attribute(
        "aria-label", f"loss: from 0 to {6 * LINES - 1}"
    )


def test_runs_without_the_key_have_no_curve(tab: Page, server: RunningServer) -> None:
    open_page(tab, server, "/local/axes?runs=own,plain&keys=loss,val/loss")
    assert title_of(tab, "val/loss") == "epoch"
    choose(tab, "tokens")
    expect(chart(tab, "loss")).to_have_attribute("data-drawn", "20")
    expect(chart(tab, "loss").locator(".note")).to_have_text("8 rows without tokens are not drawn")


def test_a_live_run_gets_its_axes_as_it_logs(tab: Page, server: RunningServer) -> None:
    open_page(tab, server, "/local/axes/runs/live")
    assert title_of(tab, "loss") == "_step"
    expect(tab.get_by_label("x axis").first).to_have_value("_step")
    with server.store.writing() as connection:
        number = runs.number_of(connection, "local", "axes", "live")
        lines.write_history(connection, number, lines.parse_history(['{"epoch": 7, "val/loss": 1}'], 1))
    expect(chart(tab, "val/loss").locator(".xtitle")).to_have_text("epoch")
    expect(tab.get_by_label("x axis").first).to_have_value("")
    assert xs(tab, "val/loss") == [7]


def test_hostile_keys_are_axes_like_others(tab: Page, server: RunningServer) -> None:
    open_page(tab, server, "/local/axes/runs/hostile")
    tab.get_by_label("Keys").first.fill("loss")
    expect(chart(tab, "loss")).to_have_attribute("data-complete", "true")
    axis = tab.get_by_label("x axis").first
    values: list[str] = axis.evaluate("each => [...each.options].map(option => option.value)")
    assert set(values) == {"_step", "_runtime", "_timestamp", "loss", *HOSTILE}
    for place, value in enumerate(values):
        if value in HOSTILE:
            axis.select_option(index=place)
            expect(chart(tab, "loss")).to_have_attribute("data-drawn", "2")
            assert xs(tab, "loss") == [1, 2]
    assert tab.evaluate("globalThis.broken") is None


def test_what_cannot_be_an_axis(server: RunningServer) -> None:
    with httpx.Client(base_url=server.url, headers={"Accept": "text/html"}, trust_env=False) as client:
        client.get(server.page_link("/"))
        address = "/local/axes/runs/own/curves"

        def ask(**query: str) -> httpx.Response:
            return client.get(address, params={"key": "loss", **query})

        none = ask(x="never").json()
        assert (none["curves"], none["complete"], none["rowsWithoutX"]) == ([], True, 20)
        for query in ({"x": ""}, {"x": "k" * (LONGEST + 1)}, {"x": "epoch", "stream": "events"}):
            assert ask(**query).status_code == 400, query
        assert "_step, _runtime, _timestamp or a key of the history" in ask(x="").text
        with server.store.reading() as connection:
            kept = {row["x"] for row in connection.execute("SELECT x FROM curve_progress")}
        assert "never" not in kept
