"""A project that has one of the runs or artifacts: each way to import says so before anything is written."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Literal, TypeAlias

import pytest
from tests.archive.conftest import api_of
from tests.cli.invoking import Done

from runql import Archive, ArchiveError, AsyncApi
from runql.archive.importing import project
from runql.resources.runs.query import RunQuery
from runql_server.running import RunningServer
from runql_server.seed import SeedRun
from runql_server.seed_artifacts import SeedArtifact

Way: TypeAlias = Literal["sync", "async", "import", "copy"]


def _refused(way: Way, server: RunningServer, folder: Path, *, dry_run: bool) -> str:
    """Import into local/back, and return what was said."""
    if way in {"import", "copy"}:
        options = ("--dry-run",) if dry_run else ()
        given = ("import", str(folder)) if way == "import" else ("copy", "local/p")
        more = () if way == "import" else ("--artifacts", "--dir", str(folder))
        done = Done(*given, "local/back", "--to", server.url, *more, *options, server=server)
        assert (done.code, done.stdout) == (1, "")
        return done.stderr
    if way == "async":
        return asyncio.run(_awaited(server, folder, dry_run=dry_run))
    with api_of(server) as api, pytest.raises(ArchiveError) as caught:
        api.import_project(folder, "local/back", dry_run=dry_run)
    return str(caught.value)


async def _awaited(server: RunningServer, folder: Path, *, dry_run: bool) -> str:
    async with AsyncApi(base_url=server.url, api_key=server.api_key) as api:
        with pytest.raises(ArchiveError) as caught:
            await api.import_project(folder, "local/back", dry_run=dry_run)
    return str(caught.value)


@pytest.fixture
def archived(target: RunningServer, tmp_path: Path) -> Path:
    """Two runs and an artifact, exported from another project of the same server."""
    target.seed("p", [SeedRun(name="a", history=[{"x": 1}]), SeedRun(name="b")])
    target.seed_artifacts("p", [SeedArtifact(name="rows", files={"a": b"1"}, logged_by="a")])
    with api_of(target) as api:
        archive: Archive = api.project("local/p").export(tmp_path / "a", artifacts=True, progress=False)
    return archive.folder


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("taken", ["run b", "artifact rows"])
@pytest.mark.parametrize("way", ["sync", "async", "import", "copy"])
def test_what_is_there_is_named_and_nothing_is_written(
    target: RunningServer, archived: Path, way: Way, taken: str, dry_run: bool
) -> None:
    target.seed("back", [SeedRun(name="b" if taken == "run b" else "other", history=[{"kept": 1}])])
    if taken == "artifact rows":
        target.seed_artifacts("back", [SeedArtifact(name="rows", files={"a": b"2"})])
    before = _stored(target)
    target.clear()
    message = _refused(way, target, archived, dry_run=dry_run)
    assert f"local/back on {target.url} has {taken} already: nothing was written" in message
    assert "import into another project" in message
    assert _stored(target) == before
    assert not list(archived.glob(".import*"))
    sent = {request.operation for request in target.requests}
    assert sent <= {"GetProject", "ListRuns", "ListProjectCollections", "ListProjectArtifactCollections"}


def test_the_runs_are_looked_for_on_every_page(
    target: RunningServer, archived: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def short(entity: str, project: str, filters: str, *, per_page: int) -> RunQuery:
        # As on a server that returns fewer runs than requested.
        return RunQuery(entity, project, filters, per_page=min(per_page, 1))

    monkeypatch.setattr(project, "RunQuery", short)
    target.seed("back", [SeedRun(name="a"), SeedRun(name="b")])
    assert "has run a, run b already" in _refused("sync", target, archived, dry_run=False)


def test_a_folder_that_is_copied_is_another_import(
    target: RunningServer, archived: Path, tmp_path: Path
) -> None:
    with api_of(target) as api:
        api.import_project(archived, "local/back", progress=False)
    copied = shutil.copytree(archived, tmp_path / "copy", ignore=shutil.ignore_patterns(".import*"))
    assert "has run a, run b, artifact rows already" in _refused("sync", target, copied, dry_run=False)


def _stored(server: RunningServer) -> list[str]:
    with server.store.connection() as connection:
        return list(connection.iterdump())
