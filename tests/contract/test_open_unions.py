"""Unions are open: a type that a newer server adds is no error, and a known one that does not fit stays one."""

from __future__ import annotations

import json

import httpx
import pytest
from tests.contract.both_clients import Face
from tests.contract.intercepting import Fault, InterceptingTransport, Sent
from tests.contract.untyped import taken

from runql import JSONValue, SchemaDriftError
from runql_graphql.get_artifact_creator import GetArtifactCreator, GetArtifactCreatorArtifactCreatedByOther
from runql_server.running import RunningServer
from runql_server.seed import SeedRun
from runql_server.seed_artifacts import SeedArtifact


def created_by(creator: JSONValue) -> dict[str, JSONValue]:
    return {"artifact": {"id": "x", "createdBy": creator, "place": creator}}


def test_an_unknown_type_is_a_member_of_its_own() -> None:
    found = GetArtifactCreator.model_validate(created_by({"__typename": "Automation"})).artifact
    assert found is not None
    assert isinstance(found.created_by, GetArtifactCreatorArtifactCreatedByOther)
    assert found.created_by.typename__ == "Automation"


@pytest.mark.parametrize("typename", ["Run", "User"])
def test_a_known_type_is_never_the_other_one(typename: str) -> None:
    creator: JSONValue = {"__typename": typename, "id": None}
    if typename == "Run":
        with pytest.raises(ValueError, match="a Run whose fields do not fit"):
            GetArtifactCreator.model_validate(created_by(creator))
    else:
        found = GetArtifactCreator.model_validate(created_by(creator)).artifact
        assert found is not None
        assert not isinstance(found.created_by, GetArtifactCreatorArtifactCreatedByOther)


@pytest.mark.parametrize("typename", ["Automation", "Run"])
def test_an_artifact_of_an_unknown_creator_was_logged_by_no_run(
    typename: str, face: Face, server: RunningServer, project: str
) -> None:
    server.seed(project, [SeedRun(name="one")])
    server.seed_artifacts(project, [SeedArtifact(name="rows", files={"a.csv": b"a\n"}, logged_by="one")])

    def fault(sent: Sent) -> Fault:
        if sent.operation != "GetArtifactCreator" or sent.answer is None:
            return None
        body = json.loads(sent.answer)
        body["data"]["artifact"]["createdBy"] = body["data"]["artifact"]["place"] = {"__typename": typename}
        return httpx.Response(200, content=json.dumps(body).encode())

    api = face.api(server.url, server.api_key, transport=InterceptingTransport(fault))
    artifact = taken(face, taken(face, api).artifact(f"{server.entity}/{project}/rows:v0"))
    if typename == "Run":
        with pytest.raises(SchemaDriftError):
            taken(face, artifact.logged_by())
    else:
        assert taken(face, artifact.logged_by()) is None
