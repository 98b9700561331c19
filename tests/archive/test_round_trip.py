"""A project that was exported and imported equals the original, in every member."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from tests.archive import hostile
from tests.archive.conftest import api_of
from tests.archive.reading import digests, read_project

from runql import Archive, AsyncApi
from runql_server.running import RunningServer
from runql_server.testing import Sample


def test_the_hostile_project_comes_back_as_it_was(
    source: RunningServer, target: RunningServer, archive: Archive, tmp_path: Path
) -> None:
    assert archive.problems == []
    folder = shutil.copytree(archive.folder, tmp_path / "copy")
    with api_of(source) as api, api_of(target) as other:
        report = other.import_project(folder, "local/back")
        assert report.left_out == []
        original, copy = read_project(api, hostile.PATH), read_project(other, "local/back")
    for name in original.keys() | copy.keys():
        assert copy.get(name) == original.get(name), name


def test_the_sample_comes_back_as_it_was(
    sample_server: Sample, target: RunningServer, tmp_path: Path
) -> None:
    from runql import Api

    path = f"{sample_server.entity}/{sample_server.project}"
    with Api(base_url=sample_server.url, api_key=sample_server.api_key) as api, api_of(target) as other:
        archive = api.project(path).export(tmp_path / "sample", files=True, artifacts=True)
        assert archive.problems == []
        report = other.import_project(archive.folder, path)
        assert report.left_out == []
        original, copy = read_project(api, path), read_project(other, path)
    for name in original.keys() | copy.keys():
        assert copy.get(name) == original.get(name), name


def test_an_archive_of_the_copy_holds_the_same_rows(
    target: RunningServer, archive: Archive, tmp_path: Path
) -> None:
    folder = shutil.copytree(archive.folder, tmp_path / "copy")
    with api_of(target) as other:
        other.import_project(folder, hostile.PATH)
        again = other.project(hostile.PATH).export(tmp_path / "again", files=True, artifacts=True)
    assert again.counts == archive.counts
    ours, theirs = digests(archive.folder), digests(again.folder)
    kinds = ("history/", "events/", "console/", "files/", "files-by-number/", "artifacts/files/")
    same = [name for name in ours if name.startswith(kinds)]
    assert same
    assert {name: theirs.get(name) for name in same} == {name: ours[name] for name in same}


def test_the_async_client_writes_the_same_archive_and_the_same_project(
    source: RunningServer, target: RunningServer, archive: Archive, tmp_path: Path
) -> None:
    async def both() -> None:
        async with AsyncApi(base_url=source.url, api_key=source.api_key) as api:
            project = await api.project(hostile.PATH)
            made = await project.export(tmp_path / "async", files=True, artifacts=True)
        async with AsyncApi(base_url=target.url, api_key=target.api_key) as other:
            report = await other.import_project(made.folder, hostile.PATH)
        assert report.left_out == []

    asyncio.run(both())
    assert digests(tmp_path / "async") == digests(archive.folder)
    with api_of(source) as api, api_of(target) as other:
        assert read_project(other, hostile.PATH) == read_project(api, hostile.PATH)


@pytest.mark.parametrize(("files", "artifacts"), [(False, False), (True, False), (False, True)])
def test_an_archive_holds_what_was_asked_for(
    source: RunningServer, archive: Archive, tmp_path: Path, files: bool, artifacts: bool
) -> None:
    with api_of(source) as api:
        made = api.project(hostile.PATH).export(tmp_path / "part", files=files, artifacts=artifacts)
    counts = dict(archive.counts)
    if not files:
        counts["files"] = 0
    if not artifacts:
        counts = {name: count for name, count in counts.items() if not name.startswith("artifact")}
    assert made.counts == counts
