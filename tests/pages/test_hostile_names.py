"""Names and values that anybody logs: in every page nothing of them runs, and nothing breaks the layout."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect
from tests.pages.looking import open_page, overflow

from runql_server.access import auth
from runql_server.lenient_json import JsonInput, JsonObject
from runql_server.running import RunningServer
from runql_server.seed import SeedRun
from runql_server.storage import projects
from runql_server.sweeps import sweeps
from runql_server.sweeps.sweeps import SweepChange

LONG = "long-" * 200_000
NAMES = [
    "<script>globalThis.ran = 1</script>",
    "</script><script>globalThis.ran = 1</script>",
    "</title></textarea></style><script>globalThis.ran = 1</script>",
    "<img src=x onerror='globalThis.ran = 1'>",
    "\"><svg onload='globalThis.ran = 1'>",
    "' onfocus='globalThis.ran = 1' autofocus x='",
    '<b>bold</b><a href="javascript:globalThis.ran=1">click</a>',
    "%{x} %{customdata[0]} {{ 7 * 7 }} ${7 * 7}",
    "<extra></extra><br>$\\frac{1}{2}$",
    "\u202eright to left\u202c \u2066isolated",
    "zero\u200bwidth \x00\x07\x1b[31m bell",
    "&lt;script&gt; &amp; &#60;b&#62;",
    "javascript:globalThis.ran=1",
    LONG,
]  # fmt: skip
SHORT = NAMES[:-1]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("hostile") / "data") as server:
        parameters = {name[:200]: {"values": [1, 2]} for name in SHORT}
        config = {"method": "grid", "metric": {"name": NAMES[0]}, "parameters": parameters, "name": NAMES[1]}
        project = "<svg onload='globalThis.ran = 1'>"
        with server.store.writing() as connection:
            user = auth.user_number(connection)
            home = projects.ensure(connection, "local", "p", user=user)
            number = sweeps.create(connection, home, json.dumps(config))
            connection.execute("UPDATE sweeps SET name = 'sweep'")
            sweeps.change(connection, number, SweepChange(display_name=NAMES[3] + LONG, state="FINISHED"))
            connection.execute("UPDATE projects SET description = ?", (" ".join(NAMES),))
            projects.ensure(connection, "local", project, user=user)
        values: dict[str, JsonInput] = {name: name for name in NAMES}
        numbers: JsonObject = {name: index for index, name in enumerate(NAMES)}
        server.seed(
            "p",
            [
                SeedRun(
                    name=name[:100].translate(str.maketrans("/\\#?%:\0\r\n", "_________"))
                    if index
                    else "first",
                    display_name=name,
                    notes=name,
                    tags=(name, "plain"),
                    group=name,
                    job_type=name,
                    host=name,
                    sweep="sweep",
                    config={**values, **{name[:200]: name if index % 2 else 1 for name in SHORT}},
                    summary=numbers,
                    history=[numbers, numbers],
                    events=[{"_timestamp": 1, "_runtime": 1, f"system.{name}": 1} for name in SHORT],
                )
                for index, name in enumerate(NAMES)
            ],
        )
        yield server


PAGES = {
    "front": "/",
    "project": "/local/p",
    "columns": "/local/p?column=notes&column=group&column=tags&column=name&"
    + "&".join(f"column={quote('config.' + name)}" for name in SHORT),
    "query": "/local/p?"
    + "&".join(f"field={quote(name)}&operator={quote(name)}&value={quote(name)}" for name in SHORT),
    "order": f"/local/p?order={quote('-config.' + NAMES[0])}&search={quote('<')}",
    "run": "/local/p/runs/first",
    "overlay": f"/local/p?runs=first&runs={quote(NAMES[3])}&keys={quote(NAMES[4])}&keys={quote(NAMES[0])}",
    "sweeps": "/local/p/sweeps",
    "sweep": "/local/p/sweeps/sweep",
    "unknown": f"/local/{quote(NAMES[3])}",
}


@pytest.mark.parametrize("page", PAGES)
def test_nothing_runs_and_nothing_breaks_the_layout(tab: Page, server: RunningServer, page: str) -> None:
    if page == "unknown":
        # Chromium notes the status 404 of a page on its console; the tab is there for its content.
        tab.route(
            "**/local/*", lambda route: route.fulfill(response=route.fetch(max_redirects=0), status=200)
        )
        tab.context.request.get(server.page_link("/"))
        tab.goto(f"{server.url}{PAGES[page]}")
    else:
        open_page(tab, server, PAGES[page])
    expect(tab.locator("main")).to_be_visible()
    if page in {"run", "overlay"}:
        expect(tab.locator("figure[data-drawn]").first).to_be_visible()
        tab.get_by_label("in one chart").first.check()
        expect(tab.locator("figure[data-drawn] .legendtext").first).to_be_visible()
    if page == "sweep":
        expect(tab.locator("#parallel[data-drawn]")).to_be_visible()
    found = tab.evaluate(
        """() => ({
            ran: globalThis.ran ?? null,
            images: document.querySelectorAll('main img, main svg[onload], main image').length,
            links: [...document.links, ...document.querySelectorAll('svg a')]
                .map((link) => link.getAttribute('href') ?? link.getAttribute('xlink:href') ?? '')
                .filter((address) => !/^([/?#]|$)/.test(address)),
            scripts: [...document.scripts].filter((script) => !script.src).length,
            handlers: [...document.querySelectorAll('main *')]
                .filter((each) => [...each.attributes].some((one) => one.name.startsWith('on'))).length,
            bold: document.querySelectorAll('main b, svg tspan[style*=bold]').length,
            hidden: [...document.querySelector('main').innerText].filter((each) => /[\\u202a-\\u202e\\u2066-\\u2069\\u200b]/u.test(each)).length,
        })"""
    )
    assert found == {
        "ran": None,
        "images": 0,
        "links": [],
        "scripts": 0,
        "handlers": 0,
        "bold": 0,
        "hidden": 0,
    }
    assert overflow(tab) == 0
    heights: list[float] = tab.evaluate(
        "[...document.querySelectorAll('main tr, main figure, main h1')].map((each) => each.getBoundingClientRect().height)"
    )
    assert max(heights, default=0) < 1500
    tab.set_viewport_size({"width": 360, "height": 700})
    assert overflow(tab) == 0


@pytest.mark.parametrize("page", ["front", "project", "columns", "query", "sweeps", "sweep", "overlay"])
def test_a_page_with_long_strings_is_of_bounded_size(tab: Page, server: RunningServer, page: str) -> None:
    open_page(tab, server, "/")
    response = tab.request.get(f"{server.url}{PAGES[page]}", headers={"Accept": "text/html"})
    assert response.status == 200
    assert len(response.body()) < 1_000_000
