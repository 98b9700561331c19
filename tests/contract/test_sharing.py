"""Several threads or tasks that need the same page, sweep, manifest or viewer at the same time: one request serves them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from tests.contract.concurrent_readers import WAYS, Steps, Way, read_together
from tests.contract.test_sweeps import make_sweep
from tests.contract.untyped import Untyped

from runql import Api
from runql_server.running import RunningServer
from runql_server.seed import SeedRun
from runql_server.seed_artifacts import SeedArtifact

pytestmark = pytest.mark.nightly

READERS: Final = 4
ways = pytest.mark.parametrize(
    "way",
    [
        pytest.param(way, marks=pytest.mark.skipif(not importlib.util.find_spec(way), reason=f"no {way}"))
        if way == "trio"
        else way
        for way in WAYS
    ],
)


@pytest.fixture
def home(server: RunningServer, project: str, tmp_path: Path) -> str:
    """A project with five runs of two sweeps, files, artifacts of two kinds."""
    sweeps = [make_sweep(server, project) for _ in range(3)]
    runs = [SeedRun(name=f"run{n}", sweep=sweeps[n % 2], config={"n": n}) for n in range(5)]
    server.seed(project, runs)
    server.seed_artifacts(
        project,
        [
            SeedArtifact(
                name=name,
                type=kind,
                files={f"{part}.txt": f"{name} {number} {part}".encode() for part in range(3)},
                aliases=(f"a{number}",),
                logged_by="run0",
                used_by=("run1",),
            )
            for name, kind in (("rows", "dataset"), ("columns", "dataset"), ("net", "model"))
            for number in range(3)
        ],
    )
    for number in range(3):
        server.seed(f"{project}-{number}", [SeedRun(name="only")])
    with Api(base_url=server.url, api_key=server.api_key) as api:
        for number in range(3):
            (tmp_path / f"{number}.txt").write_text("hello")
            api.run(f"{server.entity}/{project}/run1").upload_file(tmp_path / f"{number}.txt", tmp_path)
    server.clear()
    return f"{server.entity}/{project}"


@dataclass(frozen=True)
class Shared:
    """What is read together.

    Attributes:
        requests: how many a single reader needs.
        steps: lead from the `Api` to it, given the project's path.
        read: what the reader of this number does with it; by default it reads a list to its end.
    """

    requests: int
    steps: Callable[[str], Steps]
    read: Callable[[Untyped, int], Untyped] = lambda subject, _: subject


def run_of(home: str, run_id: str) -> Callable[[Untyped], Untyped]:
    return lambda api: api.run(f"{home}/{run_id}")


def page_of(home: str) -> list[Callable[[Untyped], Untyped]]:
    """The first page of runs that were listed in the light shape."""
    return [lambda api: api.runs(home, per_page=5, lazy=True), lambda runs: runs[:5]]


SHARED: Final[dict[str, Shared]] = {
    "runs": Shared(3, lambda home: [lambda api: api.runs(home, per_page=2)]),
    "light runs": Shared(3, lambda home: [lambda api: api.runs(home, per_page=2, lazy=True)]),
    "one item of runs": Shared(
        2, lambda home: [lambda api: api.runs(home, per_page=2)], lambda runs, _: runs[3]
    ),
    "a slice of runs": Shared(
        2, lambda home: [lambda api: api.runs(home, per_page=2)], lambda runs, _: runs[1:4]
    ),
    "the count of runs": Shared(
        1, lambda home: [lambda api: api.runs(home, per_page=2)], lambda runs, _: runs.length
    ),
    "other items of runs": Shared(
        3, lambda home: [lambda api: api.runs(home, per_page=2)], lambda runs, n: runs[4 - n]
    ),
    "a light page loaded": Shared(1, page_of, lambda page, n: page[n].load()),
    "the sweeps of a page": Shared(1, page_of, lambda page, n: page[n].sweep),
    "the sweep of a run": Shared(1, lambda home: [run_of(home, "run0")], lambda run, _: run.sweep),
    "the runs of a sweep": Shared(
        1, lambda home: [run_of(home, "run0"), lambda run: run.sweep], lambda sweep, _: sweep.runs
    ),
    "sweeps": Shared(
        2,
        lambda home: [
            lambda api: api.project(home.partition("/")[2], home.partition("/")[0]),
            lambda project: project.sweeps(per_page=2),
        ],
    ),
    "files": Shared(2, lambda home: [run_of(home, "run1"), lambda run: run.files(per_page=2)]),
    "versions": Shared(2, lambda home: [lambda api: api.artifacts("dataset", f"{home}/rows", per_page=2)]),
    "collections": Shared(
        2, lambda home: [lambda api: api.artifact_collections(home, "dataset", per_page=1)]
    ),
    "kinds": Shared(1, lambda home: [lambda api: api.artifact_types(home)]),
    "logged artifacts": Shared(5, lambda home: [run_of(home, "run0"), lambda run: run.logged_artifacts(2)]),
    "used artifacts": Shared(5, lambda home: [run_of(home, "run1"), lambda run: run.used_artifacts(2)]),
    "files of a version": Shared(
        2, lambda home: [lambda api: api.artifact(f"{home}/rows:v0"), lambda found: found.files(per_page=2)]
    ),
    "a manifest": Shared(
        2, lambda home: [lambda api: api.artifact(f"{home}/rows:v0")], lambda found, _: found.entries
    ),
    "the viewer": Shared(1, lambda _: [], lambda api, _: api.viewer),
    "the default entity": Shared(1, lambda _: [], lambda api, _: api.default_entity),
}


def shown(result: Untyped) -> Untyped:
    """What can be compared of a reader's result."""
    # Not by its class: pyright would know nothing of what is in the list.
    if hasattr(result, "append"):
        return [shown(each) for each in result]
    return getattr(result, "id", repr(result))


@ways
@pytest.mark.parametrize("name", SHARED)
def test_what_several_read_at_the_same_time_is_fetched_once(
    name: str, way: Way, home: str, server: RunningServer
) -> None:
    shared = SHARED[name]

    def read(readers: int) -> tuple[list[Untyped], list[str]]:
        return read_together(way, server.url, server.api_key, shared.steps(home), shared.read, readers)

    _, asked_alone = read(1)
    results, asked = read(READERS)
    assert len(results) == READERS
    if name not in {"other items of runs", "a light page loaded", "the sweeps of a page"}:
        assert len({str(shown(each)) for each in results}) == 1
    assert len(asked) == shared.requests
    assert set(asked) == set(asked_alone)


@ways
def test_each_reader_gets_what_it_asked_for(way: Way, home: str, server: RunningServer) -> None:
    shared = SHARED["other items of runs"]
    results, _ = read_together(way, server.url, server.api_key, shared.steps(home), shared.read, READERS)
    assert [run.id for run in results] == ["run4", "run3", "run2", "run1"]


@ways
def test_projects_are_fetched_once(way: Way, home: str, server: RunningServer) -> None:
    steps: Steps = [lambda api: api.projects(server.entity, per_page=2)]
    alone, asked_alone = read_together(way, server.url, server.api_key, steps, lambda all_, _: all_, 1)
    results, asked = read_together(way, server.url, server.api_key, steps, lambda all_, _: all_, READERS)
    assert home in {"/".join(project.path) for project in alone[0]}
    assert all(shown(result) == shown(alone[0]) for result in results)
    assert len(asked_alone) > 1
    assert asked == asked_alone


@ways
def test_a_light_page_is_full_for_all_its_runs(way: Way, home: str, server: RunningServer) -> None:
    pages: list[Untyped] = []

    def read(page: Untyped, number: int) -> Untyped:
        pages.append(page)
        return page[number].load()

    _, asked = read_together(way, server.url, server.api_key, page_of(home), read, READERS)
    assert asked == ["ListFullRuns"]
    assert [run.config for run in pages[0]] == [{"n": n} for n in range(5)]
