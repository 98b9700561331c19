"""How far a read of many runs is: the runs that were read and their total, in both clients, without a request more."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.contract.both_clients import Face
from tests.contract.untyped import Untyped, listed, taken
from tests.unit.test_progress_bar import on_terminal

from runql import bars
from runql.resources.history.exports import files
from runql.resources.history.row_report import RowReport
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

RUNS = 7
Seen = list[tuple[int, int | None]]


@pytest.fixture
def home(server: RunningServer, project: str) -> str:
    server.seed(
        project,
        [
            SeedRun(name=f"r{number}", history=[{"loss": 1 / (step + 1)} for step in range(5)])
            for number in range(RUNS)
        ],
    )
    server.clear()
    return f"{server.entity}/{project}"


@pytest.fixture
def api(server: RunningServer, face: Face) -> Untyped:
    return face.api(server.url, server.api_key)


class Listener:
    """A progress that remembers its calls."""

    def __init__(self) -> None:
        self.seen: Seen = []

    def __call__(self, done: int, total: int | None) -> None:
        self.seen.append((done, total))

    def check(self, total: int) -> None:
        """Check that the calls rise to the total."""
        done = [each for each, _ in self.seen]
        assert done == sorted(done)
        assert {known for _, known in self.seen} == {total}
        assert self.seen[-1] == (total, total)


def test_collect_reports_runs(api: Untyped, face: Face, home: str, server: RunningServer) -> None:
    def scan(**options: Untyped) -> Untyped:
        return taken(face, api.runs(home, per_page=2)).scan_histories(["loss"], format="default", **options)

    rows = taken(face, scan().collect())
    requests = len(server.requests)
    of_call, of_scan, other = Listener(), Listener(), Listener()
    assert taken(face, scan().collect(progress=of_call)) == rows
    assert taken(face, scan(progress=of_scan).collect()) == rows
    assert len(server.requests) == 3 * requests
    assert of_call.seen == of_scan.seen
    of_call.check(RUNS)
    # What the call says counts.
    taken(face, scan(progress=other).collect(progress=False))
    assert other.seen == []


def test_a_limit_is_the_total(api: Untyped, face: Face, home: str) -> None:
    listener = Listener()
    runs = taken(face, api.runs(home, per_page=2, limit=3))
    taken(face, runs.scan_histories(format="default").collect(progress=listener))
    listener.check(3)


def test_a_loop_reports_and_draws_nothing_by_itself(
    api: Untyped, face: Face, home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = Listener()
    runs = taken(face, api.runs(home, per_page=2))
    frames = listed(face, runs.scan_histories(format="default", progress=listener))
    assert sum(map(len, frames)) == 5 * RUNS
    listener.check(RUNS)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(bars, "RichBar", None)
    assert len(listed(face, runs.scan_histories(format="default"))) == len(frames)


def test_a_list_reports_its_pages_in_loops_and_slices(
    api: Untyped, face: Face, home: str, server: RunningServer
) -> None:
    pages: Seen = [(2, RUNS), (4, RUNS), (6, RUNS), (RUNS, RUNS)]
    loop, part, limited = Listener(), Listener(), Listener()
    assert len(listed(face, taken(face, api.runs(home, per_page=2, progress=loop)))) == RUNS
    requests = len(server.requests)
    assert len(taken(face, taken(face, api.runs(home, per_page=2, progress=part))[:])) == RUNS
    assert (loop.seen, part.seen, len(server.requests)) == (pages, pages, 2 * requests)
    assert len(listed(face, taken(face, api.runs(home, per_page=2, limit=3, progress=limited)))) == 3
    limited.check(3)


def test_a_loop_over_a_list_draws_nothing_by_itself(
    api: Untyped, face: Face, home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(bars, "RichBar", None)
    for progress in (None, False):
        assert len(listed(face, taken(face, api.runs(home, per_page=2, progress=progress)))) == RUNS


def test_a_loop_over_a_list_draws_where_it_is_asked_to_and_stops(
    api: Untyped, face: Face, home: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[object] = []

    class Bar:
        def __init__(self, description: str, unit: str) -> None:
            drawn.append((description, unit))

        def show(self, done: int, total: int | None) -> None:
            drawn.append((done, total))

        def close(self) -> None:
            drawn.append("closed")

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(bars, "RichBar", Bar)
    runs = taken(face, api.runs(home, per_page=4, progress=True))
    listed(face, runs)
    assert drawn == [(type(runs).__name__, "items"), (4, RUNS), (RUNS, RUNS), "closed"]


def test_rows_of_exports_count_as_they_are_read(face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    # A row group is a portion.
    monkeypatch.setattr(files, "MOST_BYTES_IN_MEMORY", 1)
    with RunningServer() as server:
        server.seed("p", [SeedRun(name="one", history=({"loss": step / 2} for step in range(90_000)))])
        api: Untyped = face.api(server.url, server.api_key)
        run = taken(face, api.run(f"{server.entity}/p/one"))
        for keys in (None, ["loss"]):
            server.clear()
            listener = Listener()
            frame = taken(face, run.scan_history(keys).to_polars(progress=listener))
            assert any(request.path.startswith("/history-exports/") for request in server.requests)
            assert (len(frame), listener.seen[-1]) == (90_000, (90_000, 90_000))
            assert [done for done, _ in listener.seen] == sorted(done for done, _ in listener.seen)
            assert listener.seen[0][0] < 90_000
            assert {total for _, total in listener.seen[:-1]} == {None if keys else 90_000}


def test_a_file_reports_runs_also_those_of_an_interrupted_call(
    api: Untyped, face: Face, home: str, tmp_path: Path
) -> None:
    scan = taken(face, api.runs(home, per_page=2)).scan_histories(["loss"])
    stopped = Listener()

    class StopError(Exception):
        pass

    def stop(done: int, total: int | None) -> None:
        stopped(done, total)
        if done >= 4:
            raise StopError

    with pytest.raises(StopError):
        taken(face, scan.sink_parquet(tmp_path / "all.parquet", progress=stop))
    assert 0 < stopped.seen[-1][0] < RUNS
    rest = Listener()
    taken(face, scan.sink_parquet(tmp_path / "all.parquet", progress=rest))
    rest.check(RUNS)
    assert rest.seen[0][0] == stopped.seen[-1][0]


@pytest.mark.parametrize("name", ["to_polars", "to_pandas", "to_arrow"])
def test_a_frame_of_a_list_reports_runs(
    name: str, api: Untyped, face: Face, home: str, server: RunningServer
) -> None:
    listener = Listener()
    runs = taken(face, api.runs(home, per_page=3))
    assert len(taken(face, getattr(runs, name)(progress=listener))) == RUNS
    assert listener.seen == [(3, RUNS), (6, RUNS), (RUNS, RUNS)]
    assert len(server.requests) == 3


@pytest.mark.parametrize("name", ["to_polars", "to_pandas", "to_arrow"])
@pytest.mark.parametrize("keys", [None, ["loss"]])
def test_a_frame_of_a_history_reports_rows(
    name: str, keys: list[str] | None, api: Untyped, face: Face, home: str, server: RunningServer
) -> None:
    server.seed(home.split("/")[1], [SeedRun(name="long", history=[{"loss": 1.0}] * 60)])
    run = taken(face, api.run(f"{home}/long"))
    server.clear()
    taken(face, getattr(run.scan_history(keys, page_size=10), name)())
    requests = len(server.requests)
    listener = Listener()
    frame = taken(face, getattr(run.scan_history(keys, page_size=10), name)(progress=listener))
    assert len(frame) == 60
    assert len(server.requests) == 2 * requests
    listener.check(60)
    assert len(listener.seen) > 3


def test_a_part_of_a_history_has_no_total_before_its_end(api: Untyped, face: Face, home: str) -> None:
    listener = Listener()
    run = taken(face, api.run(f"{home}/r0"))
    taken(face, run.scan_history(min_step=1, max_step=4, page_size=2).to_polars(progress=listener))
    assert {total for _, total in listener.seen[:-1]} == {None}
    assert listener.seen[-1] == (3, 3)


def test_rows_that_are_requested_again_count_once() -> None:
    listener = Listener()
    rows = RowReport(listener)
    rows.add(4, 10)
    rows.add(3, None)
    rows.begin_again()
    rows.add(4, 10)
    rows.add(5, 8)
    rows.finish(9)
    assert listener.seen == [(4, 10), (7, None), (7, 10), (9, 9), (9, 9)]


@pytest.mark.parametrize("progress", [1, "yes", []])
def test_something_else_is_refused_before_anything_is_sent(
    progress: Untyped, api: Untyped, face: Face, home: str, server: RunningServer, tmp_path: Path
) -> None:
    runs = taken(face, api.runs(home))
    run = taken(face, api.run(f"{home}/r0"))
    server.clear()
    scan = runs.scan_histories(format="default")
    calls: tuple[Untyped, ...] = (
        lambda: api.runs(home, progress=progress),
        lambda: runs.scan_histories(format="default", progress=progress),
        lambda: scan.collect(progress=progress),
        lambda: scan.sink_parquet(tmp_path / "a.parquet", progress=progress),
        lambda: runs.to_polars(progress=progress),
        lambda: run.scan_history().to_polars(progress=progress),
    )
    for call in calls:
        with pytest.raises(TypeError, match="progress must be a function"):
            taken(face, call())
    assert server.requests == []


ON_TERMINAL = """
import itertools, runql
from runql import bars
from runql.resources.history.exports import files
from runql.resources.history.row_report import RowReport
ticks = itertools.count(0, {seconds})
bars.clock = lambda: next(ticks)
api = runql.Api(api_key={key!r}, base_url={url!r})
runs = api.runs({home!r}, per_page=2)
print(runs.scan_histories(format="default").collect().__len__(), len(runs[:]))
"""


def test_a_terminal_shows_a_long_read_by_itself(server: RunningServer, home: str) -> None:
    code = ON_TERMINAL.format(seconds=1.5, key=server.api_key, url=server.url, home=home)
    exit_code, shown, stdout = on_terminal(code)
    assert (exit_code, stdout) == (0, f"{5 * RUNS} {RUNS}\n")
    assert f"{RUNS}/{RUNS}" in shown
    assert "histories" in shown
    assert "Runs" in shown
    assert server.api_key not in shown


def test_a_terminal_shows_nothing_of_a_short_read(server: RunningServer, home: str) -> None:
    code = ON_TERMINAL.format(seconds=0.001, key=server.api_key, url=server.url, home=home)
    assert on_terminal(code) == (0, "", f"{5 * RUNS} {RUNS}\n")
