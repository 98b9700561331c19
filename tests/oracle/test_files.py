"""Both official SDKs read a file that runql uploads to a run."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.patience import PATIENCE

from runql import Api
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

pytestmark = pytest.mark.oracle
READ = """
import sys
import wandb
run = wandb.Api().run(sys.argv[1])
print([(file.name, file.size, file.md5) for file in run.files()])
run.file("d/x.txt").download(root=sys.argv[2]).close()
"""


@pytest.mark.parametrize("variable", ["RUNQL_WANDB_OLD", "RUNQL_WANDB_NEW"])
def test_the_sdk_reads_what_runql_put(variable: str, tmp_path: Path) -> None:
    interpreter = os.environ.get(variable)
    if not interpreter:
        pytest.skip(f"{variable} names no interpreter with the official SDK: use `make test`")
    content = "loss, 0.5\n" * 10_000
    (tmp_path / "d").mkdir()
    (tmp_path / "d/x.txt").write_text(content)
    with RunningServer() as server, Api(base_url=server.url, api_key=server.api_key) as api:
        (run_id,) = server.seed("oracle", [SeedRun()])
        path = f"{server.entity}/oracle/{run_id}"
        put = api.run(path).upload_file(tmp_path / "d/x.txt", tmp_path)
        environment = {
            **os.environ,
            "WANDB_BASE_URL": server.url,
            "WANDB_API_KEY": server.api_key,
            "WANDB_ERROR_REPORTING": "false",
            "WANDB_DIR": str(tmp_path),
        }
        done = subprocess.run(
            [interpreter, "-c", READ, path, str(tmp_path / "there")],
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr
        assert str([("d/x.txt", put.size, put.md5)]) in done.stdout
        assert (tmp_path / "there/d/x.txt").read_text() == content
