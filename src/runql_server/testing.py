"""The pytest plugin: a fresh W&B server for each test, a shared one with the sample project, and the types of both."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from runql_server.running import RunningServer
    from runql_server.sample import Sample
    from runql_server.seed import SeedRun

__all__ = ["RunningServer", "Sample", "SeedRun", "sample_server", "wandb_server"]

_MODULE_OF: Final = {
    "RunningServer": "runql_server.running",
    "Sample": "runql_server.sample",
    "SeedRun": "runql_server.seed",
}


# pytest loads this plugin in every project that has runql installed, so the server is imported on first use.
def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULE_OF[name]), name)


@contextmanager
def _naming_the_extra(fixture: str) -> Generator[None]:
    """Fail the test with the command that installs the server, where one of its libraries is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "runql_server":
            raise
        pytest.fail(
            f"the fixture {fixture} needs {error.name}, which is not installed: pip install 'runql[server]'",
            pytrace=False,
        )


@pytest.fixture
def wandb_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningServer]:
    """Start an empty embedded server, and set ``WANDB_BASE_URL`` and ``WANDB_API_KEY`` for the test."""
    # A late import: pytest loads this plugin in every project that has runql installed.
    with _naming_the_extra("wandb_server"):
        from runql_server.running import RunningServer  # noqa: PLC0415 - see above

    with RunningServer(tmp_path / "wandb-server") as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        monkeypatch.setenv("WANDB_API_KEY", server.api_key)
        yield server


@pytest.fixture(scope="session")
def sample_server() -> Iterator[Sample]:
    """Start a server with the sample project, once per session; tests must not change its data."""
    with _naming_the_extra("sample_server"):
        from runql_server.sample import start  # noqa: PLC0415 - as above

    with start() as sample:
        yield sample
