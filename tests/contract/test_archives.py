"""An export and an import on both clients: how many requests they send, and what they say of what cannot be read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.contract.both_clients import Face
from tests.contract.untyped import Untyped, taken

from runql import Row
from runql.archive import exporting
from runql.archive.histories import LongHistory, read_short
from runql.errors import IncompleteHistoryError
from runql.paths import RunAddress
from runql.transport.flow import Flow
from runql_graphql.input_types import LinkArtifactInput, UpsertSweepInput
from runql_graphql.operations import create_sweep, link_artifact
from runql_server.lenient_json import JsonInput
from runql_server.running import RunningServer
from runql_server.seed import SeedRun
from runql_server.seed_artifacts import SeedArtifact

RUNS = 120


def _sent(server: RunningServer) -> dict[str, int]:
    counted = Counter(request.operation or f"{request.method} file" for request in server.requests)
    return dict(sorted(counted.items()))


def _seed(server: RunningServer) -> None:
    server.seed(
        "p",
        [
            SeedRun(
                name=f"r{i:03}",
                history=[{"loss": i / 7, "n": j} for j in range(3)],
                events=[{"system.cpu": i}],
            )
            for i in range(RUNS)
        ],
    )


def test_runs_are_exported_fifty_in_three_requests(
    face: Face, wandb_server: RunningServer, tmp_path: Path
) -> None:
    _seed(wandb_server)
    api: Untyped = face.api(wandb_server.url, wandb_server.api_key)
    project = taken(face, api.project("local/p"))
    wandb_server.clear()
    archive = taken(face, project.export(tmp_path / "a"))
    assert archive.counts["history rows"] == 3 * RUNS
    assert _sent(wandb_server) == {
        "GetProject": 1,
        "ListFullRuns": 3,
        "ListRunExtras": 3,
        "ListSweeps": 1,
        "ListWholeHistories": 3,
    }
    wandb_server.clear()
    assert taken(face, project.export(tmp_path / "a")).counts == archive.counts
    assert _sent(wandb_server) == {}


def test_an_import_sends_four_requests_a_run(face: Face, wandb_server: RunningServer, tmp_path: Path) -> None:
    _seed(wandb_server)
    api: Untyped = face.api(wandb_server.url, wandb_server.api_key)
    taken(face, taken(face, api.project("local/p")).export(tmp_path / "a"))
    wandb_server.clear()
    report = taken(face, api.import_project(tmp_path / "a", "local/q"))
    assert report.counts["runs"] == RUNS
    assert report.left_out == []
    assert _sent(wandb_server) == {
        "CreateProject": 1,
        "CreateRun": RUNS,
        # Rows, metrics of the machine, and the end.
        "POST file": 3 * RUNS,
        "GetProject": 2,
    }


def test_everything_of_a_project_comes_back(face: Face, wandb_server: RunningServer, tmp_path: Path) -> None:
    api: Untyped = face.api(wandb_server.url, wandb_server.api_key)
    config = "method: grid\nparameters: {lr: {values: [1, 2]}}\n"
    wanted = UpsertSweepInput(
        entityName="local", projectName="p", config=config, displayName="s", description="d"
    )
    made = taken(face, api.client.execute(create_sweep(input=wanted)))
    fork: dict[str, JsonInput] = {"branch_point": {"run_id": "one", "step": 1}}
    wandb_server.seed(
        "p",
        [
            SeedRun(
                name="one", history=[{"x": 1}], sweep=made.upsert_sweep.sweep.name, log=("a line",), host="h"
            ),
            SeedRun(name="two", state="killed", notes="n", group="g", job_type="j", tags=("t",)),
            SeedRun(name="fork", config={"_wandb": fork}, history=[{"x": 1}, {"x": 2}]),
        ],
    )
    (tmp_path / "notes.txt").write_text("grün")
    taken(face, taken(face, api.run("local/p/one")).upload_file(tmp_path / "notes.txt", tmp_path))
    wandb_server.seed_artifacts(
        "p",
        [
            SeedArtifact(
                name="data",
                files={"a": b"1", "b": b"2"},
                logged_by="one",
                used_by=("two",),
                aliases=("best",),
                tags=("t",),
                description="d",
                ttl_seconds=60,
            ),
        ],
    )
    first = taken(face, api.artifact("local/p/data:v0"))
    collection = taken(face, first.collection)
    collection.description, collection.tags = "all of it", ["kept"]
    taken(face, collection.save())
    linking = LinkArtifactInput(
        artifactID=first.id, artifactPortfolioName="shelf", entityName="local", projectName="p", aliases=[]
    )
    taken(face, api.client.execute(link_artifact(input=linking)))
    shelf = taken(face, api.artifact_collection("dataset", "local/p/shelf"))
    shelf.description = "links"
    taken(face, shelf.save())

    archive = taken(
        face, taken(face, api.project("local/p")).export(tmp_path / "a", files=True, artifacts=True)
    )
    assert archive.problems == []
    report = taken(face, api.import_project(tmp_path / "a", "local/q"))
    assert (report.left_out, report.counts) == ([], archive.counts)
    back = taken(face, taken(face, api.project("local/q")).export(tmp_path / "b", files=True, artifacts=True))
    assert back.counts == archive.counts
    forked = taken(face, api.run("local/q/fork"))
    assert forked.history_line_count == 2
    assert forked.rawconfig["_wandb"] == fork
    used = taken(face, api.artifact("local/q/data:best"))
    assert [run.id for run in taken(face, used.used_by())] == ["two"]
    assert sorted(used.tags) == ["t"]


def test_a_run_that_cannot_be_read_is_named_and_tried_again(
    face: Face, wandb_server: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wandb_server.seed(
        "p", [SeedRun(name="good", history=[{"x": 1}]), SeedRun(name="bad", history=[{"x": 2}])]
    )
    api: Untyped = face.api(wandb_server.url, wandb_server.api_key)
    project = taken(face, api.project("local/p"))

    def failing(self: object) -> object:
        raise IncompleteHistoryError("local/p/bad", 0, 1, "the server leaves it out")

    with monkeypatch.context() as patched:
        patched.setattr(exporting, "read_short", _only("good"))
        patched.setattr(LongHistory, "next_rows", failing)
        archive = taken(face, project.export(tmp_path / "a"))
    (problem,) = archive.problems
    assert problem.startswith("the history of run bad: ")
    assert archive.counts["history rows"] == 1
    again = taken(face, project.export(tmp_path / "a"))
    assert again.problems == []
    assert again.counts["history rows"] == 2
    again.verify()


def _only(run: str) -> Callable[[RunAddress, Sequence[str], int], Flow[dict[str, list[Row]]]]:
    def read(home: RunAddress, runs: Sequence[str], most: int) -> Flow[dict[str, list[Row]]]:
        found = yield from read_short(home, runs, most)
        return {run: found[run]}

    return read
