"""Imports that stop within a run: the next call goes on behind the rows that the server has, without gaps or copies."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.archive.conftest import api_of
from tests.archive.reading import plain

from runql import Api, Archive
from runql.archive.importing import project, uploads
from runql.archive.importing.uploads import Chunk
from runql.errors import ConnectionFailedError
from runql.paths import RunAddress
from runql.transport.flow import Flow
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

ROWS = 1_050
POST = 100
POSTS = 11
"""Of each of history and events; the last one is half full."""


class Posts:
    """Counts posts of rows, and loses the connection before or behind chosen ones.

    Attributes:
        sent: the kind and the offset of each, in order.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sent: list[tuple[str, int]] = []
        self._left = -1
        self._carries_out = False
        usual = uploads.post_chunk
        posts = self

        def post(home: RunAddress, kind: str, chunk: Chunk) -> Flow[None]:
            stops = posts._stops()
            if not stops or posts._carries_out:
                posts.sent.append((kind, chunk.offset))
                yield from usual(home, kind, chunk)
            if stops:
                raise ConnectionFailedError("gone")

        monkeypatch.setattr(project, "post_chunk", post)
        monkeypatch.setattr(uploads, "ROWS", POST)

    def stop_after(self, count: int, *, carries_out: bool = False) -> None:
        """Lose the connection at the post behind so many; -1 for never."""
        self.sent.clear()
        self._left = count
        self._carries_out = carries_out

    def _stops(self) -> bool:
        self._left -= 1
        return self._left == -1


@pytest.fixture
def posts(monkeypatch: pytest.MonkeyPatch) -> Posts:
    return Posts(monkeypatch)


@pytest.fixture
def archived(target: RunningServer, tmp_path: Path) -> Archive:
    """One run with many rows."""
    rows = [{"_step": i, "loss": i / 7} for i in range(ROWS)]
    events = [{"_runtime": i, "system.cpu": i / 3} for i in range(ROWS)]
    target.seed("p", [SeedRun(name="long", history=rows, events=events, state="finished")])
    with api_of(target) as api:
        return api.project("local/p").export(tmp_path / "a", progress=False)


def _read(api: Api, project: str) -> list[object]:
    run = api.run(f"local/{project}/long")
    events = run.history(10_000, pandas=False, stream="system")
    assert isinstance(events, list)
    return [
        run.history_line_count,
        [plain(row) for row in run.scan_history()],
        [plain(row) for row in events],
        run.state,
    ]


@pytest.mark.parametrize("carries_out", [False, True])
@pytest.mark.parametrize(
    ("stops", "history", "events"),
    # The last post of a stream is not full and not noted: each call sends it.
    [([4], 400, 0), ([1, 1, 1], 300, 0), ([10, 1], 1000, 0), ([11, 3, 3], 1000, 400), ([21], 1000, 1000)],
)
def test_an_import_goes_on_within_a_run(
    target: RunningServer,
    archived: Archive,
    posts: Posts,
    stops: list[int],
    history: int,
    events: int,
    carries_out: bool,
) -> None:
    with api_of(target) as api:
        for count in stops:
            posts.stop_after(count, carries_out=carries_out)
            with pytest.raises(ConnectionFailedError):
                api.import_project(archived.folder, "local/back", progress=False)
        posts.stop_after(-1)
        api.import_project(archived.folder, "local/back", progress=False)
        assert posts.sent == [
            *(("history", offset) for offset in range(history, ROWS, POST)),
            *(("events", offset) for offset in range(events, ROWS, POST)),
        ]
        assert _read(api, "back") == _read(api, "p")


def test_an_import_begins_a_run_again_that_was_deleted_meanwhile(
    target: RunningServer, archived: Archive, posts: Posts
) -> None:
    with api_of(target) as api:
        posts.stop_after(15)
        with pytest.raises(ConnectionFailedError):
            api.import_project(archived.folder, "local/back", progress=False)
        api.run("local/back/long").delete()
        posts.stop_after(-1)
        api.import_project(archived.folder, "local/back", progress=False)
        assert len(posts.sent) == 2 * POSTS
        assert _read(api, "back") == _read(api, "p")


def test_an_import_begins_a_run_again_whose_rows_the_server_lost(
    target: RunningServer, archived: Archive, posts: Posts
) -> None:
    with api_of(target) as api:
        posts.stop_after(5)
        with pytest.raises(ConnectionFailedError):
            api.import_project(archived.folder, "local/back", progress=False)
        api.run("local/back/long").delete()
        api.create_run(run_id="long", project="back", entity="local")
        posts.stop_after(-1)
        api.import_project(archived.folder, "local/back", progress=False)
        assert len(posts.sent) == 2 * POSTS
        assert _read(api, "back") == _read(api, "p")


def test_short_runs_need_no_notes(target: RunningServer, tmp_path: Path) -> None:
    target.seed("p", [SeedRun(name=f"r{i}", history=[{"x": 1}]) for i in range(3)])
    with api_of(target) as api:
        folder = api.project("local/p").export(tmp_path / "a", progress=False).folder
        api.import_project(folder, "local/back", progress=False)
    (journal,) = folder.glob(".import-*")
    assert "rows of" not in journal.read_text()
