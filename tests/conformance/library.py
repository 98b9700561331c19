"""The official SDK, runql and its async client behind the same few names."""

from __future__ import annotations

import importlib
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, Literal, TypeAlias

Name: TypeAlias = Literal["wandb", "runql", "runql-awaited"]
Entered: TypeAlias = Any  # Any: whatever the library gives


class Library:
    """The classes of a library that calls start from.

    Attributes:
        Api: entry point.
        Run: class of runs.
        Runs: class of lists of runs.
    """

    def __init__(self, api: Entered, run: Entered, runs: Entered) -> None:
        self.Api = api
        self.Run = run
        self.Runs = runs
        self._opened: list[Entered] = []

    def api(self, overrides: Mapping[str, str] | None = None) -> Entered:
        """Make a new entry point, so that calls do not share caches."""
        opened = self.Api(overrides)
        self._opened.append(opened)
        return opened

    def close(self) -> None:
        """Close the entry points that have `close`; those of the official SDK do not."""
        while self._opened:
            close = getattr(self._opened.pop(), "close", None)
            if close is not None:
                close()

    def client(self, api: Entered) -> Entered:
        """Return the client for `Run` and `Runs`: `client`, as documented; the newest official SDK renamed it."""
        return getattr(api, "client", None) or api._service_api


@contextmanager
def entered(name: str) -> Generator[Library]:
    """Import a library by its `Name`."""
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
