"""Errors in a browser are pages that lead back; a program gets the same errors as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest
from playwright.sync_api import Page, expect
from tests.pages import hostile
from tests.pages.looking import open_page, overflow, serious

from runql_server.running import RunningServer

BROWSER: Final = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
UNKNOWN: Final = "/local/digits/nothing/here/at/all"
FILE: Final = "/files/local/digits/mlp07/none.txt"


@pytest.fixture
def client(sample: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=sample.url, headers={"Accept": BROWSER}, trust_env=False) as client:
        yield client


@pytest.fixture
def reader(client: httpx.Client, sample: RunningServer) -> httpx.Client:
    """Read as a browser that is signed in."""
    client.get(sample.page_link("/"))
    return client


def check_is_page(response: httpx.Response, status: int, *parts: str) -> None:
    assert response.status_code == status
    assert response.headers["content-type"].startswith("text/html")
    assert response.headers["content-security-policy"].startswith("default-src 'self';")
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["cache-control"] == "no-store"
    for part in ('<a href="/">', *parts):
        assert part in response.text


def test_an_unknown_route_is_named(reader: httpx.Client) -> None:
    check_is_page(reader.get(UNKNOWN), 404, "<h1>Not Found</h1>", f"no page at {UNKNOWN}")


def test_what_is_not_there_is_named(reader: httpx.Client) -> None:
    check_is_page(reader.get("/local/digits/runs/gone"), 404, "run local/digits/gone not found")
    check_is_page(reader.get(FILE), 404, "none.txt")


def test_a_method_that_a_page_does_not_take(reader: httpx.Client) -> None:
    response = reader.delete("/local/digits")
    check_is_page(response, 405, "/local/digits does not take DELETE.")
    assert sorted(response.headers["allow"].split(", ")) == ["GET", "HEAD"]


def test_a_browser_without_a_key_learns_how_to_sign_in(client: httpx.Client) -> None:
    response = client.post("/graphql", content=b"{}")
    check_is_page(response, 401, "no valid API key", "<code>runql serve</code>")
    assert "<code>runql serve</code>" in client.get("/local/digits").text


def test_what_a_browser_may_not_do(reader: httpx.Client) -> None:
    response = reader.get(
        "/files/local/digits/mlp07/wandb-metadata.json", headers={"Sec-Fetch-Dest": "object"}
    )
    check_is_page(response, 403, "not run it", "<code>runql serve</code>")


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Serve a database that lacks a table."""
    data_dir: Path = tmp_path_factory.mktemp("broken") / "data"
    with RunningServer(data_dir) as server:
        server.seed("demo", [])
        with server.store.writing() as connection:
            connection.execute("DROP TABLE sweeps")
        yield server


def test_a_failure_is_a_page(broken: RunningServer) -> None:
    key = {"Authorization": f"Bearer {broken.api_key}"}
    with httpx.Client(base_url=broken.url, headers={"Accept": BROWSER}, trust_env=False) as client:
        client.get(broken.page_link("/"))
        failed = client.get("/local/demo/sweeps")
    check_is_page(failed, 500, "internal server error: OperationalError", "output of the server")
    assert "DROP" not in failed.text
    query = {"query": '{ project(entityName: "local", name: "demo") { sweeps { edges { node { id } } } } }'}
    response = httpx.post(f"{broken.url}/graphql", json=query, headers=key)
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "accept",
    [
        "*/*",
        "",
        "application/json",
        "application/json, text/html",
        "text/html;q=0.5, application/json",
        "text/html;q=0",
        "text/html;q=nan",
        "text/html;q=-1,*/*;q=0.1",
        "text/htmlx",
        "text/plain",
        ";;,,q=1",
    ],
)
def test_a_program_gets_json(client: httpx.Client, accept: str) -> None:
    response = client.get(UNKNOWN, headers={"Accept": accept})
    assert (response.status_code, response.json()) == (404, {"error": "Not Found"})
    assert response.headers["content-type"] == "application/json"
    assert client.delete("/local/digits", headers={"Accept": accept}).json() == {
        "error": "Method Not Allowed"
    }
    refused = client.post("/graphql", content=b"{}", headers={"Accept": accept})
    assert list(refused.json()) == ["error"]


def test_a_program_with_a_key_gets_json_whatever_it_accepts(
    client: httpx.Client, sample: RunningServer
) -> None:
    for key in (sample.api_key, "x" * 40):
        headers = {"Authorization": f"Bearer {key}"}
        assert client.get(UNKNOWN, headers=headers).json() == {"error": "Not Found"}
        assert list(client.get(FILE, headers=headers).json()) == ["error"]


@pytest.mark.parametrize("accept", ["text/html", "TEXT/HTML;q=0.9, application/json;q=0.8", f"{BROWSER};q=0"])
def test_who_prefers_html_gets_a_page(client: httpx.Client, accept: str) -> None:
    check_is_page(client.get(UNKNOWN, headers={"Accept": accept}), 404)


@pytest.mark.parametrize(
    "name",
    [
        hostile.SCRIPT, hostile.CLOSING, hostile.IMAGE, hostile.QUOTES, hostile.TEMPLATE, hostile.RTL,
        hostile.LINES, "x" * 20_000, "\udcff", "%00", "..%2F..%2F",
    ],
)  # fmt: skip
def test_a_hostile_path_is_escaped(reader: httpx.Client, name: str) -> None:
    path = httpx.QueryParams({"p": name.encode("utf-8", "surrogatepass")[:30_000]})
    quoted = str(path).removeprefix("p=").replace("+", "%20")
    response = reader.get(f"/a/b/c/d/e/{quoted}")
    check_is_page(response, 404)
    assert "<script>" not in response.text.replace("<script src=", "")
    assert "<img" not in response.text
    assert "\u202e" not in response.text
    assert "\x00" not in response.text
    assert "49" not in response.text or "7 * 7" in response.text
    assert len(response.text) < 10_000


def test_the_page_leads_back(tab: Page, sample: RunningServer) -> None:
    open_page(tab, sample, "/")
    # Chromium notes the status of a document on its console: the test sends another one.
    page = httpx.get(sample.url + UNKNOWN, headers={"Accept": BROWSER})
    headers = {
        "Content-Type": "text/html",
        "Content-Security-Policy": page.headers["content-security-policy"],
    }
    tab.route(f"**{UNKNOWN}", lambda route: route.fulfill(status=200, headers=headers, body=page.text))
    tab.goto(sample.url + UNKNOWN)
    assert serious(tab) == []
    tab.set_viewport_size({"width": 360, "height": 800})
    assert (overflow(tab), serious(tab)) == (0, [])
    tab.get_by_role("link", name="All projects").click()
    expect(tab.get_by_role("heading", name="Projects")).to_be_visible()


def test_a_frame_has_no_header(client: httpx.Client) -> None:
    assert "<header" in client.get(UNKNOWN).text
    assert "<header" not in client.get(f"{UNKNOWN}?jupyter=true").text
