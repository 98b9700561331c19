"""The table of a project in the browser: sorted, filtered, searched, paged, and its runs compared."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest
from playwright.sync_api import Page, expect
from tests.pages.looking import open_page

from runql_server.lenient_json import JsonValue
from runql_server.pages.overlay import MOST_RUNS
from runql_server.pages.project import MOST_CHOICES, MOST_COLUMNS, SIZE
from runql_server.running import RunningServer
from runql_server.runs import runs
from runql_server.runs.runs import Run
from runql_server.seed import SeedRun

pytestmark = pytest.mark.nightly

COUNT = 2 * SIZE + 20
START = datetime(2026, 1, 1, tzinfo=UTC)
TABLE = "/local/many"
ODD = "/local/odd"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("project") / "data") as server:
        server.seed(
            "many",
            [
                SeedRun(
                    name=f"r{index:03}",
                    display_name=f"run number {index}",
                    config={"lr": index % 7 / 10, "opt": {"name": ["adam", "sgd"][index % 2]}, "same": 1},
                    summary={"loss": 1 / (index + 1)} if index % 5 else {},
                    tags=("base",) if index % 3 else ("base", "night"),
                    group="2024" if index < 4 else None,
                    notes="long ago" if index == 11 else None,
                    created_at=START + timedelta(minutes=index),
                    heartbeat_at=START + timedelta(minutes=2 * index),
                    history=[{"loss": 1 / (step + 1)} for step in range(4)] if index < 40 else [],
                )
                for index in range(COUNT)
            ],
        )
        server.seed(
            "odd",
            [
                SeedRun(name="bare", heartbeat_at=START + timedelta(days=3000)),
                SeedRun(name="a,b", history=[{"x,y": 1, "z": 2}]),
                SeedRun(name="deep", config={"a": _nested(200), "b": _nested(900)}),
                SeedRun(name="wide", config={f"k{index}": index for index in range(3000)}),
                SeedRun(
                    name="typed",
                    display_name="42",
                    tags=("2024", "null"),
                    group="null",
                    config={
                        "n": 1,
                        "s": "1",
                        "b": True,
                        "l": [1, "a"],
                        "e": "",
                        "o": {"p": None},
                        "x": float("nan"),
                    },
                ),
                SeedRun(name="half", config={"\ud800": "\udfff", "ok": 1}, display_name="half"),
            ],
        )
        with server.store.writing() as connection:
            connection.execute(
                """INSERT INTO projects (entity_id, name, user_id, created_at, updated_at)
                   SELECT entity_id, 'empty', user_id, created_at, updated_at FROM projects WHERE name = 'odd'"""
            )
        yield server


def _nested(levels: int) -> JsonValue:
    return {"a": _nested(levels - 1)} if levels else 1


@pytest.fixture(scope="module")
def http(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, headers={"Accept": "text/html"}, follow_redirects=True) as client:
        assert client.get(server.page_link("/")).status_code == 200
        yield client


def names(page: str) -> list[str]:
    return re.findall(r'name="runs" value="([^"]*)"', page)


def link(page: str, relation: str) -> str | None:
    found = re.search(rf'<a rel="{relation}" href="([^"]*)"', page)
    return None if found is None else found[1].replace("&amp;", "&")


def problems(page: str) -> list[str]:
    return re.findall(r'class="problem"[^>]*>(?:<bdi>)?([^<]*)', page)


def filtered(http: httpx.Client, path: str, field: str, operator: str, value: str) -> list[str]:
    page = http.get(path, params={"field": field, "operator": operator, "value": value})
    assert (page.status_code, problems(page.text)) == (200, [])
    return sorted(names(page.text))


# In the browser


def rows(tab: Page) -> list[str]:
    return tab.locator("table.runs tbody th").all_inner_texts()


def test_a_click_sorts_and_a_second_one_turns_the_order(tab: Page, server: RunningServer) -> None:
    open_page(tab, server, TABLE)
    assert rows(tab)[:2] == [f"run number {COUNT - 1}", f"run number {COUNT - 2}"]
    tab.get_by_role("link", name="summary.loss").click()
    header = tab.get_by_role("columnheader", name="summary.loss")
    expect(header).to_have_attribute("aria-sort", "descending")
    assert rows(tab)[:2] == ["run number 1", "run number 2"]
    header.get_by_role("link").click()
    expect(header).to_have_attribute("aria-sort", "ascending")
    assert rows(tab)[0] == f"run number {COUNT - 1}"


def test_the_form_filters_and_the_order_and_the_columns_stay(tab: Page, server: RunningServer) -> None:
    open_page(tab, server, f"{TABLE}?order=%2Bcreated_at&column=config.lr")
    tab.get_by_label("Field").fill("config.opt.name")
    tab.get_by_label("Value").fill("sgd")
    tab.get_by_role("button", name="Apply").click()
    expect(tab.get_by_role("status").first).to_have_text(f"{COUNT // 2} of {COUNT} runs, here 1 to {SIZE}")
    assert rows(tab)[:2] == ["run number 1", "run number 3"]
    assert tab.get_by_role("columnheader").all_inner_texts()[1:] == ["Run", "config.lr", "created_at ▲"]
    tab.get_by_label("Field").last.fill("config.lr")
    tab.get_by_label("Comparison").last.select_option("≥")
    tab.get_by_label("Value").last.fill("0.5")
    tab.get_by_role("button", name="Apply").click()
    expect(tab.get_by_label("Field")).to_have_count(3)
    assert rows(tab)[:2] == ["run number 5", "run number 13"]
    tab.get_by_role("link", name="config.lr").click()
    expect(tab.get_by_role("columnheader", name="config.lr")).to_have_attribute("aria-sort", "descending")
    assert tab.get_by_label("Field").first.input_value() == "config.opt.name"
    assert set(rows(tab)) <= {f"run number {index}" for index in range(COUNT) if index % 2 and index % 7 >= 5}
    tab.get_by_role("link", name="Start over").click()
    expect(tab.get_by_role("status").first).to_contain_text(f"{COUNT} runs")


@pytest.mark.parametrize(
    ("search", "found"), [("NUMBER 11", ["11", "110", "111", "112", "113", "114", "115", "116", "117", "118", "119"]), ("r007", ["7"]), ("long AGO", ["11"])]
)  # fmt: skip
def test_a_search_finds_names_ids_and_notes(
    tab: Page, server: RunningServer, search: str, found: list[str]
) -> None:
    open_page(tab, server, f"{TABLE}?order=%2Bcreated_at")
    tab.get_by_label("Search").fill(search)
    tab.get_by_label("Search").press("Enter")
    expect(tab.get_by_role("status").first).to_have_text(f"{len(found)} of {COUNT} runs")
    assert rows(tab) == [f"run number {number}" for number in found]


def test_columns_are_chosen_by_boxes_and_by_name(tab: Page, server: RunningServer) -> None:
    open_page(tab, server, TABLE)
    tab.get_by_text("Columns", exact=True).click()
    for name in ("state", "duration", "tags"):
        tab.get_by_role("checkbox", name=name).uncheck()
    tab.get_by_label("One more column").fill("config.same")
    tab.get_by_role("button", name="Apply").click()
    expect(tab.get_by_role("columnheader", name="config.same")).to_be_visible()
    chosen = ["created_at", "config.lr", "config.opt.name", "summary.loss", "config.same"]
    seen = [name.removesuffix(" ▼") for name in tab.get_by_role("columnheader").all_inner_texts()[2:]]
    assert seen == chosen
    tab.get_by_role("link", name="Next page").click()
    expect(tab.get_by_role("status").first).to_contain_text(f"here {SIZE + 1} to {2 * SIZE}")
    seen = [name.removesuffix(" ▼") for name in tab.get_by_role("columnheader").all_inner_texts()[2:]]
    assert seen == chosen


def test_the_keyboard_alone_sorts_filters_and_compares(tab: Page, server: RunningServer) -> None:
    open_page(tab, server, TABLE)

    def tab_to(selector: str) -> None:
        while not tab.evaluate("selector => document.activeElement.matches(selector)", selector):
            tab.keyboard.press("Tab")

    tab_to("input[name=field]")
    tab.keyboard.type("config.lr")
    tab_to("input[name=value]")
    tab.keyboard.type("0.3")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("status").first).to_contain_text(f"17 of {COUNT} runs")
    tab_to("th[aria-sort] a[href*='order=-display_name']")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("columnheader", name="Run", exact=False).first).to_have_attribute(
        "aria-sort", "descending"
    )
    tab_to("input[name=runs][value=r003]")
    tab.keyboard.press("Space")
    tab_to("input[name=runs][value=r010]")
    tab.keyboard.press("Space")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("heading", name="2 runs")).to_be_visible()
    assert sorted(tab.locator(".chosen a").all_inner_texts()) == ["run number 10", "run number 3"]
    # The way back leads to the same table.
    tab.get_by_role("link", name="local/many").click()
    expect(tab.get_by_role("status").first).to_contain_text(f"17 of {COUNT} runs")


def test_comparing_no_run_asks_for_runs(tab: Page, server: RunningServer) -> None:
    open_page(tab, server, f"{TABLE}?search=number+1&after=r119")
    tab.get_by_role("button", name="Compare curves").click()
    expect(tab.get_by_role("alert")).to_have_text("Choose the runs to compare first.")
    assert tab.get_by_label("Search").input_value() == "number 1"


# By HTTP


@pytest.mark.parametrize(
    "order",
    ["", "-summary.loss", "+summary.loss", "+config.lr", "-config.opt.name", "-duration", "+tags", "-group"],
)
def test_pages_hold_every_run_once_there_and_back(http: httpx.Client, order: str) -> None:
    seen: list[str] = []
    address: str | None = f"?{urlencode({'order': order})}"
    before: str | None = None
    pages: list[list[str]] = []
    while address is not None:
        page = http.get(TABLE + address).text
        assert f"here {len(seen) + 1} to" in page
        seen += names(page)
        pages.append(names(page))
        before, address = link(page, "prev"), link(page, "next")
    assert sorted(seen) == [f"r{index:03}" for index in range(COUNT)]
    assert before is not None
    while before is not None:
        pages.pop()
        page = http.get(TABLE + before).text
        assert names(page) == pages[-1]
        before = link(page, "prev")
    assert len(pages) == 1


def test_runs_that_begin_meanwhile_shift_no_page(server: RunningServer, http: httpx.Client) -> None:
    server.seed("moving", [SeedRun(name=f"m{index:03}", created_at=START + timedelta(minutes=index)) for index in range(SIZE + 9)])  # fmt: skip
    page = http.get("/local/moving").text
    first, address = names(page), link(page, "next")
    server.seed("moving", [SeedRun(name=f"n{index}") for index in range(5)])
    page = http.get(f"/local/moving{address}").text
    assert first[-1] == "m009"
    assert names(page) == [f"m{index:03}" for index in range(8, -1, -1)]
    assert f"here {SIZE + 6} to {SIZE + 14}" in page
    # Back at the start, the first page is a whole one.
    page = http.get(f"/local/moving{link(page, 'prev')}").text
    assert names(page) == [f"m{index:03}" for index in range(58, 8, -1)]
    page = http.get(f"/local/moving{link(page, 'prev')}").text
    assert names(page)[:5] == ["n4", "n3", "n2", "n1", "n0"]
    assert len(names(page)) == SIZE


def test_a_page_that_begins_at_a_deleted_run_says_so(http: httpx.Client) -> None:
    for place in ("after", "before"):
        page = http.get(TABLE, params={place: "gone"})
        assert problems(page.text) == ["the run &#39;gone&#39;, where this page begins, is gone"]
        assert len(names(page.text)) == SIZE


def test_an_order_by_an_unknown_key_says_so_and_lists_by_time(http: httpx.Client) -> None:
    page = http.get(TABLE, params={"order": "-<script>", "search": "number 1"})
    assert "unknown key &#39;&lt;script&gt;&#39;" in problems(page.text)[0]
    assert names(page.text)[0] == "r119"
    assert 'value="number 1"' in page.text
    assert 'name="order"' not in page.text


@pytest.mark.parametrize(
    ("field", "operator", "value", "message"),
    [
        ("nothing", "is", "1", "unknown key &#39;nothing&#39;"),
        ("config.", "is", "1", "unknown key"),
        ("$where", "is", "1", "unknown operator"),
        ("state", "resembles", "1", "unknown comparison &#39;resembles&#39;"),
        ("duration", "is", "long", "duration is a number, not &#39;long&#39;"),
        ("duration", ">", "true", "duration is a number"),
        ("created_at", ">", "yesterday", "needs a date"),
        ("config.lr", "<", "[1]", "needs a number or a string"),
        ("config.lr", "≥", "null", "needs a number or a string"),
    ],
)
def test_a_filter_that_is_none_keeps_the_form(
    http: httpx.Client, field: str, operator: str, value: str, message: str
) -> None:
    page = http.get(TABLE, params={"field": field, "operator": operator, "value": value})
    assert page.status_code == 200
    assert message in problems(page.text)[0]
    assert names(page.text) == []
    assert f'name="field" list="choices" value="{field}"' in page.text


@pytest.mark.parametrize(
    ("field", "operator", "value", "found"),
    [
        ("config.n", "is", "1", ["typed"]),
        ("config.n", "is", "1.0", ["typed"]),
        ("config.n", "is", '"1"', []),
        ("config.s", "is", '"1"', ["typed"]),
        ("config.s", "is", "1", []),
        ("config.b", "is", "true", ["typed"]),
        ("config.b", "is", "1", []),
        ("config.l", "is", '[1, "a"]', ["typed"]),
        ("config.x", "is", "NaN", []),
        ("config.o", "is", '{"p": null}', []),
        ("config.n", "is not", "1", ["a,b", "bare", "deep", "half", "wide"]),
        ("config.n", "is", "", ["a,b", "bare", "deep", "half", "wide"]),
        ("config.e", "is not", "", []),
        ("config.n", "is not", "", ["typed"]),
        ("config.n", "is not", "null", ["typed"]),
        ("config.s", "contains", "1", ["typed"]),
        ("config.n", ">", "0.5", ["typed"]),
        ("config.n", "<", "z", []),
        ("config.missing", "<", "1", []),
        ("config.missing", "contains", ".*", []),
        ("display_name", "is", "42", ["typed"]),
        ("display_name", "is", '"42"', ["typed"]),
        ("tags", "is", "2024", ["typed"]),
        ("tags", "is", '"null"', ["typed"]),
        ("tags", "is", "", ["a,b", "bare", "deep", "half", "wide"]),
        ("tags", "contains", "02", ["typed"]),
        ("tags", "is not", "2024", ["a,b", "bare", "deep", "half", "wide"]),
        ("group", "is", '"null"', ["typed"]),
        ("group", "is", "null", ["a,b", "bare", "deep", "half", "wide"]),
        ("group", "is not", "", ["typed"]),
        ("user", "is", "local", ["a,b", "bare", "deep", "half", "typed", "wide"]),
        ("summary_metrics.loss", "is", "", ["a,b", "bare", "deep", "half", "typed", "wide"]),
    ],
)  # fmt: skip
def test_conditions_on_every_kind_of_value(
    http: httpx.Client, field: str, operator: str, value: str, found: list[str]
) -> None:
    assert filtered(http, ODD, field, operator, value) == found


def test_a_condition_without_its_comparison_or_value_is_one(http: httpx.Client) -> None:
    assert names(http.get(f"{ODD}?field=config.n&field=notes&operator=is+not").text) == ["typed"]
    assert len(names(http.get(f"{ODD}?operator=is&value=1").text)) == 6


def test_runs_of_any_config_share_a_table(http: httpx.Client) -> None:
    page = http.get(ODD)
    assert page.status_code == 200
    assert len(names(page.text)) == 6
    assert page.text.count('type="checkbox" name="column"') == MOST_CHOICES
    assert "more fields: write the name of one" in page.text
    page = http.get(ODD, params={"column": "config.k2999"})
    assert ">2999</bdi>" in page.text


@pytest.mark.parametrize(
    "column",
    [
        "<img src=x onerror=alert(1)>",
        "config.<b>",
        "\x00",
        "a" * 10_000,
        "display_name",
        "__class__",
        "+state",
    ],
)
def test_a_column_of_any_name_is_empty(http: httpx.Client, column: str) -> None:
    page = http.get(ODD, params={"column": column})
    assert page.status_code == 200
    assert len(names(page.text)) == 6
    assert "<img src=x" not in page.text


def test_more_columns_than_a_table_has_are_named(http: httpx.Client) -> None:
    page = http.get(ODD, params={"column": [f"config.k{index}" for index in range(MOST_COLUMNS + 7)]})
    assert problems(page.text) == [f"7 columns are left out: a table has {MOST_COLUMNS} at most."]
    assert page.text.count('scope="col"') == MOST_COLUMNS + 2


def test_a_project_without_runs_says_how_to_log_one(http: httpx.Client) -> None:
    page = http.get("/local/empty").text
    assert "WANDB_BASE_URL" in page
    assert "0 runs" in page
    assert "Compare curves" not in page
    assert http.get("/local/none").status_code == 404


def test_links_in_a_notebook_stay_in_its_frame(http: httpx.Client) -> None:
    page = http.get(TABLE, params={"jupyter": "true"}).text
    assert 'class="frame"' not in page
    found = re.findall(r'href="(\?[^"]*)"', page)
    assert found
    assert all("jupyter=true" in each for each in found)
    assert page.count('name="jupyter" value="true"') == 2


def test_a_page_reads_its_own_runs_and_for_its_columns_the_newest(
    http: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    original = runs.by_numbers

    def counted(connection: sqlite3.Connection, numbers: list[int], *, crash_before: str) -> list[Run]:
        seen.append(len(numbers))
        return original(connection, numbers, crash_before=crash_before)

    monkeypatch.setattr(runs, "by_numbers", counted)
    for query, expected in (
        ("", [SIZE]),
        ("?order=-config.lr", [SIZE, SIZE]),
        ("?order=-config.lr&column=state", [SIZE]),
    ):
        seen.clear()
        http.get(TABLE + query)
        assert seen == expected


# Overlays


def chosen(page: str) -> list[str]:
    return re.findall(r'<li><a href="[^"]*/runs/([^"]*)">', page)


def test_runs_are_named_by_commas_or_one_by_one(http: httpx.Client) -> None:
    for query in ("runs=r001,r002", "runs=r001&runs=r002", "runs=r001,,r002,&runs=", "runs=r001,r002,r001"):
        assert chosen(http.get(f"{TABLE}?{query}").text) == ["r001", "r002"]
    assert chosen(http.get(f"{ODD}?runs=a,b").text) == ["a%2Cb"]
    assert chosen(http.get(f"{ODD}?runs=a,b&runs=bare").text) == ["a%2Cb", "bare"]
    assert len(names(http.get(f"{TABLE}?runs=").text)) == SIZE


def test_runs_that_are_gone_are_named(http: httpx.Client) -> None:
    page = http.get(f"{TABLE}?runs=r001,gone")
    assert chosen(page.text) == ["r001"]
    assert problems(page.text) == ["Not found: "]
    assert "<bdi>gone</bdi>" in page.text
    assert http.get(f"{TABLE}?runs=gone").status_code == 404


def test_keys_that_no_run_has_are_named(http: httpx.Client) -> None:
    page = http.get(f"{ODD}?runs=a,b&keys=x,y,z&keys=none").text
    assert "<bdi>x, y, none</bdi>" in page
    assert 'data-keys="[&#34;z&#34;]"' in page
    page = http.get(f"{ODD}?runs=a,b&keys=x,y&keys=z").text
    assert 'data-keys="[&#34;x,y&#34;, &#34;z&#34;]"' in page


def test_more_runs_than_a_chart_shows_are_behind_a_link(http: httpx.Client) -> None:
    wanted = [f"r{index:03}" for index in range(MOST_RUNS + 9)]
    page = http.get(TABLE, params={"runs": ",".join(wanted), "keys": "loss", "search": "number"}).text
    assert chosen(page) == wanted[:MOST_RUNS]
    assert problems(page)[0].startswith("9 more were chosen")
    rest = re.search(r'<a href="([^"]*)">Show the 9 others', page)
    assert rest is not None
    page = http.get(TABLE + rest[1].replace("&amp;", "&")).text
    assert chosen(page) == wanted[MOST_RUNS:]
    assert 'data-keys="[&#34;loss&#34;]"' in page
    assert f'href="{TABLE}?search=number"' in page


def test_the_front_page_lists_projects_by_their_last_change(http: httpx.Client, tmp_path: Path) -> None:
    page = http.get("/").text
    found = re.findall(r'<th scope="row"><a href="/local/([^"]*)"', page)
    assert set(found) >= {"many", "odd", "empty"}
    assert found[0] == "odd"
    with RunningServer(tmp_path / "data") as server, httpx.Client(base_url=server.url, headers={"Accept": "text/html"}, follow_redirects=True) as client:  # fmt: skip
        assert "No project yet" in client.get(server.page_link("/")).text
