"""A closed client: every call says that it is closed and what to do, and what was read stays readable."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from tests.contract.both_clients import AnyApi, Face
from tests.contract.every_call import EVERY, FILE, Subjects, furnish
from tests.contract.untyped import Untyped, listed, taken

from runql import ClientClosedError, UnshareableError
from runql_server.running import RunningServer


@pytest.fixture
def api(server: RunningServer, face: Face) -> AnyApi:
    return face.api(server.url, server.api_key)


@pytest.fixture
def subjects(server: RunningServer, api: AnyApi, face: Face, project: str, tmp_path: Path) -> Subjects:
    sweep_id = furnish(server, project)
    (tmp_path / FILE).write_text("notes")
    home = f"{server.entity}/{project}"
    taken(face, taken(face, api.run(f"{home}/one")).upload_file(FILE, root=tmp_path))
    return Subjects(face, api, home, sweep_id, tmp_path)


@pytest.mark.parametrize("call", EVERY)
def test_each_call_says_that_the_client_is_closed(
    call: str, subjects: Subjects, server: RunningServer, face: Face
) -> None:
    taken(face, subjects.api.close())
    server.clear()
    with pytest.raises(ClientClosedError, match="make a new Api"):
        EVERY[call](subjects)
    assert server.requests == []


def test_what_was_read_stays_readable(subjects: Subjects, face: Face) -> None:
    runs = subjects.runs()
    ids = [run.id for run in listed(face, runs)]
    taken(face, subjects.api.close())
    assert [run.id for run in listed(face, runs)] == ids
    assert subjects.run.config == {"name": "one"}
    assert subjects.artifact.name == "rows:v1"


def test_a_list_and_a_scan_that_were_begun_say_so_too(subjects: Subjects, face: Face) -> None:
    runs = subjects.runs(per_page=1)
    scan = subjects.run.scan_history(page_size=2)
    assert Iteration(face, runs).next().id == "one"
    rows = Iteration(face, scan)
    assert rows.next()["_step"] == 0
    taken(face, subjects.api.close())
    with pytest.raises(ClientClosedError):
        listed(face, runs)
    with pytest.raises(ClientClosedError):
        rows.rest()


@pytest.mark.parametrize("name", ["kind", "collection"])
def test_a_record_that_other_processes_read_again_is_not_pickled(
    subjects: Subjects, name: str, server: RunningServer
) -> None:
    refused(getattr(subjects, name), server)


def test_no_list_but_that_of_runs_is_pickled(subjects: Subjects, server: RunningServer) -> None:
    for each in [
        subjects.run.files(),
        subjects.artifact.files(),
        subjects.run.logged_artifacts(),
        subjects.project.sweeps(),
        subjects.run.summary,
    ]:
        refused(each, server)


class Iteration:
    """Goes through what either face iterates, one item at a time."""

    def __init__(self, face: Face, many: Untyped) -> None:
        self._face = face
        self._items = iter(many) if face.name == "sync" else aiter(many)

    def next(self) -> Untyped:
        """The next item."""
        return next(self._items) if self._face.name == "sync" else taken(self._face, anext(self._items))

    def rest(self) -> list[Untyped]:
        """All further ones."""
        return listed(self._face, self._items)


def refused(subject: object, server: RunningServer) -> None:
    with pytest.raises(UnshareableError, match="pickled") as caught:
        pickle.dumps(subject)
    assert server.api_key not in f"{caught.value!r} {caught.value}"
