"""A link with a token starts a session; without one, a browser gets a form and no data."""

from __future__ import annotations

import re

import httpx
import pytest
from playwright.sync_api import Page, expect

from runql_server.running import RunningServer

HTML = {"Accept": "text/html"}


def test_a_link_signs_in_once(tab: Page, sample: RunningServer) -> None:
    link = sample.page_link("/")
    tab.goto(link)
    expect(tab.get_by_role("heading", name="Projects")).to_be_visible()
    assert tab.url == f"{sample.url}/"
    tab.goto(link)
    expect(tab.get_by_role("heading", name="Projects")).to_be_visible()
    tab.context.clear_cookies()
    refused = httpx.get(link, headers=HTML)
    assert refused.status_code == 401
    assert "it works once" in refused.text


def test_the_session_is_out_of_reach_of_scripts(tab: Page, sample: RunningServer) -> None:
    tab.goto(sample.page_link("/"))
    assert tab.evaluate("document.cookie") == ""
    found = {
        each.get("name", "").rpartition("_")[0]: (each.get("sameSite"), each.get("httpOnly"))
        for each in tab.context.cookies()
    }
    assert found == {"runql_session": ("Lax", True), "runql_framed_session": ("None", True)}


def test_the_form_takes_an_api_key(tab: Page, sample: RunningServer) -> None:
    # Chromium notes the status 401 of a page on its console.
    with httpx.Client(base_url=sample.url, headers=HTML) as client:
        page = client.get("/?a=1&b=2")
        assert page.status_code == 401
        target = re.search('name="next" value="([^"]*)"', page.text)
        assert target is not None
        assert target[1] == "/?a=1&amp;b=2"
        wrong = client.post("/-/sign-in", data={"key": "x" * 40, "next": "/"})
        assert wrong.status_code == 401
        assert "does not know the key" in wrong.text
        right = client.post("/-/sign-in", data={"key": sample.api_key, "next": "/?a=1"})
        assert (right.status_code, right.headers["location"]) == (303, "/?a=1")
        assert client.get("/").status_code == 200


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "",
    ],
)
def test_a_session_never_leads_elsewhere(sample: RunningServer, target: str) -> None:
    response = httpx.post(f"{sample.url}/-/sign-in", data={"key": sample.api_key, "next": target})
    assert response.headers["location"] == "/"


def test_no_other_site_sends_the_form(sample: RunningServer) -> None:
    data = {"key": sample.api_key, "next": "/"}
    response = httpx.post(f"{sample.url}/-/sign-in", data=data, headers={"Sec-Fetch-Site": "cross-site"})
    assert response.status_code == 403
    assert "set-cookie" not in response.headers


def test_a_session_changes_nothing(sample: RunningServer) -> None:
    with httpx.Client(base_url=sample.url, headers=HTML) as client:
        client.get(sample.page_link("/"))
        assert client.get("/").status_code == 200
        assert client.post("/graphql", json={"query": "{ viewer { id } }"}).status_code == 401


@pytest.mark.parametrize("cookie", ["", ".", "1", "1.9999999999", "1.9999999999.00", "9" * 5000, "1..x"])
def test_a_forged_session_is_none(sample: RunningServer, cookie: str) -> None:
    port = sample.url.rpartition(":")[2]
    response = httpx.get(f"{sample.url}/", headers={**HTML, "Cookie": f"runql_session_{port}={cookie}"})
    assert response.status_code == 401


def test_a_program_gets_the_greeting(sample: RunningServer) -> None:
    assert "WANDB_BASE_URL" in httpx.get(sample.url).text
