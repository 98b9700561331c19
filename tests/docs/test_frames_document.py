"""The code of docs/frames.md runs as it is written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runql import JSONValue
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

DOCUMENT = Path(__file__).parents[2] / "docs" / "frames.md"
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)


def test_the_code_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    config: dict[str, JSONValue] = {"optimizer": {"lr": 0.1}, "seed": 3}
    rows = [{"_step": step, "loss": 0.5} for step in range(3)]
    with RunningServer() as server:
        server.seed("digits", [SeedRun(name="first", config=config, summary={"acc": 1}, history=rows)])
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        monkeypatch.setenv("WANDB_API_KEY", server.api_key)
        blocks = BLOCK.findall(DOCUMENT.read_text("utf-8"))
        assert len(blocks) == 3
        exec("\n".join(blocks).replace("team/", f"{server.entity}/"), {})
