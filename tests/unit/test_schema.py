"""The pinned SDL: it is valid, documented where users need it, and honest about its sources."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import (
    DefinitionNode,
    DocumentNode,
    EnumTypeDefinitionNode,
    FieldDefinitionNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLString,
    InputObjectTypeDefinitionNode,
    InputValueDefinitionNode,
    InterfaceTypeDefinitionNode,
    ObjectTypeDefinitionNode,
    StringValueNode,
    TypeDefinitionNode,
    Visitor,
    build_schema,
    get_named_type,
    is_introspection_type,
    is_specified_scalar_type,
    parse,
    validate_schema,
    visit,
)

SDL = (Path(__file__).parents[2] / "schema" / "wandb.graphql").read_text(encoding="utf-8")
LINES = SDL.splitlines()

LETTERS = r"[WPGI](?: \(\d+\.\d+\.\d+\))?(?:, [WPGI](?: \(\d+\.\d+\.\d+\))?)*"
SOURCE_AT_END = re.compile(rf"(?:^|\s)Source: {LETTERS}\.\Z")
SOURCE_COMMENT = re.compile(rf"# {LETTERS}(?:; arguments {LETTERS})?\Z")

# The arguments and input objects that our operations, or the SDK's against our server, rely on.
ARGUMENTS = {
    "Query.project": "name entityName",
    "Query.model": "name entityName",
    "Query.projects": "entityName after before first last order",
    "Query.models": "entityName after first",
    "Query.entity": "name",
    "Query.users": "query",
    "Query.artifact": "id",
    "Query.artifactCollection": "id",
    "Project.run": "name",
    "Project.runs": "filters after first order",
    "Project.runCount": "filters",
    "Project.bucket": "name missingOk",
    "Project.sweep": "sweepName",
    "Project.sweeps": "after first filters",
    "Project.artifact": "name enableTracking",
    "Project.artifactCollection": "name",
    "Project.artifactCollections": "after first filters order",
    "Project.artifactCollectionMembership": "name",
    "Project.artifactType": "name",
    "Project.artifactTypes": "after first includeAll",
    "Run.config": "keys",
    "Run.wandbConfig": "keys",
    "Run.summaryMetrics": "keys",
    "Run.history": "minStep maxStep samples",
    "Run.events": "samples",
    "Run.sampledHistory": "specs",
    "Run.parquetHistory": "liveKeys",
    "Run.files": "names after first pattern",
    "Run.logLines": "first last after useImprovedPagination",
    "Run.inputArtifacts": "after first",
    "Run.outputArtifacts": "after first",
    "File.url": "upload",
    "Artifact.usedBy": "after before first last filters order",
    "Artifact.aliases": "artifactCollectionName",
    "Artifact.versionIndex": "artifactCollectionName",
    "Artifact.commitHash": "artifactCollectionName",
    "Artifact.files": "names after first",
    "Artifact.filesByManifestEntries": ("entries storageLayout manifestVersion storageRegion after first"),
    "ArtifactCollection.artifactMembership": "aliasName",
    "ArtifactCollection.artifacts": "after first filters order",
    "ArtifactCollectionMembership.files": "names after first",
    "ArtifactType.artifact": "name",
    "ArtifactType.artifactCollection": "name",
    "ArtifactType.artifactCollections": "after first filters order",
}
INPUTS = [
    "UpsertBucketInput",
    "DeleteRunInput",
    "StopRunInput",
    "CreateRunFilesInput",
    "MarkRunFilesUploadedInput",
    "DeleteFilesInput",
    "CreateArtifactInput",
    "UseArtifactInput",
    "UpdateArtifactInput",
    "AddAliasesInput",
    "DeleteAliasesInput",
    "ArtifactAliasInput",
    "ArtifactCollectionAliasInput",
    "TagInput",
]
OPEN_TEXTS = ("Run.state", "Sweep.state", "Agent.state", "Project.access", "UpsertBucketInput.state")
SERVER_MAY_LACK = {
    "Run.projectId": "before 0.51",
    "ServerInfo.features": "Old servers",
    "FileConnection.totalCount": "TOTAL_COUNT_IN_FILE_CONNECTION",
    "Project.artifactCollectionMembership": "PROJECT_ARTIFACT_COLLECTION_MEMBERSHIP",
    "Artifact.digestAlgorithm": "0.31.0",
}


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema(SDL)


@pytest.fixture(scope="module")
def document() -> DocumentNode:
    return parse(SDL)


def field_description(schema: GraphQLSchema, path: str) -> str:
    type_name, field_name = path.split(".")
    return fields_of(schema, type_name).fields[field_name].description or ""


def fields_of(
    schema: GraphQLSchema, type_name: str
) -> GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType:
    found = schema.type_map[type_name]
    assert isinstance(found, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType)
    return found


def field_nodes(
    definition: DefinitionNode,
) -> tuple[FieldDefinitionNode | InputValueDefinitionNode, ...]:
    if isinstance(
        definition, ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode | InputObjectTypeDefinitionNode
    ):
        return tuple(definition.fields)
    return ()


def descriptions(document: DocumentNode) -> Iterator[str]:
    class Collector(Visitor):
        found: list[str]

        def __init__(self) -> None:
            super().__init__()
            self.found = []

        def enter_string_value(self, node: StringValueNode, *_: object) -> None:
            self.found.append(node.value)

    collector = Collector()
    visit(document, collector)
    yield from collector.found


def test_the_sdl_is_a_valid_schema(schema: GraphQLSchema) -> None:
    assert validate_schema(schema) == []


def test_every_type_has_a_description_with_its_source(schema: GraphQLSchema) -> None:
    own = [
        named
        for named in schema.type_map.values()
        if not is_introspection_type(named) and not is_specified_scalar_type(named)
    ]
    undocumented = [named.name for named in own if not SOURCE_AT_END.search(named.description or "")]
    assert len(own) > 150
    assert undocumented == []


def test_every_type_says_more_than_its_source(document: DocumentNode) -> None:
    for definition in document.definitions:
        assert isinstance(definition, TypeDefinitionNode)
        assert definition.description is not None
        assert not definition.description.value.startswith("Source:"), definition.name.value


@pytest.mark.parametrize("path", ARGUMENTS)
def test_every_argument_relied_on_is_described(schema: GraphQLSchema, path: str) -> None:
    type_name, field_name = path.split(".")
    owner = fields_of(schema, type_name)
    assert not isinstance(owner, GraphQLInputObjectType)
    arguments = owner.fields[field_name].args
    missing = [
        name
        for name in ARGUMENTS[path].split()
        if name not in arguments or not SOURCE_AT_END.search(arguments[name].description or "")
    ]
    assert missing == []


@pytest.mark.parametrize("name", INPUTS)
def test_every_input_field_relied_on_is_described(schema: GraphQLSchema, name: str) -> None:
    fields = fields_of(schema, name).fields
    missing = [key for key, field in fields.items() if not SOURCE_AT_END.search(field.description or "")]
    assert missing == []


@pytest.mark.parametrize("path", OPEN_TEXTS)
def test_texts_the_server_may_extend_are_no_enums(schema: GraphQLSchema, path: str) -> None:
    type_name, field_name = path.split(".")
    field = fields_of(schema, type_name).fields[field_name]
    assert get_named_type(field.type) is GraphQLString


def test_enums_are_only_those_with_a_generated_source_or_that_we_send(schema: GraphQLSchema) -> None:
    enums = {
        name
        for name, named in schema.type_map.items()
        if isinstance(named, GraphQLEnumType) and not is_introspection_type(named)
    }
    assert enums == {
        "ArtifactCollectionState",
        "ArtifactCollectionType",
        "ArtifactDigestAlgorithm",
        "ArtifactManifestType",
        "ArtifactState",
        "ArtifactStorageLayout",
        "CompleteMultipartAction",
        "RampIDType",
    }


def test_a_description_that_names_a_source_ends_with_known_letters(document: DocumentNode) -> None:
    sourced = [text for text in descriptions(document) if "Source:" in text]
    assert len(sourced) > 400
    assert [text for text in sourced if not SOURCE_AT_END.search(text)] == []


def test_every_field_names_its_source_in_its_description_or_in_a_comment(document: DocumentNode) -> None:
    unsourced: list[str] = []
    for definition in document.definitions:
        assert isinstance(definition, TypeDefinitionNode)
        for field in field_nodes(definition):
            assert field.loc is not None
            in_words = field.description is not None and SOURCE_AT_END.search(field.description.value)
            last_line = LINES[field.loc.end_token.line - 1]
            if not in_words and not SOURCE_COMMENT.search(last_line):
                unsourced.append(f"{definition.name.value}.{field.name.value}")
    assert unsourced == []


def test_every_enum_value_is_described(document: DocumentNode) -> None:
    undocumented = [
        f"{definition.name.value}.{value.name.value}"
        for definition in document.definitions
        if isinstance(definition, EnumTypeDefinitionNode)
        for value in definition.values
        if value.description is None
    ]
    assert undocumented == []


def test_the_two_meanings_of_max_step_are_told_apart(schema: GraphQLSchema) -> None:
    run = schema.type_map["Run"]
    assert isinstance(run, GraphQLObjectType)
    assert "EXCLUSIVE" in (run.fields["history"].args["maxStep"].description or "")
    assert "INCLUSIVE" in (run.fields["sampledHistory"].args["specs"].description or "")


@pytest.mark.parametrize("path", SERVER_MAY_LACK)
def test_fields_that_some_servers_lack_say_so(schema: GraphQLSchema, path: str) -> None:
    assert SERVER_MAY_LACK[path] in field_description(schema, path)
