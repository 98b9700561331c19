"""A comparison says of a change what an oracle says: operations validate, inputs coerce, responses decode, or it breaks."""

from __future__ import annotations

import re

import pytest
from graphql import GraphQLSchema, build_schema
from tests.drift import sdl_edits
from tests.drift.oracle import Oracle
from tests.drift.schema_changes import SchemaChange, all_changes
from tests.drift.sdl_editor import SdlEditor
from tests.drift.sdl_edits import Edit
from tests.profiles import quick_part, usual_part

from runql.drift import CheckedOperation, Report, compare, user_operations
from runql.drift.findings import Level
from runql.drift.schema.sources import known_sdl

pytestmark = pytest.mark.nightly

CHANGES = quick_part(
    usual_part(all_changes(), lambda each: (each.kind, each.is_unused_part, each.breaks)),
    lambda each: each.kind,
)
PARSES = "runql parses values of"
"""What a comparison knows, and the oracle does not: a method reads more from a value than its type says."""


@pytest.fixture(scope="module")
def oracle(known: GraphQLSchema, operations: list[CheckedOperation]) -> Oracle:
    """The oracle of the operations of runql, and of a team."""
    return Oracle(known, operations)


def check(oracle: Oracle, found: GraphQLSchema, report: Report) -> None:
    """Compare a report with the oracle, in both directions."""
    broken = {each.operation: each.reason for each in oracle.broken(found)}
    hit = {use.operation for each in report.counting() for use in each.uses}
    assert broken.keys() <= hit, broken
    unexplained = [each for each in report.counting() if PARSES not in each.message]
    assert bool(unexplained) <= bool(broken), unexplained


def test_nothing_breaks_under_the_known_schema(oracle: Oracle, known: GraphQLSchema) -> None:
    assert list(oracle.broken(known)) == []


@pytest.mark.parametrize("change", CHANGES, ids=lambda each: each.name)
def test_changes(
    change: SchemaChange, oracle: Oracle, known: GraphQLSchema, operations: list[CheckedOperation]
) -> None:
    found = build_schema(change.sdl)
    assert bool(list(oracle.broken(found))) == change.breaks
    check(oracle, found, compare(known, found, operations))


TYPES: list[tuple[str, Edit, str, Level]] = [
    ("a time is a str", sdl_edits.retype("Run.createdAt", "String!"), "Run.createdAt", "dangerous"),
    ("a time is a number", sdl_edits.retype("Run.createdAt", "Int!"), "Run.createdAt", "breaking"),
    ("a scalar is renamed", sdl_edits.rename_type("DateTime", "Timestamp"), "Run.createdAt", "dangerous"),
    (
        "JSON is a str of JSON",
        sdl_edits.retype("Run.historyKeys", "JSONString"),
        "Run.historyKeys",
        "breaking",
    ),
    ("a str of JSON is any", sdl_edits.retype("Run.config", "String"), "Run.config", "breaking"),
    ("a str of JSON is JSON", sdl_edits.retype("Run.config", "JSON"), "Run.config", "breaking"),
    ("a long int is an int", sdl_edits.retype("Artifact.size", "Int!"), "Artifact.size", "dangerous"),
    ("a long int is a str", sdl_edits.retype("Artifact.size", "String!"), "Artifact.size", "breaking"),
    (
        "an int is a float",
        sdl_edits.retype("Artifact.versionIndex", "Float"),
        "Artifact.versionIndex",
        "breaking",
    ),
    (
        "a duration is an int",
        sdl_edits.retype("Run.computeSeconds", "Int!"),
        "Run.computeSeconds",
        "dangerous",
    ),
    ("a str is an ID", sdl_edits.retype("Artifact.commitHash", "ID"), "Artifact.commitHash", "dangerous"),
    (
        "a str is an enum",
        sdl_edits.retype("Artifact.commitHash", "RampIDType"),
        "Artifact.commitHash",
        "dangerous",
    ),
    (
        "a str is a scalar",
        sdl_edits.retype("Artifact.commitHash", "DateTime"),
        "Artifact.commitHash",
        "dangerous",
    ),
    ("an enum is a str", sdl_edits.retype("Artifact.state", "String!"), "Artifact.state", "dangerous"),
    (
        "an interface is an object of it",
        sdl_edits.retype("ArtifactAlias.artifactCollection", "ArtifactSequence"),
        "ArtifactAlias.artifactCollection",
        "dangerous",
    ),
    (
        "a type is renamed that no operation names",
        sdl_edits.rename_type("FileConnection", "OtherFileConnection"),
        "Run.files",
        "dangerous",
    ),
]


@pytest.mark.parametrize(
    ("edit", "coordinate", "level"), [each[1:] for each in TYPES], ids=[each[0] for each in TYPES]
)
def test_changes_of_types(
    edit: Edit,
    coordinate: str,
    level: Level,
    oracle: Oracle,
    known: GraphQLSchema,
    operations: list[CheckedOperation],
) -> None:
    edited = SdlEditor(known_sdl())
    edit(edited)
    found = build_schema(edited.sdl())
    report = compare(known, found, operations)
    check(oracle, found, report)
    assert {each.level for each in report.findings if each.coordinate == coordinate} == {level}


def test_an_object_of_another_type_breaks_where_a_field_in_use_has_another_type(
    oracle: Oracle, known: GraphQLSchema, operations: list[CheckedOperation]
) -> None:
    sdl = re.sub(r"\bFileConnection\b", "OtherConnection", known_sdl())
    start = sdl.index("type OtherConnection")
    found = build_schema(sdl[:start] + sdl[start:].replace("pageInfo: PageInfo!", "pageInfo: PageInfo", 1))
    report = compare(known, found, operations)
    check(oracle, found, report)
    assert any("OtherConnection.pageInfo has the type" in each.message for each in report.counting())


@pytest.mark.parametrize(
    ("was", "becomes", "level"),
    [
        ("Odd", "Even", "dangerous"),
        ("Odd", "String", "dangerous"),
        ("Odd", "Int", "breaking"),
        ("String", "Odd", "breaking"),
        ("JSON", "String", "dangerous"),
        ("Float", "Int", "dangerous"),
        ("Int", "Float", "breaking"),
        ("[Float!]!", "[Int!]!", "dangerous"),
        ("[Float!]!", "[Int]!", "breaking"),
        ("ID", "Int", "breaking"),
    ],
)
def test_types_that_a_teams_operation_receives(
    was: str, becomes: str, level: Level, tmp_path_factory: pytest.TempPathFactory
) -> None:
    scalars = "scalar Odd scalar Even scalar JSON"
    before, after = (build_schema(f"{scalars} type Query {{ a: {each} }}") for each in (was, becomes))
    path = tmp_path_factory.mktemp("queries") / "team.graphql"
    path.write_text("query Team { a }")
    [finding] = compare(before, after, user_operations(path)).findings
    assert finding.level == level
    assert [use.operation for use in finding.uses] == ["Team"]


@pytest.mark.parametrize(
    ("was", "becomes", "level"),
    [
        ("Int", "Float", "dangerous"),
        ("Int", "ID", "dangerous"),
        ("Float", "Int", "breaking"),
        ("String", "ID", "dangerous"),
        ("String", "Odd", "breaking"),
        ("Kind", "String", "dangerous"),
        ("String", "Kind", "breaking"),
        ("Odd", "Even", "dangerous"),
        ("Odd", "String", "dangerous"),
        ("In", "Same", "dangerous"),
        ("In", "Other", "breaking"),
        ("In", "More", "breaking"),
        ("In", "Less", "breaking"),
    ],
)
def test_types_that_a_teams_operation_sends(
    was: str, becomes: str, level: Level, tmp_path_factory: pytest.TempPathFactory
) -> None:
    types = """
    scalar Odd scalar Even enum Kind { ONE }
    input In { a: Int b: String } input Same { a: Int b: String } input Other { a: String b: String }
    input More { a: Int b: String c: Int! } input Less { a: Int }
    """
    before, after = (
        build_schema(f"{types} input Given {{ x: {each} }} type Query {{ a(given: Given): Int }}")
        for each in (was, becomes)
    )
    path = tmp_path_factory.mktemp("queries") / "team.graphql"
    path.write_text("query Team($given: Given) { a(given: $given) }")
    [finding] = compare(before, after, user_operations(path)).findings
    assert finding.level == level
    assert [use.operation for use in finding.uses] == ["Team"]
