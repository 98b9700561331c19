"""Each public method is one call, with one deadline and one retry budget, however many requests it sends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from io import TextIOBase
from pathlib import Path
from typing import NamedTuple, TypedDict

import pytest
from tests.contract.both_clients import Face
from tests.contract.every_call import EVERY, FILE, Subjects, furnish
from tests.contract.untyped import Untyped, listed, taken

from runql import Api, AsyncRun, QueryError, Run, UnreadableTableError
from runql.transport.deadlines.call import Call
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

ITERATIONS = {
    *("run.scan_history", "run.scan_history(keys)", "run.scan_history(row)", "runs.scan_histories"),
    *("run.files", "run.files(pattern)", "run.logged_artifacts", "run.used_artifacts"),
    *("runs", "runs(lazy)", "runs.typed", "sweep.runs", "project.runs", "project.sweeps", "projects"),
    *("artifacts", "artifact_types", "artifact_collections", "type.collections", "collection.artifacts"),
    *("project.collections", "artifact.files", "run.console_logs", "run.console_logs(last)"),
}
"""Calls of which each step is one."""

REFUSED = {"artifact.delete", "run.update_state"}
"""Calls that the server refuses for the objects at hand."""


@pytest.fixture(scope="module")
def running() -> Iterator[RunningServer]:
    with RunningServer() as started:
        yield started


@pytest.fixture
def server(running: RunningServer) -> RunningServer:
    running.clear()
    return running


@pytest.fixture
def project(request: pytest.FixtureRequest) -> str:
    return f"test-{abs(hash(request.node.nodeid))}"


class Counting(NamedTuple):
    """The objects of the calls, and the calls that their client has begun."""

    on: Subjects
    begun: list[Call]


@pytest.fixture
def counting(
    face: Face, server: RunningServer, project: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Counting:
    monkeypatch.chdir(tmp_path)
    sweep = furnish(server, project)
    api: Untyped = face.api(server.url, server.api_key)
    home = f"{server.entity}/{project}"
    (tmp_path / FILE).write_text("notes")
    taken(face, taken(face, api.run(f"{home}/one")).upload_file(FILE, root=tmp_path))
    on = Subjects(face, api, home, sweep, tmp_path)
    begun: list[Call] = []

    def begin() -> Call:
        begun.append(Call())
        return begun[-1]

    api.client._new_call = begin
    server.clear()
    return Counting(on, begun)


def made(name: str, on: Subjects) -> None:
    """Make a call, and close the file that it may return."""
    with pytest.raises(QueryError) if name in REFUSED else nullcontext():
        result = EVERY[name](on)
        if isinstance(result, TextIOBase):
            result.close()


@pytest.mark.parametrize("name", sorted(EVERY.keys() - ITERATIONS))
def test_each_method_is_one_call(name: str, counting: Counting) -> None:
    made(name, counting.on)
    assert len(counting.begun) == 1


@pytest.mark.parametrize(
    "name",
    [
        *("run", "sweep", "project", "create_project", "create_run", "from_path", "Run.create"),
        *(
            "artifact",
            "artifact_exists",
            "artifact_type",
            "artifact_collection",
            "artifact_collection_exists",
        ),
    ],
)
def test_the_request_for_the_default_entity_belongs_to_the_call(
    name: str, counting: Counting, server: RunningServer
) -> None:
    on, begun = counting
    project = on.home.split("/")[1]
    make: Untyped = Run if isinstance(on.api, Api) else AsyncRun
    calls: dict[str, Callable[[], Untyped]] = {
        "run": lambda: on.api.run(f"{project}/one"),
        "sweep": lambda: on.api.sweep(f"{project}/{on.sweep_id}"),
        "project": lambda: on.api.project(project),
        "create_project": lambda: on.api.create_project(project),
        "create_run": lambda: on.api.create_run(run_id="one", project=project),
        "Run.create": lambda: make.create(on.api, "one", project),
        "from_path": lambda: on.api.from_path(f"{project}"),
        "artifact": lambda: on.api.artifact(f"{project}/rows:v1"),
        "artifact_exists": lambda: on.api.artifact_exists(f"{project}/rows:v1"),
        "artifact_type": lambda: on.api.artifact_type("dataset", project),
        "artifact_collection": lambda: on.api.artifact_collection("dataset", f"{project}/rows"),
        "artifact_collection_exists": lambda: on.api.artifact_collection_exists(f"{project}/rows", "dataset"),
    }
    on.take(calls[name]())
    assert len(begun) == 1
    assert len(server.requests) >= 2


def test_a_table_is_one_call_also_of_a_run_that_was_listed_light(counting: Counting) -> None:
    run = counting.on.light_run
    if counting.on.face.name == "sync":
        with pytest.raises(UnreadableTableError):
            counting.on.take(run.table("loss"))
        assert len(counting.begun) == 1


def test_all_windows_before_the_next_row_are_one_call(
    counting: Counting, face: Face, server: RunningServer, project: str
) -> None:
    history = [{"loss": 1.0 if step in {0, 39} else "none"} for step in range(40)]
    server.seed(project, [SeedRun(name="sparse", history=history)])
    run = taken(face, counting.on.api.run(f"{counting.on.home}/sparse"))
    counting.begun.clear()
    server.clear()
    scan = run.scan_history(page_size=2, max_concurrency=1, row=Loss, on_invalid="skip")
    assert len(listed(face, scan)) == 2
    assert len(server.requests) > 10
    # The first row, the second one, and the end.
    assert len(counting.begun) == 3


@pytest.mark.parametrize("lazy", [False, True])
def test_all_typed_runs_left_out_before_the_next_one_are_one_call(
    lazy: bool, counting: Counting, face: Face, server: RunningServer, project: str
) -> None:
    server.seed(
        f"{project}-many",
        [SeedRun(name=f"r{n}", config={"lr": 0.1 if n in {0, 7} else "none"}) for n in range(8)],
    )
    runs = taken(
        counting.on.face,
        counting.on.api.runs(f"{server.entity}/{project}-many", per_page=2, lazy=lazy),
    )
    counting.begun.clear()
    server.clear()
    typed = runs.typed(config=Rate, on_invalid="skip")
    assert len(listed(face, typed)) == 2
    assert len(typed.skipped) == 6
    assert len(server.requests) >= 4
    # The first run, the second one, and the end.
    assert len(counting.begun) == 3


@pytest.mark.parametrize("method", ["in", "index", "count"])
def test_a_search_through_all_pages_of_a_list_is_one_call(
    method: str, counting: Counting, server: RunningServer, project: str
) -> None:
    if counting.on.face.name != "sync":
        pytest.skip("async lists are no sequences")
    server.seed(f"{project}-many", [SeedRun(name=f"r{n}") for n in range(8)])
    runs = taken(
        counting.on.face,
        counting.on.api.runs(f"{server.entity}/{project}-many", per_page=2),
    )
    counting.begun.clear()
    server.clear()
    if method == "index":
        with pytest.raises(ValueError, match="is not in the list"):
            runs.index("absent")
    else:
        assert ("absent" in runs if method == "in" else runs.count("absent")) == 0
    assert len(server.requests) >= 4
    assert len(counting.begun) == 1


class Rate(TypedDict):
    """A config that few runs have."""

    lr: float


class Loss(TypedDict):
    """A row that few steps have."""

    loss: float
