"""The two libraries, and the awaited face of ours, behind the few names by which they are entered."""

from __future__ import annotations

import importlib
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, TypeAlias

Name: TypeAlias = Literal["wandb", "runql", "runql-awaited"]
Entered: TypeAlias = Any  # Any: whatever the library gives


class Library:
    """How a library is entered.

    Attributes:
        Api: its entry point.
        Run: its class of runs.
        Runs: its class of lists of runs.
    """

    def __init__(self, api: Entered, run: Entered, runs: Entered) -> None:
        self.Api = api
        self.Run = run
        self.Runs = runs
        self._opened: list[Entered] = []

    def api(self, overrides: Mapping[str, str] | None = None) -> Entered:
        """A new entry point: what one call has cached, the next one must not find."""
        opened = self.Api(overrides)
        self._opened.append(opened)
        return opened

    def close(self) -> None:
        """Close the entry points that can be closed; the official SDK has no such thing."""
        while self._opened:
            close = getattr(self._opened.pop(), "close", None)
            if close is not None:
                close()

    def client(self, api: Entered) -> Entered:
        """What `Run` and `Runs` are made with: `client`, as documented; the newest official SDK renamed it."""
        return getattr(api, "client", None) or api._service_api


@contextmanager
def entered(name: str) -> Generator[Library]:
    """A library, imported; see `Name` for what it may be called."""
    if name == "wandb":
        public = importlib.import_module("wandb.apis.public")
        yield Library(public.Api, public.Run, public.Runs)
    elif name == "runql":
        runql = importlib.import_module("runql")
        yield Library(runql.Api, runql.Run, runql.Runs)
    else:
        awaited = importlib.import_module("tests.conformance.async_as_sync")
        runql = importlib.import_module("runql")
        with awaited.loop() as used:
            yield Library(used(runql.AsyncApi), used(runql.AsyncRun), used(runql.AsyncRuns))
