"""A notebook cell that ends in a run shows its curves: the page is in a frame of a real JupyterLab."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect
from tests.pages.jupyter import jupyter_lab, write_notebook

from runql import Api
from runql_server.running import RunningServer

pytestmark = pytest.mark.nightly

RUN = "local/digits/mlp07"
HOSTS = ("127.0.0.1", "localhost")


@pytest.fixture(scope="module")
def lab(sample: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Serve notebooks, each with a frame of the run's page at another name of this machine."""
    python = Path(os.environ.get("RUNQL_JUPYTER", Path(__file__).parents[2] / ".venv-jupyter/bin/python"))
    if not python.exists():
        pytest.fail("these tests need JupyterLab: make .venv-jupyter/.ready", pytrace=False)
    folder = tmp_path_factory.mktemp("notebooks")
    for host in HOSTS:
        with Api(base_url=at(sample.url, host), api_key=sample.api_key) as api:
            write_notebook(folder / f"{host}.ipynb", api.run(RUN).to_html())
    with jupyter_lab(python, folder) as port:
        yield port


def at(url: str, host: str) -> str:
    return url.replace("127.0.0.1", host)


@pytest.fixture
def ordinary(browser: Browser, chromium: str, tmp_path: Path) -> Iterator[Page]:
    """Open a tab of a profile that sends cookies to frames of other sites."""
    preferences = tmp_path / "profile" / "Default" / "Preferences"
    preferences.parent.mkdir(parents=True)
    preferences.write_text(json.dumps({"profile": {"cookie_controls_mode": 0}}), "utf-8")
    context = browser.browser_type.launch_persistent_context(
        tmp_path / "profile", executable_path=chromium, args=["--no-sandbox"]
    )
    yield context.new_page()
    context.close()


@pytest.fixture
def private(browser: Browser) -> Iterator[Page]:
    """Open a tab of a private window: it blocks cookies of other sites."""
    context = browser.new_context()
    yield context.new_page()
    context.close()


def frame_of(page: Page, lab: int, *, notebook_host: str, server_host: str) -> FrameLocator:
    page.goto(f"http://{notebook_host}:{lab}/lab/tree/{server_host}.ipynb")
    return page.frame_locator(f".jp-OutputArea iframe[src^='http://{server_host}']")


@pytest.mark.parametrize(("notebook_host", "server_host"), [HOSTS, HOSTS[::-1]])
def test_the_frame_shows_the_runs_curves(
    ordinary: Page, sample: RunningServer, lab: int, notebook_host: str, server_host: str
) -> None:
    ordinary.goto(at(sample.page_link("/"), server_host))
    frame = frame_of(ordinary, lab, notebook_host=notebook_host, server_host=server_host)
    expect(frame.get_by_role("heading", name="mlp lr=0.2 hidden=96")).to_be_visible()
    curve = frame.locator("figure", has_text="grad_norm")
    expect(curve).to_have_attribute("data-complete", "true")
    assert int(curve.get_attribute("data-drawn") or 0) > 100
    expect(curve.locator(".scatterlayer path.js-line").first).to_be_attached()
    expect(frame.locator("header.frame")).to_have_count(0)


def test_a_frame_without_a_session_signs_in(private: Page, sample: RunningServer, lab: int) -> None:
    frame = frame_of(private, lab, notebook_host="localhost", server_host="127.0.0.1")
    frame.get_by_label("API key").fill(sample.api_key)
    frame.get_by_role("button", name="Sign in").click()
    expect(frame.locator("figure", has_text="grad_norm")).to_have_attribute("data-complete", "true")
    expect(frame.locator("header.frame")).to_have_count(0)
