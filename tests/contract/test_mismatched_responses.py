"""Responses to other requests: each public call refuses what is not about what it asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest
from tests.contract.both_clients import Face, PassingTransport
from tests.contract.every_call import DOWNLOADING, EVERY, FILE, READING, WRITING, Subjects, furnish
from tests.contract.untyped import taken

from runql import DeletionUnconfirmedError, JSONValue, MismatchedResponseError, SchemaDriftError
from runql_server.running import RunningServer

pytestmark = pytest.mark.nightly

CALLS = READING | DOWNLOADING | WRITING

# What no response to the call says: which of the project's runs or artifacts it is about.
SAYS_ONLY_THE_PROJECT = {
    *(
        "runs",
        "runs(lazy)",
        "runs.length",
        "runs.typed",
        "runs.histories",
        "runs.scan_histories",
        "sweep.runs",
    ),
    *("runs.to_polars", "runs.first", "runs.one"),
    *("light run.load", "project", "project.runs", "project.sweeps", "artifact_types"),
    *("project.collections", "create_project"),
}

# `usedBy` and `createdBy` lead to runs wherever they are; so does everything that is found by one of the server's own ids.
SAYS_ONLY_THE_ID = {
    *("artifact.manifest", "artifact.files", "artifact.used_by", "artifact.logged_by", "artifact.download"),
    *("artifact.save", "collection.save", "run.update", "run.summary.update", "run.use_artifact"),
}


class Mixed(PassingTransport):
    """Sends another request instead of each one that is given: the response is genuine, and is about something else.

    Attributes:
        other: what stands for what in the variables of these other requests.
        query: stands for every operation.
        mixed: how many requests became another.
    """

    def __init__(self) -> None:
        super().__init__()
        self.other: Mapping[str, str] = {}
        self.query: str | None = None
        self.mixed = 0

    def before(self, request: httpx.Request) -> httpx.Request:
        if request.method != "POST":
            return request
        sent = json.loads(request.content)
        other = (
            {"query": self.query} if self.query else {**sent, "variables": self._exchanged(sent["variables"])}
        )
        if other == sent:
            return request
        self.mixed += 1
        content = json.dumps(other).encode()
        headers = {name: value for name, value in request.headers.items() if name != "content-length"}
        return httpx.Request("POST", request.url, headers=headers, content=content)

    def _exchanged(self, value: JSONValue) -> JSONValue:
        if isinstance(value, dict):
            return {name: self._exchanged(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self._exchanged(each) for each in value]
        return self.other.get(value, value) if isinstance(value, str) else value


@pytest.fixture
def mixed() -> Mixed:
    return Mixed()


@pytest.fixture
def project(request: pytest.FixtureRequest, project: str) -> str:
    """A project of the test's own for calls that write, one of all others for those that read."""
    call: str = request.node.callspec.params["call"]
    return "only-read" if call in READING.keys() | DOWNLOADING.keys() else project


@pytest.fixture(scope="module")
def furnished() -> dict[str, tuple[str, str, str]]:
    """The sweeps of the projects that are there, by project."""
    return {}


@pytest.fixture
def sweep_ids(
    server: RunningServer, project: str, furnished: dict[str, tuple[str, str, str]]
) -> tuple[str, str, str]:
    """One sweep of the project, one of another project, and another one of the project."""
    if project not in furnished:
        other = furnish(server, f"{project}-other")
        sweep = furnish(server, project)
        furnished[project] = sweep, other, furnish_sweep(server, project)
    return furnished[project]


def furnish_sweep(server: RunningServer, project: str) -> str:
    from tests.contract.test_sweeps import make_sweep

    return make_sweep(server, project)


@pytest.fixture
def subjects(
    server: RunningServer,
    face: Face,
    mixed: Mixed,
    project: str,
    sweep_ids: tuple[str, str, str],
    tmp_path: Path,
) -> Subjects:
    api = face.api(server.url, server.api_key, transport=mixed)
    (tmp_path / FILE).write_text("notes")
    run = taken(face, api.run(f"{server.entity}/{project}/one"))
    taken(face, run.upload_file(FILE, root=tmp_path))
    return Subjects(face, api, f"{server.entity}/{project}", sweep_ids[0], tmp_path)


def must_refuse(call: str, subjects: Subjects, mixed: Mixed, other: Mapping[str, str]) -> None:
    mixed.other = other
    with pytest.raises(MismatchedResponseError, match="nothing of it was used") as caught:
        CALLS[call](subjects)
    assert mixed.mixed == 1
    assert caught.value.asked != caught.value.found


@pytest.mark.parametrize("call", sorted(CALLS.keys() - SAYS_ONLY_THE_ID))
def test_the_response_about_another_project(
    call: str, subjects: Subjects, mixed: Mixed, project: str, sweep_ids: tuple[str, str, str]
) -> None:
    must_refuse(call, subjects, mixed, {project: f"{project}-other", sweep_ids[0]: sweep_ids[1]})


@pytest.mark.parametrize("call", sorted(CALLS.keys() - SAYS_ONLY_THE_PROJECT))
def test_the_response_about_something_else_of_the_same_project(
    call: str, subjects: Subjects, mixed: Mixed, sweep_ids: tuple[str, str, str]
) -> None:
    other_run = subjects.take(subjects.api.run(f"{subjects.home}/two"))
    other_collection = subjects.take(subjects.api.artifact_collection("dataset", f"{subjects.home}/others"))
    other_artifact = subjects.take(subjects.api.artifact(f"{subjects.home}/rows:v0"))
    must_refuse(
        call,
        subjects,
        mixed,
        {
            "one": "two",
            subjects.run.storage_id: other_run.storage_id,
            subjects.artifact.id: other_artifact.id,
            subjects.collection.id: other_collection.id,
            subjects.artifact.digest: other_artifact.digest,
            "rows:v1": "rows:v0",
            "rows": "others",
            "dataset": "model"
            if call in {"artifact_type", "artifact_collections", "type.collections"}
            else "dataset",
            sweep_ids[0]: sweep_ids[2],
        },
    )


@pytest.mark.parametrize("call", sorted(EVERY.keys() - {"file.download"}))
def test_the_response_to_another_operation(call: str, subjects: Subjects, mixed: Mixed, project: str) -> None:
    """Its data has other fields: a field that was asked for is never taken for null."""
    place = f'name: "{project}", entityName: "local"'
    for query in (
        "{ viewer { id } }",
        "{ __typename }",
        f"{{ project({place}) {{ name entityName }} }}",
        f'{{ project({place}) {{ name entityName run(name: "one") {{ name }} }} }}',
    ):
        mixed.query, mixed.mixed = query, 0
        # What a lost response leaves open of a deletion is asked for, and here answered as wrongly.
        lost = call.endswith("delete")
        with pytest.raises(DeletionUnconfirmedError if lost else SchemaDriftError):
            EVERY[call](subjects)
        assert mixed.mixed == (2 if lost else 1)
