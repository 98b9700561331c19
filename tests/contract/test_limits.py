"""`limit=`, `first()` and `one()` of lists: what they return, and that they ask for no more than they need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.contract.both_clients import Face
from tests.contract.intercepting import InterceptingTransport
from tests.contract.untyped import Untyped, listed, taken

from runql import Api, NoItemError, NotFoundError, Run, Runs, SeveralItemsError
from runql_server.running import RunningServer
from runql_server.seed import SeedRun
from runql_server.seed_artifacts import SeedArtifact

NAMES = [f"run{n}" for n in range(7)]


@pytest.fixture
def sent() -> InterceptingTransport:
    """Sees what is sent."""
    return InterceptingTransport(lambda _: None)


@pytest.fixture
def api(server: RunningServer, face: Face, sent: InterceptingTransport) -> Untyped:
    return face.api(server.url, server.api_key, transport=sent)


@pytest.fixture
def home(server: RunningServer, project: str) -> str:
    """The path of a project with seven runs of two rows each."""
    server.seed(project, [SeedRun(name=name, history=[{"loss": 1.0}, {"loss": 0.5}]) for name in NAMES])
    return f"{server.entity}/{project}"


def sizes(sent: InterceptingTransport) -> list[int]:
    """How many nodes each request asked for; empties the list."""
    found = [each.variables["first"] for each in sent.seen if each.answer is None]
    sent.seen.clear()
    return found


def names(face: Face, many: Untyped) -> list[str]:
    return [each.name for each in listed(face, many)]


@pytest.mark.parametrize(
    ("limit", "per_page", "asked"),
    [(3, 50, [3]), (5, 2, [2, 2, 1]), (4, 2, [2, 2]), (7, 50, [7]), (9, 50, [9]), (1, 1, [1])],
)
def test_a_limit_ends_the_list_and_the_last_page_shrinks(
    limit: int,
    per_page: int,
    asked: list[int],
    api: Untyped,
    face: Face,
    home: str,
    sent: InterceptingTransport,
) -> None:
    runs = taken(face, api.runs(home, per_page=per_page, limit=limit))
    assert [run.id for run in listed(face, runs)] == NAMES[:limit]
    assert sizes(sent) == asked
    assert [run.id for run in listed(face, runs)] == NAMES[:limit]
    assert not runs.more
    assert taken(face, runs.length) == min(limit, 7)
    assert sizes(sent) == []


def test_the_length_is_the_servers_count_up_to_the_limit(
    api: Untyped, face: Face, home: str, sent: InterceptingTransport
) -> None:
    runs = taken(face, api.runs(home, per_page=2, limit=5))
    assert taken(face, runs.length) == 5
    assert sizes(sent) == [2]
    assert taken(face, runs[-1]).id == NAMES[4]
    assert sizes(sent) == [2, 1]
    with pytest.raises(IndexError):
        taken(face, runs[5])
    assert sizes(sent) == []


def test_histories_are_those_of_the_runs_within_the_limit(
    api: Untyped, face: Face, home: str, sent: InterceptingTransport
) -> None:
    runs = taken(face, api.runs(home, per_page=2, limit=3))
    rows = taken(face, runs.histories())
    assert [row["run_id"] for row in rows] == [name for name in NAMES[:3] for _ in range(2)]
    assert sizes(sent) == [2, 1]
    scanned = taken(face, runs.scan_histories(format="default").collect())
    assert [row["run_id"] for row in scanned] == [name for name in NAMES[:3] for _ in range(2)]
    assert sum(sizes(sent)) == 3


def test_a_lazy_list_reads_its_limited_pages_again_in_their_size(
    api: Untyped, face: Face, home: str, sent: InterceptingTransport
) -> None:
    runs = listed(face, taken(face, api.runs(home, per_page=2, limit=3, lazy=True)))
    assert sizes(sent) == [2, 1]
    for run in runs:
        if face.name == "async":
            face.load(run)
        assert run.config == {}
    assert sizes(sent) == [2, 1]


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused_before_anything_is_sent(
    limit: int, api: Untyped, face: Face, home: str, sent: InterceptingTransport
) -> None:
    with pytest.raises(ValueError, match="limit must be at least 1"):
        taken(face, api.runs(home, limit=limit))
    with pytest.raises(TypeError, match="limit must be an int, not str"):
        taken(face, api.projects(home.partition("/")[0], limit="3"))
    assert sent.seen == []


LISTS: list[Callable[[Untyped, Face, str], Untyped]] = [
    lambda api, face, home: taken(face, api.projects(home.partition("/")[0], limit=1)),
    lambda api, face, home: taken(face, api.project(home)).artifacts_types(limit=1),
    lambda api, face, home: taken(face, api.project(home)).collections(limit=1),
    lambda api, face, home: taken(face, api.project(home)).runs(limit=1),
    lambda api, face, home: taken(face, api.artifact_types(home, limit=1)),
    lambda api, face, home: taken(face, api.artifact_collections(home, "dataset", limit=1)),
    lambda api, face, home: taken(face, api.artifact_type("dataset", home)).collections(limit=1),
    lambda api, face, home: taken(face, api.artifacts("dataset", f"{home}/rows", limit=1)),
    lambda api, face, home: taken(face, api.artifact_collection("dataset", f"{home}/rows")).artifacts(
        limit=1
    ),
    lambda api, face, home: taken(face, api.artifact(f"{home}/rows:v0")).files(limit=1),
    lambda api, face, home: taken(face, api.run(f"{home}/run0")).logged_artifacts(limit=1),
    lambda api, face, home: taken(face, api.run(f"{home}/run1")).used_artifacts(limit=1),
]


@pytest.mark.parametrize("make", LISTS)
def test_every_list_takes_a_limit(
    make: Callable[[Untyped, Face, str], Untyped],
    api: Untyped,
    face: Face,
    home: str,
    server: RunningServer,
    project: str,
    sent: InterceptingTransport,
) -> None:
    server.seed(f"{project}-2", [SeedRun()])
    server.seed_artifacts(
        project,
        [
            SeedArtifact(name=name, type=kind, files={"a": b, "b": b}, logged_by="run0", used_by=("run1",))
            for name, kind, b in [
                ("rows", "dataset", b"1"),
                ("rows", "dataset", b"2"),
                ("more", "dataset", b"3"),
                ("net", "model", b"4"),
            ]
        ],
    )
    many = make(api, face, home)
    sent.seen.clear()
    assert len(listed(face, many)) == 1
    assert taken(face, many.length) == 1
    assert sizes(sent) == [1]


def test_sweeps_take_a_limit(
    api: Untyped, face: Face, home: str, server: RunningServer, project: str, sent: InterceptingTransport
) -> None:
    from tests.contract.test_sweeps import make_sweep

    for _ in range(2):
        make_sweep(server, project)
    sweeps = taken(face, api.project(home)).sweeps(limit=1)
    sent.seen.clear()
    assert len(listed(face, sweeps)) == 1
    assert sizes(sent) == [1]


def test_files_take_a_limit(
    api: Untyped, face: Face, home: str, server: RunningServer, sent: InterceptingTransport, tmp_path: Path
) -> None:
    with Api(base_url=server.url, api_key=server.api_key) as uploading:
        for name in ("a.txt", "b.txt"):
            (tmp_path / name).write_text(name)
            uploading.run(f"{home}/run0").upload_file(tmp_path / name, root=tmp_path)
    run = taken(face, api.run(f"{home}/run0"))
    files = run.files(limit=1)
    sent.seen.clear()
    assert [each.name for each in listed(face, files)] == ["a.txt"]
    assert sizes(sent) == [1]
    assert len(listed(face, run.files())) == 2


def test_a_list_that_leaves_items_out_is_read_in_full_pages_after_the_first(
    api: Untyped, face: Face, server: RunningServer, project: str, sent: InterceptingTransport
) -> None:
    server.seed(project, [])
    server.seed_artifacts(
        project,
        [
            SeedArtifact(name="rows", files={"a": str(n).encode()}, tags=("good",) if n in {0, 1} else ())
            for n in range(8)
        ],
    )
    path = f"{server.entity}/{project}/rows"
    found = taken(face, api.artifacts("dataset", path, tags=["good"], per_page=4, limit=1))
    assert [each.version for each in listed(face, found)] == ["v1"]
    assert sizes(sent) == [1, 4, 4]


# -- first and one -------------------------------------------------------------------------------------------------


def test_first_asks_for_a_page_of_one_and_keeps_it(
    api: Untyped, face: Face, home: str, sent: InterceptingTransport
) -> None:
    runs = taken(face, api.runs(home, per_page=4))
    first = taken(face, runs.first())
    assert first.id == NAMES[0]
    assert sizes(sent) == [1]
    assert taken(face, runs.first()) is first
    assert sizes(sent) == []
    assert [run.id for run in listed(face, runs)] == NAMES
    assert sizes(sent) == [4, 4]


def test_first_of_what_was_read_sends_nothing(
    api: Untyped, face: Face, home: str, sent: InterceptingTransport
) -> None:
    runs = taken(face, api.runs(home, per_page=4))
    taken(face, runs[1])
    assert sizes(sent) == [4]
    assert taken(face, runs.first()).id == NAMES[0]
    assert sizes(sent) == []


def test_first_of_none_is_none(api: Untyped, face: Face, home: str, sent: InterceptingTransport) -> None:
    runs = taken(face, api.runs(home, {"name": "nobody"}))
    assert taken(face, runs.first()) is None
    assert taken(face, runs.first()) is None
    assert sizes(sent) == [1]


def test_one_asks_for_a_page_of_two(api: Untyped, face: Face, home: str, sent: InterceptingTransport) -> None:
    runs = taken(face, api.runs(home, {"name": "run3"}))
    assert taken(face, runs.one()).id == "run3"
    assert taken(face, runs.one()).id == "run3"
    assert sizes(sent) == [2]


def test_one_after_first_asks_for_one_more(
    api: Untyped, face: Face, home: str, sent: InterceptingTransport
) -> None:
    runs = taken(face, api.runs(home))
    taken(face, runs.first())
    with pytest.raises(SeveralItemsError):
        taken(face, runs.one())
    assert sizes(sent) == [1, 1]


def test_one_of_none_and_of_several_is_an_error_of_ours(
    api: Untyped, face: Face, home: str, sent: InterceptingTransport
) -> None:
    with pytest.raises(NoItemError, match=rf"Runs {home} filters=.*> is empty") as none:
        taken(face, taken(face, api.runs(home, {"name": "nobody"})).one())
    assert isinstance(none.value, NotFoundError)
    with pytest.raises(SeveralItemsError, match=f"Runs {home}> has more than one item"):
        taken(face, taken(face, api.runs(home)).one())
    assert sizes(sent) == [2, 2]


def test_one_within_a_limit_of_one_is_the_first(
    api: Untyped, face: Face, home: str, sent: InterceptingTransport
) -> None:
    assert taken(face, taken(face, api.runs(home, limit=1)).one()).id == NAMES[0]
    assert sizes(sent) == [1]


# -- a Sequence ----------------------------------------------------------------------------------------------------


def test_runs_are_a_sequence(server: RunningServer, home: str) -> None:
    with Api(base_url=server.url, api_key=server.api_key) as api:
        runs: Sequence[Run] = api.runs(home, per_page=2)
        assert isinstance(runs, Sequence)
        assert isinstance(runs, Runs)
        items = list(runs)
        asked = api.traffic.requests
        assert len(runs) == 7
        assert runs[2] is items[2]
        assert runs[-1] is items[-1]
        assert runs[1:6:2] == items[1:6:2]
        assert list(reversed(runs)) == items[::-1]
        assert items[3] in runs
        assert runs.index(items[3]) == 3
        assert runs.index(items[3], -5, -1) == 3
        assert runs.count(items[3]) == 1
        assert api.run(f"{home}/run3") not in runs
        with pytest.raises(ValueError, match="is not in the list"):
            runs.index(items[0], 1)
        assert api.traffic.requests == asked + 1


def test_index_and_in_read_no_further_than_the_item(server: RunningServer, home: str) -> None:
    with Api(base_url=server.url, api_key=server.api_key) as api:
        runs = api.runs(home, per_page=2)
        second = runs[1]
        assert second in runs
        assert runs.index(second) == 1
        assert api.traffic.requests == 1
        assert [run.id for run in reversed(runs)] == NAMES[::-1]
        assert api.traffic.requests == 4


def test_a_list_of_runs_is_no_value_to_store_or_filter_by(server: RunningServer, home: str) -> None:
    """It is a sequence, and reading it sends requests: it is refused before that, as it was when it was none."""
    with Api(base_url=server.url, api_key=server.api_key) as api:
        run = api.run(f"{home}/run0")
        runs: Untyped = api.runs(home)
        sent = api.traffic.requests
        with pytest.raises(ValueError, match="Object of type Runs is not JSON"):
            api.runs(home, {"name": {"$in": runs}})
        with pytest.raises(TypeError, match="Runs"):
            run.summary.update({"best": runs})
        run.config["best"] = runs
        with pytest.raises(TypeError, match="Runs"):
            run.update()
        assert api.traffic.requests == sent
