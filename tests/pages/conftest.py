"""Pages in Debian's Chromium, by Playwright: each test fails on what the browser's console complains about."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, expect, sync_playwright
from tests.patience import PATIENCE

from runql_server.running import RunningServer
from runql_server.sample import NEVER_CRASH, unpack

_NAMES = ("chromium", "chromium-browser", "google-chrome")
# Plotly holds MapLibre, which tries to add a style when it loads; the policy forbids it, and no chart needs it.
_KNOWN = "sha256-ji27qzEtxXZW+7dun6UwjHXJ18e6WAin1VvNtkzIE/o="

expect.set_options(timeout=1000 * PATIENCE)

# A name that somebody else owns, and that leads to this machine.
_REBOUND = "--host-resolver-rules=MAP rebound.example 127.0.0.1"


@pytest.fixture(scope="session")
def chromium() -> str:
    """Find the browser; `make browser` installs it."""
    found = next((path for name in _NAMES if (path := shutil.which(name)) is not None), None)
    if found is None:
        pytest.fail("these tests need Chromium: make browser", pytrace=False)
    return found


@pytest.fixture(scope="package")
def browser(chromium: str) -> Iterator[Browser]:
    """Start Chromium once for this folder: Playwright keeps an event loop running, where other tests start theirs."""
    with sync_playwright() as playwright:
        # The sandbox of the browser needs a user who is not root; everything that it opens is on loopback.
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", _REBOUND])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Serve the sample project; tests only read it."""
    data_dir: Path = tmp_path_factory.mktemp("sample") / "data"
    unpack(data_dir)
    with RunningServer(data_dir, crash_after=NEVER_CRASH) as server:
        yield server


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    """Open a tab of its own; what the console of the browser reports as a problem fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB", timezone_id="UTC")
    context.set_default_timeout(1000 * PATIENCE)
    problems: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and _KNOWN not in message.text:
            problems.append(f"{message.type}: {message.text}")

    def close(dialog: Dialog) -> None:
        problems.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    context.on("console", note)
    context.on("dialog", close)
    context.on("weberror", lambda error: problems.append(str(error.error)))
    yield context.new_page()
    context.close()
    assert problems == []
