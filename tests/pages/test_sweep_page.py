"""The page of a sweep in the browser: a line for each run, ranges of axes that choose runs, and live values."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from tests.pages.looking import SOON, open_page, overflow, serious

from runql_server.access import auth
from runql_server.lenient_json import JsonObject
from runql_server.running import RunningServer
from runql_server.runs import runs
from runql_server.runs.runs import RunChange
from runql_server.seed import SeedRun
from runql_server.storage import projects
from runql_server.sweeps import sweeps
from runql_server.sweeps.sweeps import SweepChange

pytestmark = pytest.mark.nightly

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
    with RunningServer(tmp_path_factory.mktemp("sweep") / "data", page_poll=SOON) as server:
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


# -- ranges in the address ------------------------------------------------------------------------------------------


def numbers_of_axis(tab: Page, name: str) -> Locator:
    return tab.get_by_role("group", name=name, exact=True)


def listed(tab: Page) -> list[str]:
    return tab.locator("tr[data-run]:visible th").all_inner_texts()


def test_ranges_are_chosen_by_keyboard_and_kept_in_the_address(
    tab: Page, server: RunningServer, path: str
) -> None:
    open_page(tab, server, path)
    expect(plot(tab)).to_have_attribute("data-drawn", "6")
    numbers_of_axis(tab, "lr").get_by_label("at least").focus()
    tab.keyboard.type("0.01")
    tab.keyboard.press("Tab")
    tab.keyboard.type("0.5")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/*min.lr=0.01*")
    expect(tab.locator("#chosen")).to_have_text("2 of 6 runs chosen")
    assert listed(tab) == ["trial 4", "trial 1"]
    expect(numbers_of_axis(tab, "lr").get_by_label("at most")).to_have_value("0.5")
    # The plot has all runs, and marks the range on its axis.
    expect(plot(tab)).to_have_attribute("data-drawn", "6")
    expect(plot(tab).locator(".shapelayer path")).to_have_count(1)
    assert plot(tab).evaluate("box => box.data.filter((each) => each.hoverinfo === 'skip').length") == 1
    # Words are chosen with the space bar.
    numbers_of_axis(tab, "opt").get_by_label("sgd").focus()
    tab.keyboard.press("Space")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/*is.opt=sgd*")
    assert listed(tab) == ["trial 1"]
    expect(numbers_of_axis(tab, "opt").get_by_label("sgd")).to_be_checked()
    expect(numbers_of_axis(tab, "opt").get_by_label("adam")).not_to_be_checked()
    # A drag chooses among those, and a double click ends only the drag.
    drag_axis(tab, 0, 0.9, 1.04)
    expect(tab.locator("#chosen")).to_have_text("0 of 6 runs chosen")
    plot(tab).locator(".nsewdrag").dblclick(position={"x": 200, "y": 20})
    expect(tab.locator("#chosen")).to_have_text("1 of 6 runs chosen")
    tab.get_by_role("link", name="Start over").click()
    expect(tab.locator("tr[data-run]")).to_have_count(6)
    assert tab.url == server.url + path + "?"


def test_ranges_need_no_script(browser: Browser, server: RunningServer, path: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    tab = context.new_page()
    open_page(tab, server, f"{path}?jupyter=true")
    numbers_of_axis(tab, "loss").get_by_label("at most").fill("0.25")
    tab.get_by_role("button", name="Apply").click()
    expect(tab.get_by_role("status")).to_have_text("2 of 6 runs chosen")
    assert listed(tab) == ["trial 4", "trial 1"]
    assert "jupyter=true" in tab.url
    tab.get_by_label("at least").last.fill("0.2")
    numbers_of_axis(tab, "net.depth").get_by_label("at least").fill("2")
    tab.get_by_role("button", name="Apply").click()
    expect(tab.get_by_role("status")).to_have_text("0 of 6 runs chosen")
    expect(tab.get_by_text("No run is in these ranges.")).to_be_visible()
    tab.get_by_role("link", name="Start over").click()
    expect(tab.locator("tr[data-run]")).to_have_count(6)
    assert tab.url.endswith("?jupyter=true")
    context.close()


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("min.lr=abc", "min.lr: a finite number, not 'abc'"),
        ("max.lr=inf", "max.lr: a finite number, not 'inf'"),
        ("max.lr=nan", "max.lr: a finite number, not 'nan'"),
        ("min.none=1", "min.none: this sweep has no such axis"),
        ("min.opt=1", "min.opt: not all of its values are numbers"),
        ("is.lr=1", "is.lr: its values are numbers, which have min and max"),
        ("min.lr=2&max.lr=1", "lr: the lowest, 2, is above the highest, 1"),
        ("min.%3Cimg%20src%3Dx%3E=1", "min.<img src=x>: this sweep has no such axis"),
    ],
)
def test_a_range_that_is_none_is_reported(
    tab: Page, server: RunningServer, path: str, query: str, problem: str
) -> None:
    open_page(tab, server, f"{path}?{query}")
    expect(tab.get_by_role("alert")).to_have_text(problem)
    expect(tab.locator("tr[data-run]")).to_have_count(0 if "above" in problem else 6)


def test_a_form_of_ranges_is_accessible(tab: Page, server: RunningServer, path: str) -> None:
    for query in ("", "?min.lr=0.01&is.opt=adam&max.none=1"):
        tab.set_viewport_size({"width": 1280, "height": 900})
        open_page(tab, server, path + query)
        expect(plot(tab)).to_have_attribute("data-drawn", "6")
        assert serious(tab) == []
        tab.emulate_media(color_scheme="dark")
        tab.set_viewport_size({"width": 360, "height": 800})
        assert (overflow(tab), serious(tab)) == (0, [])


ODD = ["<script>top.broken=1</script>", "a\"b' &amp;", "two\r\nlines\rthree\n", "zero\x00", "\u202eright", " lead",
       "~0", "x" * 500 + "1", "x" * 500 + "2", "jupyter", "min.lr", "lr=1&max.lr=0", "%6c", ""]  # fmt: skip


@pytest.mark.parametrize("kind", ["numbers", "words"])
def test_odd_names_of_axes_and_values_choose_what_they_name(
    tab: Page, server: RunningServer, kind: str
) -> None:
    """Each name is an axis, and each name is a value; the browser sends what the page wrote."""
    document = {"method": "grid", "metric": {"name": "jupyter", "goal": "minimize"}, "parameters": {name: {"values": [1, 2]} for name in ODD}}  # fmt: skip
    name = make(server, f"odd-{kind}", json.dumps(document))
    first: JsonObject = {name: 1 if kind == "numbers" else f"{name[-30:]}1" for name in ODD}
    second: JsonObject = {name: 2 if kind == "numbers" else f"{name[-30:]}2" for name in ODD}
    server.seed(f"odd-{kind}", [SeedRun(display_name="one", sweep=name, config=first), SeedRun(display_name="two", sweep=name, config=second)])  # fmt: skip
    path = f"/local/odd-{kind}/sweeps/{name}"
    open_page(tab, server, path)
    expect(plot(tab)).to_have_attribute("data-drawn", "2")
    axes = tab.locator("form.ranges fieldset")
    expect(axes).to_have_count(len(ODD) + 1)
    for index in range(len(ODD)):
        if kind == "numbers":
            axes.nth(index).get_by_label("at least").fill("1.5")
        else:
            axes.nth(index).get_by_role("checkbox").last.check()
        tab.get_by_role("button", name="Apply").click()
        expect(tab.locator("#chosen")).to_have_text("1 of 2 runs chosen")
        assert listed(tab) == ["two"]
        expect(tab.get_by_role("alert")).to_have_count(0)
        tab.get_by_role("link", name="Start over").click()
        expect(tab.locator("tr[data-run]")).to_have_count(2)
    assert tab.evaluate("globalThis.broken") is None


def test_many_words_have_a_limit_and_what_is_chosen_stays(tab: Page, server: RunningServer) -> None:
    name = make(server, "words", json.dumps({"method": "random", "parameters": {"word": {"values": ["a"]}}}))
    server.seed("words", [SeedRun(sweep=name, config={"word": f"w{index:03}"}) for index in range(120)])
    open_page(tab, server, f"/local/words/sweeps/{name}?is.word=w119&is.word=true")
    expect(tab.locator("tr[data-run]")).to_have_count(1)
    words = tab.locator(".words")
    expect(words.get_by_role("checkbox")).to_have_count(100)
    assert words.get_by_role("checkbox", checked=True).count() == 2
    expect(words).to_contain_text("21 more have no room here.")
