"""Without the extra `pages` the same pages show tables, and say how to get curves."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.pages.looking import open_page, overflow, serious

from runql_server.access import auth
from runql_server.pages import rendering
from runql_server.running import RunningServer
from runql_server.seed import SeedRun
from runql_server.storage import projects
from runql_server.sweeps import sweeps

CONFIG = {"method": "grid", "metric": {"name": "loss"}, "parameters": {"lr": {"values": [1, 2]}}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    caches = (rendering.has_charts, rendering._environment)  # pyright: ignore[reportPrivateUsage] - the templates know it
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(sys.modules, "plotly", None)
        for cache in caches:
            cache.cache_clear()
        with RunningServer(tmp_path_factory.mktemp("plain") / "data") as server:
            with server.store.writing() as connection:
                user = auth.user_number(connection)
                project = projects.ensure(connection, "local", "p", user=user)
                number = sweeps.create(connection, project, json.dumps(CONFIG))
                name = sweeps.by_number(connection, number).name
                connection.execute("UPDATE sweeps SET name = 'sweep'")
            assert name
            rows = [{"loss": 3, "acc": 0.5}, {"loss": 1.25}]
            server.seed("p", [SeedRun(name="a", display_name="first", sweep="sweep", config={"lr": 1}, summary={"loss": 1.25}, history=rows), SeedRun(name="b", display_name="second", history=[{"loss": 7}])])  # fmt: skip
            yield server
    for cache in caches:
        cache.cache_clear()


@pytest.mark.parametrize(
    ("path", "cells"),
    [
        ("/local/p/runs/a", ["loss", "2", "1.25"]),
        ("/local/p?runs=a,b", ["loss", "1.25", "7"]),
        ("/local/p/sweeps/sweep", ["first", "finished", "1", "1.25"]),
    ],
)
def test_a_page_has_a_table_and_says_how_to_get_curves(
    tab: Page, server: RunningServer, path: str, cells: list[str]
) -> None:
    asked: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    open_page(tab, server, path)
    expect(tab.locator("main")).to_contain_text("pip install 'runql[pages]'")
    rows = [row.locator("th, td").all_inner_texts() for row in tab.locator("tbody tr").all()]
    assert cells in rows
    assert not [url for url in asked if "plotly" in url or "charts.js" in url or "parallel.js" in url]
    assert (overflow(tab), serious(tab)) == (0, [])


def test_the_library_is_not_found(tab: Page, server: RunningServer) -> None:
    open_page(tab, server, "/")
    response = tab.request.get(f"{server.url}{rendering.STATIC}/plotly.min.js")
    assert response.status == 404
    assert "runql[pages]" in response.text()


def test_the_table_of_a_project_needs_no_library(tab: Page, server: RunningServer, tmp_path: Path) -> None:
    open_page(tab, server, "/local/p")
    expect(tab.locator("table.runs tbody tr")).to_have_count(2)
    expect(tab.locator("main")).not_to_contain_text("pip install")
