"""Every URL that the client's classes state opens in a browser that is signed in."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from runql import Api
from runql_server.running import RunningServer

PROJECT = "local/digits"


@pytest.fixture(scope="module")
def api(sample: RunningServer) -> Iterator[Api]:
    with Api(base_url=sample.url, api_key=sample.api_key) as api:
        yield api


def pages_of(api: Api) -> Iterator[tuple[str, str]]:
    """Yield the URLs of pages, and what the heading says."""
    for project in api.projects("local"):
        yield project.url, project.name
    runs = list(api.runs(PROJECT))
    assert len(runs) == 28
    for run in runs:
        yield run.url, run.name or run.id
    for sweep in api.project(PROJECT).sweeps():
        yield sweep.url, sweep.id
    for kind in api.artifact_types(PROJECT):
        for collection in kind.collections():
            for artifact in collection.artifacts():
                yield artifact.url, f"{collection.name}:{artifact.version}"


def test_every_page_opens(tab: Page, sample: RunningServer, api: Api) -> None:
    tab.goto(sample.page_link("/"))
    found = dict(pages_of(api))
    assert len(found) > 50
    for url, heading in found.items():
        response = tab.request.get(url)
        assert response.status == 200, url
        assert heading in response.text(), url
    # One of each kind in a tab: the rest of a kind has the same template.
    for part in ("workspace", "/runs/", "/sweeps/", "/artifacts/"):
        url = next(each for each in found if part in each)
        tab.goto(url)
        expect(tab.get_by_role("heading", level=1)).to_contain_text(found[url])


def test_every_file_opens(tab: Page, sample: RunningServer, api: Api) -> None:
    tab.goto(sample.page_link("/"))
    for run in (api.run(f"{PROJECT}/mlp07"), api.run(f"{PROJECT}/sgd00")):
        files = list(run.files())
        assert len(files) >= 4
        for file in files:
            for url in (file.url, file.direct_url):
                assert url is not None
                response = tab.request.get(url)
                assert (response.status, len(response.body())) == (200, file.size), url
                assert response.headers["content-security-policy"].startswith("sandbox;"), url
    artifact = api.artifact(f"{PROJECT}/mlp:v7")
    found = list(artifact.files())
    assert found
    for each in found:
        assert each.url is not None
        response = tab.request.get(each.url)
        assert (response.status, len(response.body())) == (200, each.size), each.url
        assert each.name in response.headers["content-disposition"], each.url
    picture = next(file for file in api.run(f"{PROJECT}/mlp07").files() if file.name.endswith(".png"))
    tab.goto(picture.url or "")
    assert tab.evaluate("document.images[0].naturalWidth") == 60


def test_no_url_opens_without_a_session(tab: Page, api: Api) -> None:
    run = api.run(f"{PROJECT}/mlp07")
    for url in (run.url, next(iter(run.files())).url or "", api.project(PROJECT).url):
        response = tab.request.get(url, headers={"Accept": "text/html"})
        assert response.status == 401
        assert "Sign in" in response.text()
        assert urlsplit(response.url).path == urlsplit(url).path
