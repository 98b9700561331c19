"""A schema without mutations breaks every mutation, whatever source the schema comes from."""

from __future__ import annotations

import pytest
from graphql import GraphQLSchema, build_schema
from tests.drift.conftest import Connect
from tests.drift.schema_server import SchemaServer, ServerBehaviour
from tests.drift.sdl_editor import SdlEditor

from runql.drift import CheckedOperation, Report, check_server, compare
from runql.drift.schema.sources import known_sdl


def without_mutation_type() -> str:
    edited = SdlEditor(known_sdl())
    edited.remove_type("Mutation")
    return edited.sdl()


def without_mutation_root() -> str:
    """Return a schema that still has the type, but not as a root."""
    return f"{known_sdl()}\nschema {{ query: Query }}"


SCHEMAS = {"type removed": without_mutation_type, "no root": without_mutation_root}
each_schema = pytest.mark.parametrize("schema", SCHEMAS)


def check_report(report: Report, operations: list[CheckedOperation]) -> None:
    mutations = {each.name for each in operations if each.definition.kind == "mutation"}
    assert report.verdict() == "breaking"
    assert report.unchecked == ()
    [finding] = report.counting()
    assert finding.coordinate == "Mutation"
    assert {use.operation for use in finding.uses} == mutations


@each_schema
def test_a_file_without_mutations(
    schema: str, known: GraphQLSchema, operations: list[CheckedOperation]
) -> None:
    check_report(compare(known, build_schema(SCHEMAS[schema]()), operations), operations)


@pytest.mark.parametrize("introspection", [True, False], ids=["introspected", "probed"])
@each_schema
def test_a_server_without_mutations(
    schema: str,
    introspection: bool,
    known: GraphQLSchema,
    operations: list[CheckedOperation],
    connect: Connect,
) -> None:
    with SchemaServer(SCHEMAS[schema](), behaviour=ServerBehaviour(introspection=introspection)) as server:
        flow = check_server(known, operations, source="", introspection=introspection)
        check_report(connect(server.url).run(flow), operations)
        if not introspection:
            assert server.resolved == []
