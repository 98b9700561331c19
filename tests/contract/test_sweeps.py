"""Sweeps, read from an embedded server: what they say, their runs, and how many requests it takes."""

from __future__ import annotations

import anyio
import httpx
import pytest
from anyio.from_thread import BlockingPortal
from tests.contract.both_clients import Face
from tests.contract.untyped import Untyped, listed, taken

from runql import AsyncApi, AsyncRun, NotLoadedError, PathError, ProjectNotFoundError, SweepNotFoundError
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

UPSERT = "mutation($input: UpsertSweepInput!) { upsertSweep(input: $input) { sweep { id name } } }"
CONFIG = "method: grid\nmetric: {name: loss, goal: minimize}\nname: von Hand ✓\nparameters: {lr: {values: [1e-5, 2]}}\n"


def make_sweep(server: RunningServer, project: str, config: str = CONFIG, **more: object) -> str:
    """As the official SDK does; gives the short id."""
    fields = {"projectName": project, "config": config, **more}
    answer = httpx.post(
        f"{server.url}/graphql",
        json={"query": UPSERT, "variables": {"input": fields}},
        auth=("api", server.api_key),
        trust_env=False,
    )
    name: str = answer.json()["data"]["upsertSweep"]["sweep"]["name"]
    return name


@pytest.fixture
def api(server: RunningServer, face: Face) -> Untyped:
    return face.api(server.url, server.api_key)


@pytest.fixture
def sweep_id(server: RunningServer, project: str) -> str:
    """A sweep with three runs, the second of which is the best; a fourth run is outside."""
    name = make_sweep(server, project)
    runs = [
        SeedRun(name=f"run{n}", sweep=name, summary={"loss": loss, "acc": n})
        for n, loss in enumerate((3, 1, 2))
    ]
    server.seed(project, [*runs, SeedRun(name="outside", summary={"loss": 0, "acc": 9})])
    server.clear()
    return name


def operations(server: RunningServer) -> list[str | None]:
    return [request.operation for request in server.requests]


def path(server: RunningServer, project: str, name: str) -> str:
    return f"{server.entity}/{project}/{name}"


def test_a_sweep_tells_what_it_is_by_one_request(
    api: Untyped, face: Face, server: RunningServer, project: str, sweep_id: str
) -> None:
    sweep = taken(face, api.sweep(path(server, project, sweep_id)))
    assert operations(server) == ["GetSweep"]
    assert (sweep.id, sweep.name, sweep.display_name) == (sweep_id, "von Hand ✓", None)
    assert (sweep.entity, sweep.project, sweep.path) == (
        server.entity,
        project,
        [server.entity, project, sweep_id],
    )
    assert (sweep.state, sweep.method, sweep.description) == ("RUNNING", "grid", None)
    assert sweep.config == {
        "method": "grid",
        "metric": {"name": "loss", "goal": "minimize"},
        "name": "von Hand ✓",
        "parameters": {"lr": {"values": [1e-5, 2]}},
    }
    assert (sweep.order, sweep.best_loss) == ("+summary_metrics.loss", 1.0)
    assert (sweep.run_count, sweep.expected_run_count) == (3, 2)
    assert sweep.url == f"{server.url}/{server.entity}/{project}/sweeps/{sweep_id}"
    assert sweep.created_at
    assert sweep.updated_at
    assert sweep.storage_id != sweep.id
    assert repr(sweep) == f"<Sweep {server.entity}/{project}/{sweep_id} (RUNNING)>"
    assert len(server.requests) == 1


def test_the_url_of_a_sweep_names_it(
    api: Untyped, face: Face, server: RunningServer, project: str, sweep_id: str
) -> None:
    sweep = taken(face, api.sweep(path(server, project, sweep_id)))
    assert taken(face, api.sweep(sweep.url)).storage_id == sweep.storage_id


def test_the_name_is_the_label_the_configured_name_or_the_id(
    api: Untyped, face: Face, server: RunningServer, project: str
) -> None:
    labelled = make_sweep(server, project, displayName="label")
    nameless = make_sweep(server, project, "method: random")
    assert taken(face, api.sweep(path(server, project, labelled))).name == "label"
    bare = taken(face, api.sweep(path(server, project, nameless)))
    assert (bare.name, bare.order, bare.best_loss, bare.expected_run_count) == (nameless, None, None, None)


def test_its_runs_are_listed_once(
    api: Untyped, face: Face, server: RunningServer, project: str, sweep_id: str
) -> None:
    sweep = taken(face, api.sweep(path(server, project, sweep_id)))
    assert [run.id for run in listed(face, sweep.runs)] == ["run0", "run1", "run2"]
    assert taken(face, sweep.runs[1]).id == "run1"
    assert operations(server) == ["GetSweep", "ListFullRuns"]


@pytest.mark.parametrize(
    ("order", "best"),
    [(None, "run1"), ("acc", "run2"), ("+acc", "run0"), ("+summary_metrics.loss", "run1"), ("loss", "run0")],
)
def test_the_best_run_is_one_request(
    order: str | None, best: str, api: Untyped, face: Face, server: RunningServer, project: str, sweep_id: str
) -> None:
    sweep = taken(face, api.sweep(path(server, project, sweep_id)))
    server.clear()
    assert taken(face, sweep.best_run(order)).id == best
    assert operations(server) == ["ListFullRuns"]


def test_without_a_metric_the_newest_run_is_the_best_and_without_runs_none(
    api: Untyped, face: Face, server: RunningServer, project: str
) -> None:
    name = make_sweep(server, project, "method: random")
    sweep = taken(face, api.sweep(path(server, project, name)))
    assert taken(face, sweep.best_run()) is None
    server.seed(project, [SeedRun(name="old", sweep=name), SeedRun(name="new", sweep=name)])
    assert taken(face, sweep.best_run()).id == "new"


def test_a_sweep_is_refreshed_by_force(
    api: Untyped, face: Face, server: RunningServer, project: str, sweep_id: str
) -> None:
    sweep = taken(face, api.sweep(path(server, project, sweep_id)))
    server.seed(project, [SeedRun(sweep=sweep_id, summary={"loss": -5})])
    taken(face, sweep.load())
    assert (sweep.run_count, len(server.requests)) == (3, 1)
    taken(face, sweep.load(force=True))
    assert (sweep.run_count, sweep.best_loss, len(server.requests)) == (4, -5.0, 2)


@pytest.mark.parametrize("lazy", [False, True], ids=["full", "light"])
def test_the_sweeps_of_a_page_of_runs_are_one_request_when_first_looked_at(
    lazy: bool, api: Untyped, face: Face, server: RunningServer, project: str
) -> None:
    names = [make_sweep(server, project, f"method: random\nname: s{n}") for n in range(30)]
    server.seed(project, [SeedRun(sweep=names[n // 2] if n % 5 else None) for n in range(60)])
    server.clear()
    runs = listed(face, taken(face, api.runs(f"{server.entity}/{project}", per_page=30, lazy=lazy)))
    assert len(server.requests) == 2
    found = [taken(face, run.sweep) for run in runs]
    assert [sweep and sweep.id for sweep in found] == [run.sweep_name for run in runs]
    assert found[1].name == "s0"
    assert found[2] is found[3]
    assert operations(server)[2:] == ["GetSweeps"] * 2


def test_awaited_runs_that_look_at_the_same_time_send_one_request(
    portal: BlockingPortal, server: RunningServer, project: str, sweep_id: str
) -> None:
    async def look() -> list[str | None]:
        async with AsyncApi(base_url=server.url, api_key=server.api_key) as api:
            runs = [run async for run in await api.runs(f"{server.entity}/{project}")]
            found: dict[str, str | None] = {}

            async def note(run: AsyncRun) -> None:
                sweep = await run.sweep
                found[run.id] = sweep.id if sweep else None

            async with anyio.create_task_group() as group:
                for run in runs:
                    group.start_soon(note, run)
            return [found[run.id] for run in runs]

    assert portal.call(look) == [sweep_id, sweep_id, sweep_id, None]
    assert operations(server) == ["ListFullRuns", "GetSweeps"]


def test_a_sweep_on_several_pages_is_read_once(
    api: Untyped, face: Face, server: RunningServer, project: str, sweep_id: str
) -> None:
    runs = listed(face, taken(face, api.runs(f"{server.entity}/{project}", per_page=1)))
    server.clear()
    assert [taken(face, run.sweep) is not None for run in runs] == [True, True, True, False]
    assert operations(server) == ["GetSweeps"]


def test_a_run_alone_reads_its_sweep_once(
    api: Untyped, face: Face, server: RunningServer, project: str, sweep_id: str
) -> None:
    run = taken(face, api.run(path(server, project, "run1")))
    assert taken(face, run.sweep).id == taken(face, run.sweep).id == sweep_id
    assert taken(face, taken(face, run.sweep).best_run()).id == "run1"
    assert operations(server) == ["GetRun", "GetSweeps", "ListFullRuns"]


def test_without_include_sweeps_nothing_is_asked(
    api: Untyped, face: Face, server: RunningServer, project: str, sweep_id: str
) -> None:
    runs = listed(face, taken(face, api.runs(f"{server.entity}/{project}", include_sweeps=False)))
    assert [taken(face, run.sweep) for run in runs] == [None] * 4
    assert [run.sweep_name for run in runs] == [sweep_id] * 3 + [None]
    assert operations(server) == ["ListFullRuns"]


def test_a_sweep_that_the_server_does_not_know_is_none(
    api: Untyped, face: Face, server: RunningServer, project: str
) -> None:
    server.seed(project, [SeedRun(name="lost", sweep="gone")])
    run = taken(face, api.run(path(server, project, "lost")))
    assert taken(face, run.sweep) is None
    assert run.sweep_name == "gone"


def test_a_sweep_made_by_hand(face: Face, server: RunningServer, project: str, sweep_id: str) -> None:
    from runql import AsyncSweep, RetryingClient, Sweep

    client = face.client(server.url, server.api_key)
    if isinstance(client, RetryingClient):
        assert Sweep(client, server.entity, project, sweep_id).run_count == 3
        with pytest.raises(SweepNotFoundError):
            Sweep(client, server.entity, project, "nope")
    else:
        sweep = AsyncSweep(client, server.entity, project, sweep_id)
        with pytest.raises(NotLoadedError, match=r"await sweep.load\(\)"):
            _ = sweep.state
        taken(face, sweep.load())
        assert sweep.run_count == 3
    with pytest.raises(ValueError, match="attrs must hold a sweep's fields"):
        (Sweep if isinstance(client, RetryingClient) else AsyncSweep)(client, "e", "p", "s", {"id": "x"})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] — each client goes with its class


@pytest.mark.parametrize("text", ["", "a/b/c/d", "x:y:z"])
def test_a_path_that_names_no_sweep_is_refused_before_anything_is_sent(
    text: str, api: Untyped, face: Face, server: RunningServer
) -> None:
    with pytest.raises(PathError):
        taken(face, api.sweep(text))
    assert server.requests == []


def test_absent_sweeps_and_projects_are_told_apart(
    api: Untyped, face: Face, server: RunningServer, project: str, sweep_id: str
) -> None:
    with pytest.raises(SweepNotFoundError, match="addressed by its id"):
        taken(face, api.sweep(path(server, project, "nope")))
    with pytest.raises(ProjectNotFoundError):
        taken(face, api.sweep(path(server, "nope", sweep_id)))


@pytest.mark.parametrize("order", ["", "+"])
def test_an_unusable_order_is_refused_before_anything_is_sent(
    order: str, api: Untyped, face: Face, server: RunningServer, project: str, sweep_id: str
) -> None:
    sweep = taken(face, api.sweep(path(server, project, sweep_id)))
    server.clear()
    with pytest.raises(ValueError, match="cannot order by"):
        taken(face, sweep.best_run(order))
    assert server.requests == []
