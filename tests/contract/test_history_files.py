"""A history's parquet files fetched as they are: complete, whole, under names of ours, or clearly refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import polars as pl
import pytest
from tests.contract.both_clients import AnyRun, Face
from tests.contract.export_storage import Rewrite, StorageTransport, pass_on

from runql import AnswerError, HistoryNotExportedError, TransportError
from runql_server.exports.policy import ExportPolicy
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

ROWS = [{"_step": step, "loss": step / 2} for step in range(25)]


@pytest.fixture(scope="module")
def exporting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with an exported run, one that still logs, and one that logged nothing."""
    policy = ExportPolicy(above_rows=0, rows_per_file=10)
    with RunningServer(tmp_path_factory.mktemp("exporting"), export_policy=policy) as server:
        ended, empty = SeedRun(name="ended", history=ROWS), SeedRun(name="empty")
        server.seed("p", [ended, empty, SeedRun(name="alive", state="running", history=ROWS)])
        yield server


def opened(face: Face, server: RunningServer, storage: StorageTransport, name: str) -> AnyRun:
    api = face.api(server.url, server.api_key, transport=storage)
    run = face.take(api.run(f"{server.entity}/p/{name}"))
    storage.asked.clear()
    return run


def test_the_files_hold_the_history(exporting: RunningServer, face: Face, tmp_path: Path) -> None:
    storage = StorageTransport()
    run = opened(face, exporting, storage, "ended")
    told: list[tuple[int, int | None]] = []

    def tell(passed: int, total: int | None) -> None:
        told.append((passed, total))

    saved = face.take(run.download_history(tmp_path / "new" / "folder", progress=tell))
    assert saved.is_complete
    assert saved.live_rows == 0
    assert storage.asked == ["ScanHistory", "GET", "GET", "GET"]
    assert [path.name for path in saved.paths] == [f"ended.{index}.parquet" for index in range(3)]
    assert sorted(saved.paths) == sorted((tmp_path / "new" / "folder").iterdir())
    assert pl.concat(map(pl.read_parquet, saved.paths)).sort("_step").to_dicts() == ROWS
    whole = sum(path.stat().st_size for path in saved.paths)
    assert told[-1] == (whole, whole)
    assert told == sorted(told, key=lambda each: each[0])


def test_the_same_files_have_the_same_names_each_time(
    exporting: RunningServer, face: Face, tmp_path: Path
) -> None:
    run = opened(face, exporting, StorageTransport(), "ended")
    first = face.take(run.download_history(tmp_path, max_concurrency=1))
    before = [path.read_bytes() for path in first.paths]
    assert face.take(run.download_history(tmp_path)) == first
    assert [path.read_bytes() for path in first.paths] == before


def test_rows_that_are_in_no_file_are_told(exporting: RunningServer, face: Face, tmp_path: Path) -> None:
    storage = StorageTransport()
    run = opened(face, exporting, storage, "alive")
    with pytest.raises(HistoryNotExportedError, match="25 rows of run local/p/alive") as refused:
        face.take(run.download_history(tmp_path))
    assert (refused.value.run, refused.value.live_rows) == ("local/p/alive", 25)
    saved = face.take(run.download_history(tmp_path, require_complete=False))
    assert (saved.paths, saved.live_rows, saved.is_complete) == ((), 25, False)
    assert storage.asked == ["ScanHistory", "ScanHistory"]
    assert not [*tmp_path.iterdir()]


def test_a_run_without_rows_has_no_files(exporting: RunningServer, face: Face, tmp_path: Path) -> None:
    run = opened(face, exporting, StorageTransport(), "empty")
    saved = face.take(run.download_history(tmp_path))
    assert (saved.paths, saved.is_complete) == ((), True)


def test_an_address_that_has_expired_is_asked_for_anew(
    exporting: RunningServer, face: Face, tmp_path: Path
) -> None:
    asked: list[httpx.URL] = []

    def expire_first(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        asked.append(request.url)
        return httpx.Response(403, text="<Error/>") if len(asked) == 1 else answer

    storage = StorageTransport(expire_first)
    run = opened(face, exporting, storage, "ended")
    saved = face.take(run.download_history(tmp_path, max_concurrency=1))
    assert len(saved.paths) == 3
    assert storage.asked.count("ScanHistory") == 2


def gone(_request: httpx.Request, _answer: httpx.Response) -> httpx.Response:
    return httpx.Response(404, text="<Error/>")


def cut(_request: httpx.Request, answer: httpx.Response) -> httpx.Response:
    size = str(len(answer.content))
    return httpx.Response(200, headers={"content-length": size}, stream=httpx.ByteStream(answer.content[:-5]))


@pytest.mark.parametrize(("rewrite", "error"), [(gone, AnswerError), (cut, TransportError)])
def test_a_file_appears_whole_or_not_at_all(
    rewrite: Rewrite, error: type[Exception], exporting: RunningServer, face: Face, tmp_path: Path
) -> None:
    run = opened(face, exporting, StorageTransport(rewrite), "ended")
    (tmp_path / "ended.0.parquet").write_bytes(b"before")
    with pytest.raises(error):
        face.take(run.download_history(tmp_path))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"ended.0.parquet": b"before"}


def test_a_storage_elsewhere_never_sees_the_key(exporting: RunningServer, face: Face, tmp_path: Path) -> None:
    storage = StorageTransport(pass_on, host="localhost")
    run = opened(face, exporting, storage, "ended")
    storage.sent.clear()
    face.take(run.download_history(tmp_path))
    hosts = {(sent.url.host, "authorization" in sent.headers) for sent in storage.sent}
    assert hosts == {("127.0.0.1", True), ("localhost", False)}


@pytest.mark.parametrize("max_concurrency", [0, -1])
def test_bad_limits_are_refused_before_anything_is_sent(
    max_concurrency: int, exporting: RunningServer, face: Face, tmp_path: Path
) -> None:
    storage = StorageTransport()
    run = opened(face, exporting, storage, "ended")
    with pytest.raises(ValueError, match="max_concurrency"):
        face.take(run.download_history(tmp_path, max_concurrency=max_concurrency))
    assert storage.asked == []


def test_the_official_name_gives_the_same_files(exporting: RunningServer, face: Face, tmp_path: Path) -> None:
    storage = StorageTransport()
    run = opened(face, exporting, storage, "ended")
    saved = face.take(run.download_history_exports(tmp_path / "theirs"))
    assert storage.asked == ["ScanHistory", "GET", "GET", "GET"]
    assert [path.name for path in saved.paths] == [f"ended.{index}.parquet" for index in range(3)]
    assert (saved.contains_live_data, saved.is_complete) == (False, True)
    alive = opened(face, exporting, storage, "alive")
    with pytest.raises(HistoryNotExportedError, match="25 rows of run"):
        face.take(alive.download_history_exports(tmp_path))
    part = face.take(alive.download_history_exports(tmp_path, require_complete_history=False))
    assert (part.paths, part.contains_live_data, part.live_rows) == ((), True, 25)
