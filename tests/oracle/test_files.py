"""Both official SDKs read a file that runql uploads to a run."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.oracle.sdk import VERSIONS, call, interpreter

from runql import Api
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

pytestmark = pytest.mark.oracle


@pytest.mark.parametrize("variable", VERSIONS)
def test_the_sdk_reads_what_runql_put(variable: str, tmp_path: Path) -> None:
    python = interpreter(variable)
    content = "loss, 0.5\n" * 10_000
    (tmp_path / "d").mkdir()
    (tmp_path / "d/x.txt").write_text(content)
    with RunningServer() as server, Api(base_url=server.url, api_key=server.api_key) as api:
        (run_id,) = server.seed("oracle", [SeedRun()])
        path = f"{server.entity}/oracle/{run_id}"
        put = api.run(path).upload_file(tmp_path / "d/x.txt", tmp_path)
        printed = call(python, "read_file.py", path, str(tmp_path / "there"), server=server, folder=tmp_path)
        assert str([("d/x.txt", put.size, put.md5)]) in printed
        assert (tmp_path / "there/d/x.txt").read_text() == content
