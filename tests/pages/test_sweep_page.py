"""The page of a sweep in the browser: a line for each run, ranges of axes that choose runs, and live values."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.pages.looking import open_page

from runql_server.access import auth
from runql_server.lenient_json import JsonObject
from runql_server.running import RunningServer
from runql_server.runs import runs
from runql_server.runs.runs import RunChange
from runql_server.seed import SeedRun
from runql_server.storage import projects
from runql_server.sweeps import sweeps
from runql_server.sweeps.sweeps import SweepChange

CONFIG = json.dumps(
    {
        "method": "grid",
        "metric": {"name": "loss", "goal": "minimize"},
        "parameters": {
            "lr": {"values": [0.001, 0.01, 1]},
            "opt": {"values": ["adam", "sgd"]},
            "net": {"parameters": {"depth": {"values": [1, 2, 3]}}},
        },
    }
)
LOSSES = [0.5, 0.25, math.nan, math.inf, 0.125, None]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("sweep") / "data") as server:
        yield server


def make(server: RunningServer, project: str, config: str = CONFIG) -> str:
    with server.store.writing() as connection:
        user = auth.user_number(connection)
        number = sweeps.create(connection, projects.ensure(connection, "local", project, user=user), config)
        return sweeps.by_number(connection, number).name


@pytest.fixture(scope="module")
def path(server: RunningServer) -> str:
    name = make(server, "tuned")
    server.seed(
        "tuned",
        [
            SeedRun(
                name=f"r{index}",
                display_name=f"trial {index}",
                sweep=name,
                config={"lr": [0.001, 0.01, 1][index % 3], "opt": ["adam", "sgd"][index % 2], "net": {"depth": index}},
                summary={} if loss is None else {"loss": loss},
            )
            for index, loss in enumerate(LOSSES)
        ],
    )  # fmt: skip
    with server.store.writing() as connection:
        project = projects.find(connection, "local", "tuned")
        assert project is not None
        sweep = sweeps.find(connection, project.number, name)
        assert sweep is not None
        sweeps.change(connection, sweep.number, SweepChange(state="FINISHED", display_name="grid of six"))
    return f"/local/tuned/sweeps/{name}"


def plot(tab: Page) -> Locator:
    return tab.locator("#parallel")


def drag_axis(tab: Page, index: int, start: float, stop: float) -> None:
    """Drag along an axis, between two heights from 0 to 1."""
    found: list[float] = plot(tab).evaluate(
        """(box, [index, ...heights]) => {
            const { left, top } = box.getBoundingClientRect();
            const { xaxis, yaxis } = box._fullLayout;
            const x = left + xaxis._offset + xaxis.d2p(index);
            return [x, ...heights.map((height) => top + yaxis._offset + yaxis.d2p(height))];
        }""",
        [index, start, stop],
    )
    x, first, last = found
    tab.mouse.move(x, first)
    tab.mouse.down()
    tab.mouse.move(x + 2, last, steps=5)
    tab.mouse.up()


def visible_rows(tab: Page) -> Locator:
    return tab.locator("tr[data-run]:visible")


def test_a_range_of_an_axis_chooses_runs_and_a_double_click_all(
    tab: Page, server: RunningServer, path: str
) -> None:
    open_page(tab, server, path)
    expect(plot(tab)).to_have_attribute("data-drawn", "6")
    expect(visible_rows(tab)).to_have_count(6)
    # The upper third of lr: 1, on an axis of logarithms.
    drag_axis(tab, 0, 0.9, 1.04)
    expect(tab.locator("#chosen")).to_have_text("2 of 6 runs chosen")
    expect(visible_rows(tab)).to_have_count(2)
    assert visible_rows(tab).locator("th").all_inner_texts() == ["trial 5", "trial 2"]
    # A range of another axis leaves fewer.
    drag_axis(tab, 1, 0.9, 1.04)
    expect(tab.locator("#chosen")).to_have_text("1 of 6 runs chosen")
    assert visible_rows(tab).locator("th").all_inner_texts() == ["trial 5"]
    box = plot(tab).locator(".nsewdrag").bounding_box()
    assert box is not None
    tab.mouse.dblclick(box["x"] + box["width"] / 2 + 40, box["y"] + 20)
    expect(tab.locator("#chosen")).to_have_text("")
    expect(visible_rows(tab)).to_have_count(6)


def test_values_that_are_not_finite_have_no_place_on_an_axis(
    tab: Page, server: RunningServer, path: str
) -> None:
    open_page(tab, server, path)
    expect(plot(tab)).to_have_attribute("data-drawn", "6")
    values = [each["values"] for each in json.loads(plot(tab).get_attribute("data-runs") or "")]
    assert [each[-1] for each in values] == [None, 0.125, None, None, 0.25, 0.5]
    assert plot(tab).evaluate("box => box.layout.xaxis.ticktext") == ["lr (log)", "opt", "net.depth", "loss"]
    # The table shows what was logged.
    assert tab.locator("tr[data-run] td:last-child").all_inner_texts() == ["", "0.125", "Infinity", "NaN", "0.25", "0.5"]  # fmt: skip
    expect(tab.locator("[data-live=best]")).to_contain_text("0.125")
    # Runs without a value of the last axis are in no range of it.
    drag_axis(tab, 3, -0.04, 1.04)
    expect(tab.locator("#chosen")).to_have_text("3 of 6 runs chosen")


def test_the_table_of_the_project_has_the_same_runs(tab: Page, server: RunningServer, path: str) -> None:
    open_page(tab, server, path)
    tab.get_by_role("link", name="Sort and filter these runs").click()
    expect(tab.get_by_role("status").first).to_have_text("6 runs")
    tab.get_by_role("link", name="Sweeps").click()
    tab.get_by_role("link", name="grid of six").click()
    expect(tab.get_by_role("heading", level=1)).to_contain_text("FINISHED")


def test_a_sweep_that_runs_is_renewed(tab: Page, server: RunningServer) -> None:
    name = make(server, "going")
    config: JsonObject = {"lr": 0.01, "opt": "adam", "net": {"depth": 1}}
    server.seed(
        "going", [SeedRun(name="g0", state="running", sweep=name, config=config, summary={"loss": 1})]
    )
    open_page(tab, server, f"/local/going/sweeps/{name}")
    expect(plot(tab)).to_have_attribute("data-drawn", "1")
    server.seed("going", [SeedRun(name="g1", sweep=name, config=config, summary={"loss": 2})])
    expect(plot(tab)).to_have_attribute("data-drawn", "2")
    expect(visible_rows(tab)).to_have_count(2)
    drag_axis(tab, 3, 0.9, 1.04)
    expect(visible_rows(tab)).to_have_count(1)
    with server.store.writing() as connection:
        number = runs.number_of(connection, "local", "going", "g0")
        runs.change(connection, number, RunChange(summary='{"loss": 0.5}'))
    expect(tab.locator("[data-live=best]")).to_contain_text("0.5")
    # The chosen range stays.
    expect(visible_rows(tab)).to_have_count(1)
    expect(plot(tab).locator(".shapelayer path")).to_have_count(1)


@pytest.mark.parametrize(
    "config",
    [
        "method: bayes",
        "parameters: {}",
        "parameters: [1, 2]",
        "metric: loss\nparameters: {lr: {value: 1}}",
        "[1]",
        ": : :",
        "{}",
    ],
)
def test_a_configuration_that_is_none_is_shown_all_the_same(
    tab: Page, server: RunningServer, config: str
) -> None:
    name = make(server, "odd")
    server.seed("odd", [SeedRun(sweep=name, config={"lr": 1})])
    with server.store.writing() as connection:
        connection.execute("UPDATE sweeps SET config = ? WHERE name = ?", (config, name))
    open_page(tab, server, f"/local/odd/sweeps/{name}")
    expect(tab.locator("pre")).to_have_text(config)
    expect(visible_rows(tab)).to_have_count(1)
    tab.goto(f"{server.url}/local/odd/sweeps")
    expect(tab.get_by_role("heading", name="Sweeps")).to_be_visible()


def test_a_metric_of_statistics_counts_by_its_goal(tab: Page, server: RunningServer) -> None:
    config = {
        "method": "grid",
        "metric": {"name": "acc", "goal": "maximize"},
        "parameters": {"lr": {"values": [1, 2]}},
    }
    name = make(server, "stats", json.dumps(config))
    server.seed("stats", [SeedRun(sweep=name, config={"lr": 1}, summary={"acc": {"max": 0.75, "min": 0.1}})])
    open_page(tab, server, f"/local/stats/sweeps/{name}")
    expect(tab.locator("tr[data-run] td").last).to_have_text("0.75")
    expect(tab.locator("[data-live=best]")).to_contain_text("0.75")
