"""Downloads of many files from a storage that fails for ever: one backoff for all, and a note of what has arrived."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.unit.resources.answers import in_project, run_body
from tests.unit.resources.test_artifact_download import held, listed, source
from tests.unit.transport.patient_driver import PatientDriver
from tests.unit.transport.stepping import sent, served

from runql.errors import AnswerError, LocalFileError, RequestTimedOutError, RunqlError, TransportError
from runql.paths import RunAddress
from runql.resources.artifacts.download.entries import DownloadOptions, download_entries
from runql.resources.artifacts.manifest import ManifestEntry
from runql.resources.files.listing import save_all
from runql.resources.files.record import FileRecord
from runql.resources.runs.history_files import HistoryDownload
from runql.transport.flow import Download, Effect, Flow, Offload
from runql.transport.wire import Response
from runql_graphql.fragments import FileFields

RUN = RunAddress("e", "p", "r")
MANY = 200
NAMES = [f"f{number:03}" for number in range(MANY)]
PARQUET = b"PAR1 rows PAR1"
DOWN = Response(503, b"busy")
LATE = RequestTimedOutError("late")


def run_files(root: Path) -> Flow[object]:
    fields = {"id": "F", "url": "", "sizeBytes": len(PARQUET), "updatedAt": "2026-01-01T00:00:00"}
    nodes = [
        FileFields.model_validate({**fields, "name": name, "directUrl": f"https://s/{name}"})
        for name in NAMES
    ]
    return save_all(
        RUN,
        [FileRecord(RUN, node, 1) for node in nodes],
        root,
        replace=False,
        exist_ok=False,
        max_concurrency=4,
        progress=None,
        on_unsafe="raise",
    )


def entries() -> list[ManifestEntry]:
    return [held(name, name.encode()) for name in NAMES]


def artifact_files(root: Path) -> Flow[object]:
    return download_entries(source(*entries()), entries(), root, DownloadOptions(4))


def history_files(root: Path) -> Flow[object]:
    return HistoryDownload.checked(RUN, root, True, 4, None).fetch()


KINDS: dict[str, Callable[[Path], Flow[object]]] = {
    "files of a run": run_files,
    "files of an artifact": artifact_files,
    "exports of a history": history_files,
}


@dataclass
class FailingStorage:
    """Sends so many files, and then fails for ever.

    Attributes:
        good: files that it sends before.
        failure: what follows.
    """

    good: int
    failure: Response | RunqlError
    served: int = field(default=0, init=False)

    def answer(self, effect: Effect) -> Response | RunqlError:
        if not isinstance(effect, Download):
            return self._listed(effect)
        if self.served == self.good:
            return self.failure
        self.served += 1
        assert effect.sink is not None
        name = effect.url.rpartition("/")[2]
        effect.sink.begin(200, {})
        effect.sink.take(name.encode() if effect.url.startswith("https://storage") else PARQUET)
        return Response(200, b"")

    def _listed(self, effect: Effect) -> Response:
        if sent(effect).name == "ListArtifactFiles":
            return listed(*NAMES)
        exports = {"liveData": [], "parquetUrls": [f"https://s/{name}" for name in NAMES]}
        return in_project(run=run_body("r", parquetHistory=exports))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("failure", "seconds"), [(DOWN, 60), (LATE, 120)], ids=["503", "hang"])
def test_two_hundred_files_end_after_the_retries_of_one(
    kind: str, failure: Response | RunqlError, seconds: float, tmp_path: Path
) -> None:
    driver = PatientDriver(FailingStorage(0, failure).answer)
    with pytest.raises((AnswerError, TransportError)) as caught:
        driver.run(KINDS[kind](tmp_path))
    assert driver.now < seconds
    most = driver.policy.max_attempts if failure is DOWN else 3
    assert len([each for each in driver.sent if "/" in each]) <= most
    [note] = caught.value.__notes__
    assert note.startswith(f"files saved: 0; not saved: {MANY} (")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_note_names_what_has_arrived_and_what_has_not(kind: str, tmp_path: Path) -> None:
    driver = PatientDriver(FailingStorage(3, DOWN).answer)
    with pytest.raises(AnswerError) as caught:
        driver.run(KINDS[kind](tmp_path))
    names = [f"r.{number}.parquet" for number in range(MANY)] if kind == "exports of a history" else NAMES
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names[:3])
    arrived, missing = ", ".join(names[:3]), ", ".join(names[3:8])
    assert caught.value.__notes__ == [f"files saved: 3 ({arrived}); not saved: {MANY - 3} ({missing}, …)"]
    assert pickle.loads(pickle.dumps(caught.value)).__notes__ == caught.value.__notes__


@pytest.mark.parametrize("kind", KINDS)
def test_a_deadline_notes_it_too(kind: str, tmp_path: Path) -> None:
    driver = PatientDriver(FailingStorage(5, DOWN).answer, took=1, deadline=9)
    with pytest.raises(TransportError, match="deadline") as caught:
        driver.run(KINDS[kind](tmp_path))
    assert caught.value.__notes__[0].startswith("files saved: 5 (")


@pytest.mark.posix
def test_copies_and_files_that_are_there_count(tmp_path: Path) -> None:
    same = [held(name, b"same") for name in ("a", "b", "c\n")]
    there = held("d", b"there")
    (tmp_path / "d").write_bytes(b"there")

    def answer(effect: Effect) -> Response | RunqlError | None:
        if isinstance(effect, Offload):
            if (tmp_path / "b").exists():
                return LocalFileError("no", OSError(28, "disk full"))
            effect.work()
            return None
        if not isinstance(effect, Download):
            return listed("a", "b", "c\n")
        assert effect.sink is not None
        effect.sink.begin(200, {})
        effect.sink.take(b"same")
        return Response(200, b"")

    with pytest.raises(LocalFileError) as caught:
        served(download_entries(source(*same, there), [*same, there], tmp_path, DownloadOptions(1)), answer)
    assert caught.value.__notes__ == ["files saved: 2 (a, b); not saved: 1 (c\\n)"]


def test_one_file_gets_no_note(tmp_path: Path) -> None:
    def answer(effect: Effect) -> Response | None:
        if isinstance(effect, Offload):
            effect.work()
            return None
        return DOWN if isinstance(effect, Download) else listed("a")

    with pytest.raises(AnswerError) as caught:
        served(download_entries(source(held("a")), [held("a")], tmp_path, DownloadOptions(1)), answer)
    assert not hasattr(caught.value, "__notes__")
