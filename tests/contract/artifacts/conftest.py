"""Fixtures: a project with artifacts on an embedded server."""

from __future__ import annotations

import pytest
from tests.contract.both_clients import Face
from tests.contract.untyped import Untyped

from runql_server.running import RunningServer
from runql_server.seed import SeedRun
from runql_server.seed_artifacts import SeedArtifact

FILES = {
    "train.csv": b"a,b\n1,2\n",
    "deep/er/x.bin": bytes(range(256)) * 400,
    "copy.csv": b"a,b\n1,2\n",
    "empty": b"",
}


@pytest.fixture
def api(server: RunningServer, face: Face) -> Untyped:
    return face.api(server.url, server.api_key)


@pytest.fixture
def home(server: RunningServer, project: str) -> str:
    """The project's path: two runs, three versions of a dataset, one model."""
    server.seed(
        project, [SeedRun(name="maker", config={"lr": 0.1}), SeedRun(name="reader"), SeedRun(name="idle")]
    )
    server.seed_artifacts(
        project,
        [
            SeedArtifact(name="rows", files={"train.csv": b"a,b\n"}, tags=("small",), logged_by="maker"),
            SeedArtifact(
                name="rows",
                files=FILES,
                aliases=("best",),
                tags=("small", "clean rows"),
                description="the rows",
                metadata={"rows": 1, "source": {"kind": "sensor"}},
                logged_by="maker",
                used_by=("reader",),
            ),
            SeedArtifact(name="rows", files={"train.csv": b"a,b\n3,4\n"}, logged_by="reader"),
            SeedArtifact(
                name="net", type="model", files={"weights": b"w"}, logged_by="reader", storage_layout="V1"
            ),
        ],
    )
    server.clear()
    return f"{server.entity}/{project}"
