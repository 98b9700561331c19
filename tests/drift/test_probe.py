"""Probing: which requests it sends, that servers run nothing of them, and its verdict on servers that report little."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from graphql import (
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    parse,
)
from tests.drift import sdl_edits
from tests.drift.conftest import Connect
from tests.drift.schema_server import SchemaServer, ServerBehaviour
from tests.drift.sdl_editor import SdlEditor
from tests.drift.sdl_edits import Edit

from runql import AccessDeniedError, AuthenticationError
from runql.config import resolve_settings
from runql.drift import CheckedOperation, Report, check_server, probe
from runql.drift.operations.combined_document import combine
from runql.drift.operations.senders import known_senders
from runql.drift.probe.measures import depth_in_fields, measured
from runql.drift.probe.packing import count_tokens, operation_tokens
from runql.drift.probe.probe import HARMLESS, MARKER, MOST_REQUESTS
from runql.drift.schema.sources import known_sdl
from runql.transport.sync import RetryingClient
from runql_server.graphql import schema as server_schema
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

pytestmark = pytest.mark.nightly


def drifted() -> str:
    """Return the schema without two fields and an argument that operations use."""
    edited = SdlEditor(known_sdl())
    for coordinate in ("Run.state", "User.username", "Project.runs(order:)"):
        edited.remove(coordinate)
    return edited.sdl()


DRIFTED = {"Run.state", "User.username", "Project.runs(order:)"}


@pytest.fixture
def server() -> Iterator[SchemaServer]:
    with SchemaServer(known_sdl()) as running:
        yield running


def probed(
    server: SchemaServer, connect: Connect, known: GraphQLSchema, operations: list[CheckedOperation]
) -> Report:
    return connect(server.url).run(probe(known, operations, source=server.url))


def broken(report: Report) -> set[str]:
    return {finding.coordinate for finding in report.counting()}


@pytest.mark.parametrize("status", [200, 400])
def test_three_requests_and_no_variable(
    status: int,
    server: SchemaServer,
    connect: Connect,
    known: GraphQLSchema,
    operations: list[CheckedOperation],
) -> None:
    server.behaviour = ServerBehaviour(introspection=False, status=status)
    report = probed(server, connect, known, operations)
    assert (report.verdict(), report.requests, report.operations) == ("ok", 3, len(operations))
    assert report.notes == ()
    assert server.received[0]["query"] == HARMLESS
    assert len(server.received) == 3
    assert {each["operationName"] for each in server.received} == {MARKER}
    assert all(each["variables"] == {} for each in server.received)
    assert server.resolved == []


def test_every_operation_has_a_marker_and_what_is_named_is_harmless(
    server: SchemaServer, connect: Connect, known: GraphQLSchema, operations: list[CheckedOperation]
) -> None:
    probed(server, connect, known, operations)
    document = parse(server.received[1]["query"])
    roots = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    assert {node.name.value for node in roots if node.name} == {MARKER, *(each.name for each in operations)}
    for node in roots:
        last = node.selection_set.selections[-1]
        assert getattr(last, "name").value.startswith(MARKER)  # noqa: B009 - every selection here is a field
    assert any(node.operation is OperationType.MUTATION for node in roots)


@pytest.mark.parametrize(
    ("behaviour", "most"),
    [
        (ServerBehaviour(introspection=False), 3),
        (ServerBehaviour(introspection=False, status=400), 3),
        (ServerBehaviour(introspection=False, max_errors=100), 9),
        (ServerBehaviour(introspection=False, max_errors=20), MOST_REQUESTS),
        (ServerBehaviour(introspection=False, max_bytes=6000), MOST_REQUESTS),
        (ServerBehaviour(introspection=False, without_locations=True), 2 * MOST_REQUESTS),
    ],
    ids=["200", "400", "100 errors", "20 errors", "413", "no locations"],
)
def test_the_verdict_is_the_same_however_little_the_server_reports(
    behaviour: ServerBehaviour,
    most: int,
    server: SchemaServer,
    connect: Connect,
    known: GraphQLSchema,
    operations: list[CheckedOperation],
) -> None:
    server.behaviour = behaviour
    server.serve(drifted())
    report = connect(server.url).run(probe(known, operations, most_requests=2 * MOST_REQUESTS))
    assert broken(report) >= DRIFTED
    assert report.unchecked == ()
    assert report.requests == len(server.received) + _refused(behaviour, report, server) <= most
    assert {use.operation for each in report.counting() for use in each.uses} >= {
        "GetRunState",
        "GetViewer",
        "ListRuns",
    }
    assert server.resolved == []


def _refused(behaviour: ServerBehaviour, report: Report, server: SchemaServer) -> int:
    # The server does not record requests that are too large.
    return 0 if behaviour.max_bytes is None else report.requests - len(server.received)


def test_a_server_that_reports_one_error_proves_validity_and_no_types(
    server: SchemaServer, connect: Connect, known: GraphQLSchema, operations: list[CheckedOperation]
) -> None:
    server.behaviour = ServerBehaviour(introspection=False, max_errors=1)
    report = probed(server, connect, known, operations)
    assert report.verdict() == "unchecked"
    assert {each.subject for each in report.unchecked} == {each.name for each in operations}
    assert report.accepting_unproved().verdict() == "ok"
    assert report.requests == 5
    assert "the server reports one error of a document" in report.notes
    server.serve(drifted())
    report = probed(server, connect, known, operations)
    assert report.verdict() == "breaking"
    assert broken(report) <= DRIFTED
    assert server.resolved == []
    server.behaviour = ServerBehaviour(introspection=False)
    whole = probed(server, connect, known, operations)
    assert affected(report) <= affected(whole)
    left = {each.subject for each in report.unchecked if "may be others" in each.reason}
    assert affected(report) == left


def test_one_error_that_is_not_the_first_proves_nothing(
    server: SchemaServer, connect: Connect, known: GraphQLSchema, operations: list[CheckedOperation]
) -> None:
    """As of a server that checks the document once for each rule, and ends with the first rule that is broken."""
    server.behaviour = ServerBehaviour(introspection=False, max_errors=1, sorts_errors=True)
    report = probed(server, connect, known, operations)
    assert {each.subject for each in report.unchecked if not each.is_valid} == {
        each.name for each in operations
    }
    assert report.requests <= MOST_REQUESTS


def affected(report: Report) -> set[str]:
    return {use.operation for each in report.counting() for use in each.uses}


@pytest.mark.parametrize("most_tokens", [1000, 500])
def test_a_limit_of_tokens_is_learned_from_the_first_refusal(
    most_tokens: int,
    server: SchemaServer,
    connect: Connect,
    known: GraphQLSchema,
    operations: list[CheckedOperation],
) -> None:
    server.behaviour = ServerBehaviour(introspection=False, max_tokens=most_tokens)
    report = connect(server.url).run(probe(known, operations, most_requests=2 * MOST_REQUESTS))
    too_large = {each.name for each in operations if operation_tokens(each) > most_tokens}
    assert {each.subject for each in report.unchecked if not each.is_valid} == too_large
    assert all("it refuses its requests, too" in each.reason for each in report.unchecked)
    assert f"the server allows {most_tokens:,} tokens a document" in report.notes
    assert report.counting() == ()
    refused = [each for each in server.received if count_tokens(each["query"]) > most_tokens]
    assert len(refused) == 1, "the others fit"
    server.serve(drifted())
    report = connect(server.url).run(probe(known, operations, most_requests=2 * MOST_REQUESTS))
    assert broken(report) == DRIFTED
    assert server.resolved == []


def test_a_403_to_one_document_is_about_that_document(
    server: SchemaServer, connect: Connect, known: GraphQLSchema, operations: list[CheckedOperation]
) -> None:
    server.behaviour = ServerBehaviour(introspection=False, forbidden="mutation StopRun(")
    report = connect(server.url).run(probe(known, operations))
    assert {each.subject for each in report.unchecked} == {"StopRun"}
    assert "status 403" in report.unchecked[0].reason
    assert report.counting() == ()
    server.behaviour = ServerBehaviour(introspection=False, forbidden=MARKER)
    with pytest.raises(AccessDeniedError):
        connect(server.url).run(probe(known, operations))


@pytest.mark.parametrize("status", [200, 400, 500, 503])
def test_a_firewall_that_refuses_introspection_alone_is_probed(
    status: int,
    server: SchemaServer,
    connect: Connect,
    known: GraphQLSchema,
    operations: list[CheckedOperation],
) -> None:
    for behaviour in (
        ServerBehaviour(forbidden="__schema", status=status),
        ServerBehaviour(introspection=False, status=status),
    ):
        server.behaviour = behaviour
        server.serve(known_sdl())
        report = connect(server.url).run(check_server(known, operations, source=""))
        assert (report.verdict(), len(server.received)) == ("ok", 4), report
        assert "probed instead" in report.notes[-1]


def test_the_time_is_bounded_and_the_rest_is_unchecked(
    server: SchemaServer, connect: Connect, known: GraphQLSchema, operations: list[CheckedOperation]
) -> None:
    server.behaviour = ServerBehaviour(introspection=False, max_errors=2)
    seconds = count()
    report = connect(server.url).run(
        probe(known, operations, most_seconds=9, clock=lambda: float(next(seconds)))
    )
    assert report.verdict() == "unchecked"
    assert any("within 9 s" in each.reason for each in report.unchecked)


def test_armors_defaults_get_a_verdict(
    server: SchemaServer, connect: Connect, known: GraphQLSchema, operations: list[CheckedOperation]
) -> None:
    server.behaviour = ServerBehaviour(introspection=False, max_tokens=1000, max_depth=6)
    report = probed(server, connect, known, operations)
    depths = measured(combine(operations).source, depth_in_fields)
    refused = {each.name for each in operations if operation_tokens(each) > 1000 or depths[each.name] > 6}
    assert {each.subject for each in report.unchecked} == refused
    assert report.counting() == ()
    assert report.requests <= MOST_REQUESTS
    server.serve(drifted())
    report = probed(server, connect, known, operations)
    assert report.verdict() == "breaking"
    assert broken(report) <= DRIFTED
    assert server.resolved == []


def retyped(coordinate: str, written: str) -> str:
    """Return the schema with a field of another type."""
    edited = SdlEditor(known_sdl())
    sdl_edits.retype(coordinate, written)(edited)
    return edited.sdl()


@pytest.mark.parametrize(
    ("coordinate", "written"),
    [
        ("Run.createdAt", "String!"),
        ("Artifact.createdAt", "Timestamp!"),
        ("Artifact.size", "Int!"),
        ("Artifact.state", "String!"),
    ],
)
def test_values_that_decode_all_the_same_are_dangerous(
    coordinate: str,
    written: str,
    server: SchemaServer,
    connect: Connect,
    known: GraphQLSchema,
    operations: list[CheckedOperation],
) -> None:
    server.behaviour = ServerBehaviour(introspection=False)
    server.serve(f"{retyped(coordinate, written)}\nscalar Timestamp")
    report = probed(server, connect, known, operations)
    assert report.verdict() == "ok"
    [finding] = [each for each in report.findings if each.coordinate == coordinate]
    assert (finding.level, finding.rule) == ("dangerous", "field-type-changed")
    assert "another form" in finding.message


def test_the_fields_of_another_object_are_not_proved(
    server: SchemaServer, connect: Connect, known: GraphQLSchema, operations: list[CheckedOperation]
) -> None:
    server.behaviour = ServerBehaviour(introspection=False)
    coordinate = "ArtifactAlias.artifactCollection"
    server.serve(retyped(coordinate, "ArtifactSequence"))
    report = probed(server, connect, known, operations)
    assert report.verdict() == "unchecked"
    assert {each.reason for each in report.undecided} == {
        f"it is valid, but {coordinate} returns ArtifactSequence now, whose fields the server does not reveal"
    }
    assert [each.level for each in report.findings if each.coordinate == coordinate] == ["dangerous"]


def test_the_number_of_requests_is_bounded_and_the_rest_is_unchecked(
    server: SchemaServer, connect: Connect, known: GraphQLSchema, operations: list[CheckedOperation]
) -> None:
    server.behaviour = ServerBehaviour(introspection=False, max_errors=2)
    report = connect(server.url).run(probe(known, operations, most_requests=9))
    assert report.requests <= 9
    assert report.verdict() == "unchecked"
    assert any("within 9 requests" in each.reason for each in report.unchecked)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (
            ServerBehaviour(masked_message="internal system error"),
            "does not say what is wrong with a query: 'internal system error'",
        ),
        (ServerBehaviour(validates=False), "it does not validate"),
        (ServerBehaviour(max_bytes=1), "no GraphQL response (status 413)"),
    ],
    ids=["masked", "runs anything", "no answer"],
)
def test_a_server_that_does_not_show_that_it_validates_gets_no_mutation(
    behaviour: ServerBehaviour,
    reason: str,
    server: SchemaServer,
    connect: Connect,
    known: GraphQLSchema,
    operations: list[CheckedOperation],
) -> None:
    server.behaviour = behaviour
    report = probed(server, connect, known, operations)
    assert report.verdict() == "unchecked"
    assert report.exit_code() == 2
    assert report.requests == 1
    assert all(each["query"] == HARMLESS for each in server.received)
    assert len(report.unchecked) == len(operations)
    assert all(reason in each.reason for each in report.unchecked)


@pytest.fixture
def seeded(tmp_path: Path) -> Iterator[RunningServer]:
    with RunningServer(tmp_path / "data") as running:
        running.seed("mnist", [SeedRun(name="a", summary={"loss": 0.5}, history=[{"_step": 0, "loss": 1.0}])])
        yield running


def test_the_embedded_server_runs_nothing_and_keeps_every_byte(
    seeded: RunningServer,
    known: GraphQLSchema,
    operations: list[CheckedOperation],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    called: list[str] = []
    for described in server_schema.load().type_map.values():
        if isinstance(described, GraphQLObjectType) and not described.name.startswith("__"):
            for name, field in described.fields.items():
                monkeypatch.setattr(field, "resolve", recording_resolver(called, f"{described.name}.{name}"))
    before = contents(seeded.data_dir)
    settings = resolve_settings(base_url=seeded.url, api_key=seeded.api_key)
    with RetryingClient(settings) as client:
        report = client.run(probe(known, operations))
    assert (report.verdict(), report.requests) == ("ok", 3)
    assert any(each.definition.kind == "mutation" for each in operations)
    assert called == []
    assert contents(seeded.data_dir) == before


def recording_resolver(called: list[str], name: str) -> Callable[..., None]:
    """Make a resolver that records its call."""

    def resolve(*_given: object, **_arguments: object) -> None:
        called.append(name)

    return resolve


def contents(folder: Path) -> dict[str, bytes]:
    """Read every file, except SQLite's shared-memory index, which readers write too."""
    return {
        each.name: each.read_bytes()
        for each in folder.rglob("*")
        if each.is_file() and not each.name.endswith("-shm")
    }


def test_a_wrong_key_is_an_authentication_error(
    seeded: RunningServer, known: GraphQLSchema, operations: list[CheckedOperation]
) -> None:
    settings = resolve_settings(base_url=seeded.url, api_key="0" * 40)
    with RetryingClient(settings) as client, pytest.raises(AuthenticationError):
        client.run(probe(known, operations))
    assert len(seeded.requests) == 1


def test_nested_input_types_are_probed_too(
    server: SchemaServer, connect: Connect, known: GraphQLSchema, operations: list[CheckedOperation]
) -> None:
    edited = SdlEditor(known_sdl())
    edited.retype("UploadPartsInput.partNumber", "String!")
    server.serve(edited.sdl())
    report = probed(server, connect, known, operations)
    nested = known_senders().inputs.get("UploadPartsInput", frozenset())
    assert broken(report) == ({"UploadPartsInput.partNumber"} if "partNumber" in nested else set())
    edited.remove("TagInput.tagName")
    edited.add_field("TagInput", "label: String!")
    server.serve(edited.sdl())
    assert {"TagInput.tagName", "TagInput.label"} <= broken(probed(server, connect, known, operations))


TYPE_CHANGES: dict[str, tuple[str, Edit]] = {
    "null now": ("Run.name", sdl_edits.retype("Run.name", "String")),
    "a list now": ("Run.state", sdl_edits.retype("Run.state", "[String]")),
    "another scalar": ("Run.historyLineCount", sdl_edits.retype("Run.historyLineCount", "String")),
    "a required input field": (
        "UpsertBucketInput.brandNew",
        sdl_edits.add_field("UpsertBucketInput", "brandNew: Int!"),
    ),
    "an input field of another type": (
        "UpsertBucketInput.displayName",
        sdl_edits.retype("UpsertBucketInput.displayName", "[[Boolean]]"),
    ),
    "an enum value gone": (
        "ArtifactCollectionType.SEQUENCE",
        sdl_edits.replace_value("ArtifactCollectionType", "SEQUENCE", "OTHER"),
    ),
}


@pytest.mark.parametrize("change", TYPE_CHANGES)
def test_messages_alone_tell_which_type_changed(
    change: str,
    server: SchemaServer,
    connect: Connect,
    known: GraphQLSchema,
    operations: list[CheckedOperation],
) -> None:
    coordinate, edit = TYPE_CHANGES[change]
    edited = SdlEditor(known_sdl())
    edit(edited)
    server.behaviour = ServerBehaviour(introspection=False, without_locations=True)
    server.serve(edited.sdl())
    report = connect(server.url).run(probe(known, operations, most_requests=3 * MOST_REQUESTS))
    assert broken(report) == {coordinate}
    assert report.unchecked == ()
    assert server.resolved == []


def test_what_a_server_does_not_reveal_is_not_fine(
    server: SchemaServer, connect: Connect, known: GraphQLSchema, operations: list[CheckedOperation]
) -> None:
    """Without locations and in another order, a message about a field may be about that field of any type."""
    server.behaviour = ServerBehaviour(introspection=False, without_locations=True, sorts_errors=True)
    edited = SdlEditor(known_sdl())
    edited.retype("Run.name", "String")
    server.serve(edited.sdl())
    report = probed(server, connect, known, operations)
    assert (report.verdict(), report.exit_code()) == ("unchecked", 2)
    assert all(each.is_valid for each in report.unchecked)
    unproved = {each.subject: each.reason for each in report.unchecked}
    assert "does not reveal the types of" in unproved["ListRuns"]
    accepted = report.accepting_unproved()
    assert (accepted.verdict(), accepted.unchecked) == ("ok", ())
    assert any(each.startswith("accepted, ") and "ListRuns" in each for each in accepted.notes)
