"""Runs the command: as a process, as people do, or in this process, which is quicker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Protocol

from tests.patience import PATIENCE
from typer.testing import CliRunner

from runql.cli.commands import app

COMMAND = [sys.executable, "-m", "runql.cli.main"]


class Server(Protocol):
    """A server to ask."""

    @property
    def url(self) -> str: ...
    @property
    def api_key(self) -> str: ...


def settings_of(server: Server) -> dict[str, str]:
    """The variables by which the command finds a server."""
    return {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": server.api_key}


def environment(server: Server | None, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables of a process: none of W&B's but those of the server, and no width of a terminal."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB_", "COLUMNS"))}
    return {**kept, **(settings_of(server) if server else {}), **(env or {})}


def run(
    *arguments: str, server: Server | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environment(server, env),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


class Done:
    """A command that ran in this process: its exit code, and both of its outputs."""

    def __init__(self, *arguments: str, server: Server | None, env: Mapping[str, str] | None = None) -> None:
        unset = {name: None for name in os.environ if name.startswith(("WANDB_", "COLUMNS"))}
        known = settings_of(server) if server else {}
        result = CliRunner().invoke(app, arguments, env={**unset, **known, **(env or {})})
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        self.code: int = result.exit_code
        self.stdout: str = result.stdout
        self.stderr: str = result.stderr

    @property
    def rows(self) -> list[dict[str, object]]:
        """The lines of jsonl."""
        assert self.code == 0, self.stderr
        return [json.loads(line) for line in self.stdout.splitlines()]

    @property
    def said(self) -> str:
        """Stderr: one line, and perhaps two that show the place of a mistake. Nothing came to stdout."""
        assert self.stdout == ""
        _, *below = self.stderr.splitlines()
        assert not below or (len(below) == 2 and below[1].strip() == "^")
        return self.stderr.rstrip("\n")
