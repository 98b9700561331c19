"""A field that a server does not know does not refuse a whole list: it is asked for once, and left out from then on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import pytest
from tests.contract.both_clients import Face
from tests.contract.intercepting import Fault, InterceptingTransport, Sent
from tests.contract.older_server import OlderServer
from tests.contract.test_sweeps import make_sweep
from tests.contract.untyped import Untyped, listed, taken

from runql import Api, OutdatedServerError, SchemaDriftError
from runql.transport.unknown_parts import optional_fields
from runql_graphql import operations
from runql_server.running import RunningServer
from runql_server.seed import SeedRun
from runql_server.seed_artifacts import SeedArtifact

SWEEPS: Final[dict[str, str]] = {}
"""The sweep of each project, whose name the server chose."""
UNSHOWN: Final = "ServerInfo.cliVersionInfo"
IN_ARCHIVES: Final = "Run.host"
REFUSED: Final = object()
"""What is seen of a member that raises `OutdatedServerError`."""

# The member that shows a field, and what it shows where the server does not know it.
MEMBERS: Final[dict[str, tuple[str, object]]] = {
    "Run.projectId": ("project_internal_id", REFUSED),
    "Run.group": ("group", None),
    "Run.jobType": ("job_type", None),
    "Run.commit": ("commit", None),
    "Run.description": ("description", None),
    "Run.notes": ("notes", None),
    "Run.readOnly": ("read_only", None),
    "Run.heartbeatAt": ("heartbeat_at", None),
    "Run.historyLineCount": ("history_line_count", None),
    "Run.user": ("user", None),
    "Run.systemMetrics": ("system_metrics", REFUSED),
    "Run.historyKeys": ("history_keys", None),
    "User.username": ("id", ...),
    "User.email": ("email", None),
    "User.admin": ("admin", None),
    "User.teams": ("teams", ()),
    "Project.updatedAt": ("updated_at", None),
    "Project.description": ("description", None),
    "Project.access": ("access", None),
    "Project.user": ("owner", None),
    "Project.isBenchmark": ("is_benchmark", REFUSED),
    "Sweep.displayName": ("display_name", None),
    "Sweep.description": ("description", None),
    "Sweep.bestLoss": ("best_loss", None),
    "Sweep.updatedAt": ("updated_at", None),
    "Sweep.runCountExpected": ("expected_run_count", None),
    "File.mimetype": ("mimetype", None),
    "File.md5": ("md5", None),
    "Artifact.commitHash": ("commit_hash", None),
    "Artifact.description": ("description", None),
    "Artifact.historyStep": ("history_step", None),
    "Artifact.ttlDurationSeconds": ("ttl", REFUSED),
    "Artifact.ttlIsInherited": ("ttl_is_inherited", REFUSED),
    "Artifact.updatedAt": ("id", ...),
    "Artifact.tags": ("tags", REFUSED),
    "ArtifactType.description": ("description", None),
    "ArtifactCollection.description": ("description", None),
    "ArtifactCollection.updatedAt": ("updated_at", None),
    "ArtifactCollection.tags": ("tags", REFUSED),
}


@dataclass(frozen=True)
class Asking:
    """A call, and the operation that it sends.

    Attributes:
        document: of the operation.
        call: from the `Api` and the project's path; what it gives is read to the end where it is a list.
    """

    document: str
    call: Callable[[Untyped, str], Untyped]


CALLS: Final[dict[str, Asking]] = {
    "runs": Asking(operations.LIST_FULL_RUNS, lambda api, home: api.runs(home)),
    "light runs": Asking(operations.LIST_RUNS, lambda api, home: api.runs(home, lazy=True)),
    "run": Asking(operations.GET_RUN, lambda api, home: api.run(f"{home}/run0")),
    "projects": Asking(operations.LIST_PROJECTS, lambda api, home: api.projects(home.partition("/")[0])),
    "project": Asking(operations.GET_PROJECT, lambda api, home: api.project(home)),
    "sweep": Asking(operations.GET_SWEEP, lambda api, home: api.sweep(f"{home}/{SWEEPS[home]}")),
    "users": Asking(operations.LIST_USERS, lambda api, home: api.users(home.partition("/")[0])),
    "artifact": Asking(operations.GET_ARTIFACT_MEMBERSHIP, lambda api, home: api.artifact(f"{home}/rows:v0")),
    "versions": Asking(
        operations.LIST_ARTIFACT_VERSIONS, lambda api, home: api.artifacts("dataset", f"{home}/rows")
    ),
    "kinds": Asking(operations.LIST_ARTIFACT_TYPES, lambda api, home: api.artifact_types(home)),
    "collections": Asking(
        operations.LIST_ARTIFACT_COLLECTIONS, lambda api, home: api.artifact_collections(home, "dataset")
    ),
}

# Lists that something which is read first leads to: the call, the list, the operation of the list.
LED_TO: Final[dict[str, tuple[Asking, Callable[[Untyped], Untyped]]]] = {
    "files": (
        Asking(operations.LIST_RUN_FILES, lambda api, home: api.run(f"{home}/run0")),
        lambda run: run.files(),
    ),
    "sweeps": (
        Asking(operations.LIST_SWEEPS, lambda api, home: api.project(home)),
        lambda project: project.sweeps(),
    ),
    "sweep of a run": (
        Asking(operations.GET_SWEEP, lambda api, home: api.run(f"{home}/run0")),
        lambda run: run.sweep,
    ),
    "logged artifacts": (
        Asking(operations.LIST_LOGGED_ARTIFACTS, lambda api, home: api.run(f"{home}/run0")),
        lambda run: run.logged_artifacts(),
    ),
    "used artifacts": (
        Asking(operations.LIST_USED_ARTIFACTS, lambda api, home: api.run(f"{home}/run1")),
        lambda run: run.used_artifacts(),
    ),
    "files of a version": (
        Asking(operations.LIST_ARTIFACT_FILES, lambda api, home: api.artifact(f"{home}/rows:v0")),
        lambda found: found.files(),
    ),
}


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """One server for all tests of this module: nothing here depends on what another test wrote."""
    with RunningServer() as running:
        yield running


@pytest.fixture(scope="module")
def home(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A project with something of everything."""
    path = f"{server.entity}/everything"
    SWEEPS[path] = sweep = make_sweep(server, "everything")
    server.seed(
        "everything",
        [SeedRun(name=f"run{n}", group="g", job_type="j", notes="n", sweep=sweep) for n in range(2)],
    )
    artifact = SeedArtifact(
        name="rows", files={"a.txt": b"a"}, tags=("small",), logged_by="run0", used_by=("run1",)
    )
    server.seed_artifacts("everything", [artifact])
    file = tmp_path_factory.mktemp("files") / "notes.txt"
    file.write_text("hello")
    with Api(base_url=server.url, api_key=server.api_key) as api:
        api.run(f"{path}/run0").upload_file(file, file.parent)
    return path


def read(face: Face, given: Untyped) -> list[Untyped]:
    """All items of a list, or the one thing that was given."""
    found = taken(face, given)
    if hasattr(found, "cursor"):
        return listed(face, found)
    # Not by its class: pyright would know nothing of what is in the list.
    return found if hasattr(found, "append") else [found]


def seen(item: Untyped, member: str) -> object:
    try:
        return getattr(item, member)
    except OutdatedServerError:
        return REFUSED


def check(items: list[Untyped], part: str) -> None:
    member, absent = MEMBERS[part]
    assert items
    for item in items:
        if absent is ...:
            assert seen(item, member)
        else:
            assert seen(item, member) == absent


CASES = [
    pytest.param(name, part, id=f"{name}-{part}")
    for name, asking in CALLS.items()
    for part in sorted(optional_fields(asking.document))
]


@pytest.mark.parametrize(("name", "part"), CASES)
def test_a_missing_field_costs_one_request_once(
    name: str, part: str, home: str, face: Face, server: RunningServer
) -> None:
    older = OlderServer(part)
    api = face.api(server.url, server.api_key, transport=older)
    for requests in (2, 3):
        check(read(face, CALLS[name].call(api, home)), part)
        assert len(older.asked) == requests, older.asked
    assert len(set(older.asked)) == 1


LED_CASES = [
    pytest.param(name, part, id=f"{name}-{part}")
    for name, (asking, _) in LED_TO.items()
    for part in sorted(optional_fields(asking.document))
]


@pytest.mark.parametrize(("name", "part"), LED_CASES)
def test_a_field_that_a_list_behind_something_lacks_costs_one_request_once(
    name: str, part: str, home: str, face: Face, server: RunningServer
) -> None:
    older = OlderServer(part)
    api = face.api(server.url, server.api_key, transport=older)
    asking, follow = LED_TO[name]
    owner = taken(face, asking.call(api, home))
    before = len(older.asked)
    check(read(face, follow(owner)), part)
    # The way there may have shown already that the field is unknown.
    is_known = before > 1
    assert len(older.asked) == before + (1 if is_known else 2)
    owner = taken(face, asking.call(api, home))
    check(read(face, follow(owner)), part)
    assert len(older.asked) == before + (3 if is_known else 4)


def test_every_droppable_field_is_looked_at_here() -> None:
    documents = [text for name, text in vars(operations).items() if name.isupper() and isinstance(text, str)]
    parts = {part for document in documents for part in optional_fields(document)}
    assert parts == {*MEMBERS, UNSHOWN, IN_ARCHIVES}
    assert parts - {UNSHOWN, IN_ARCHIVES} == {case.values[1] for case in [*CASES, *LED_CASES]}


def test_an_archive_is_written_without_a_field_that_the_server_lacks(
    home: str, face: Face, server: RunningServer, tmp_path: Path
) -> None:
    older = OlderServer(IN_ARCHIVES)
    api = face.api(server.url, server.api_key, transport=older)
    entity, name = home.split("/")
    archive = taken(face, taken(face, api.project(name, entity)).export(tmp_path / "archive"))
    assert archive.counts["runs"] == taken(face, taken(face, api.runs(home)).length)
    assert older.asked.count("ListRunExtras") > 1


def test_features_are_told_where_what_stands_beside_them_is_not(face: Face, server: RunningServer) -> None:
    older = OlderServer(UNSHOWN)
    api = face.api(server.url, server.api_key, transport=older)
    full = face.api(server.url, server.api_key)
    for requests in (2, 3):
        assert taken(face, api.capabilities()) == taken(face, full.capabilities())
        assert len(older.asked) == requests


def test_several_missing_fields_of_several_kinds_cost_one_request(
    home: str, face: Face, server: RunningServer
) -> None:
    lacking = ("Run.projectId", "Run.systemMetrics", "Run.user", "Run.group", "User.username")
    older = OlderServer(*lacking)
    api = face.api(server.url, server.api_key, transport=older)
    runs = read(face, taken(face, api.runs(home)))
    assert [run.id for run in runs] == ["run0", "run1"]
    assert (runs[0].user, runs[0].group, seen(runs[0], "system_metrics")) == (None, None, REFUSED)
    assert runs[0].config == {}
    assert older.asked == ["ListFullRuns"] * 2
    # Another operation with the same fields is not refused any more.
    taken(face, api.run(f"{home}/run0"))
    assert older.asked == ["ListFullRuns", "ListFullRuns", "GetRun"]


def test_a_server_that_names_one_field_at_a_time_is_asked_until_it_is_content(
    home: str, face: Face, server: RunningServer
) -> None:
    older = OlderServer("Run.projectId", "Run.group", "Run.notes", most_errors=1, status=200)
    api = face.api(server.url, server.api_key, transport=older)
    for requests in (4, 5):
        assert len(read(face, taken(face, api.runs(home)))) == 2
        assert len(older.asked) == requests


def test_a_field_that_is_needed_refuses_and_is_not_asked_for_again(
    home: str, face: Face, server: RunningServer
) -> None:
    older = OlderServer("Run.config", "Run.projectId")
    api = face.api(server.url, server.api_key, transport=older)
    with pytest.raises(OutdatedServerError) as caught:
        read(face, taken(face, api.runs(home)))
    assert set(caught.value.unknown) == {"Run.config", "Run.projectId"}
    assert older.asked == ["ListFullRuns"]


def test_a_mutation_that_was_refused_for_a_field_is_sent_again(
    home: str, face: Face, server: RunningServer
) -> None:
    older = OlderServer("Run.jobType", "Run.projectId")
    api = face.api(server.url, server.api_key, transport=older)
    run = taken(face, api.run(f"{home}/run0"))
    run.notes = note = f"new on the {face.name} face"
    taken(face, run.update())
    assert older.asked == ["GetRun", "GetRun", "UpdateRun"]
    assert (run.notes, taken(face, api.run(f"{home}/run0")).notes) == (note, note)


def test_tags_that_the_server_does_not_know_are_not_taken_for_none(
    home: str, face: Face, server: RunningServer
) -> None:
    api = face.api(server.url, server.api_key, transport=OlderServer("Artifact.tags"))
    with pytest.raises(OutdatedServerError, match=r"Artifact\.tags"):
        read(face, taken(face, api.artifacts("dataset", f"{home}/rows", tags=["small"])))
    found = taken(face, api.artifact(f"{home}/rows:v0"))
    found.description = new = f"new on the {face.name} face"
    taken(face, found.save())
    full = face.api(server.url, server.api_key)
    again = taken(face, full.artifact(f"{home}/rows:v0"))
    assert (again.description, again.tags) == (new, ["small"])


def test_an_older_way_is_gone_at_once_when_it_is_known_to_be_needed(
    home: str, face: Face, server: RunningServer
) -> None:
    older = OlderServer("Project.artifactCollectionMembership")
    api = face.api(server.url, server.api_key, transport=older)
    for _ in range(2):
        assert taken(face, api.artifact(f"{home}/rows:v0")).version == "v0"
    assert older.asked == ["GetArtifactMembership", "GetNamedArtifact", "GetNamedArtifact"]


def test_younger_inputs_are_sent_once(home: str, face: Face, server: RunningServer) -> None:
    def fault(sent: Sent) -> Fault:
        younger = "usedAs" in sent.variables.get("input", {})
        if sent.answer is not None or not younger:
            return None
        message = 'Field "usedAs" is not defined by type "UseArtifactInput".'
        return httpx.Response(400, json={"errors": [{"message": message}]})

    transport = InterceptingTransport(fault)
    api = face.api(server.url, server.api_key, transport=transport)
    run = taken(face, api.run(f"{home}/run0"))
    found = taken(face, api.artifact(f"{home}/rows:v0"))
    transport.seen.clear()
    for requests in (2, 3):
        taken(face, run.use_artifact(found))
        assert [sent.operation for sent in transport.seen] == ["UseArtifact"] * requests


def rewritten(change: Callable[[Untyped], None]) -> InterceptingTransport:
    """A way to the server on which each run of an answer is changed."""

    def fault(sent: Sent) -> Fault:
        if sent.answer is None:
            return None
        answer = json.loads(sent.answer)
        project = answer["data"]["project"]
        runs = [edge["node"] for edge in project["runs"]["edges"]] if "runs" in project else [project["run"]]
        for run in runs:
            change(run)
        return httpx.Response(200, json=answer)

    return InterceptingTransport(fault)


@pytest.mark.parametrize(
    ("value", "number"), [(7, 7), ("7", 7), (None, REFUSED), ("UHJvamVjdDo3", REFUSED), ("", REFUSED)]
)
@pytest.mark.parametrize("lazy", [True, False])
def test_a_project_id_of_another_kind_refuses_no_list(
    value: object, number: object, lazy: bool, home: str, face: Face, server: RunningServer
) -> None:
    def change(run: Untyped) -> None:
        run["projectId"] = value

    transport = rewritten(change)
    api = face.api(server.url, server.api_key, transport=transport)
    runs = read(face, taken(face, api.runs(home, lazy=lazy)))
    assert [run.id for run in runs] == ["run0", "run1"]
    assert [seen(run, "project_internal_id") for run in runs] == [number] * 2
    assert runs[0].files() is not None
    assert len(transport.seen) == 1


def test_nulls_where_the_schema_has_none_refuse_no_list(home: str, face: Face, server: RunningServer) -> None:
    def change(run: Untyped) -> None:
        for name in ("projectId", "systemMetrics", "group", "user", "readOnly", "historyLineCount"):
            run[name] = None

    api = face.api(server.url, server.api_key, transport=rewritten(change))
    (first, _) = read(face, taken(face, api.runs(home)))
    assert (first.system_metrics, first.group, first.user, first.read_only) == ({}, None, None, None)


def test_what_is_still_needed_stays_strict(home: str, face: Face, server: RunningServer) -> None:
    def change(run: Untyped) -> None:
        run["name"] = None

    api = face.api(server.url, server.api_key, transport=rewritten(change))
    with pytest.raises(SchemaDriftError, match="name"):
        read(face, taken(face, api.runs(home)))


def test_only_of_what_is_known_to_be_younger_a_version_is_said(
    home: str, face: Face, server: RunningServer
) -> None:
    api = face.api(server.url, server.api_key, transport=OlderServer("Run.projectId", "Run.systemMetrics"))
    run = taken(face, api.run(f"{home}/run0"))
    with pytest.raises(OutdatedServerError) as younger:
        _ = run.project_internal_id
    with pytest.raises(OutdatedServerError) as foreign:
        _ = run.system_metrics
    assert (younger.value.unknown, foreign.value.unknown) == (("Run.projectId",), ("Run.systemMetrics",))
    assert str(younger.value).endswith("(W&B's own servers know Run.projectId since version 0.51)")
    assert "older than 0.51" not in f"{younger.value}{foreign.value}"
    assert str(foreign.value).endswith("(it is older than this runql, or not one of W&B's own)")


def test_a_file_is_not_deleted_without_the_projects_number(
    home: str, face: Face, server: RunningServer
) -> None:
    older = OlderServer("Run.projectId")
    api = face.api(server.url, server.api_key, transport=older)
    run = taken(face, api.run(f"{home}/run0"))
    (file,) = read(face, run.files(["notes.txt"]))
    with pytest.raises(OutdatedServerError, match=r"Run\.projectId \(W&B's own servers know"):
        taken(face, file.delete())
    assert "DeleteFiles" not in older.asked
