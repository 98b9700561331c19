"""A server that keeps what it was asked to change of an artifact: the call says so, and memory holds the server's truth."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from tests.contract.both_clients import Face
from tests.contract.intercepting import Fault, InterceptingTransport, Sent
from tests.contract.untyped import Untyped, taken

from runql import AccessDeniedError, IncompleteUpdateError
from runql_server.running import RunningServer

Change = Callable[[Untyped], object]


def changed(artifact: Untyped, **values: object) -> None:
    for name, value in values.items():
        setattr(artifact, name, value)


CHANGES: dict[str, tuple[Change, tuple[str, ...]]] = {
    "description": (lambda artifact: changed(artifact, description=None), ("description",)),
    "metadata": (
        lambda artifact: changed(artifact, metadata={"rows": 2, "source": {}}),
        ("metadata.rows", "metadata.source.kind"),
    ),
    "tag added": (lambda artifact: artifact.tags.append("new"), ("tags",)),
    "tag taken": (lambda artifact: artifact.tags.remove("small"), ("tags",)),
    "ttl": (lambda artifact: changed(artifact, ttl=timedelta(days=1)), ("ttl",)),
}


@pytest.fixture
def stubborn(server: RunningServer, face: Face, home: str) -> Untyped:
    """An artifact whose server changes nothing, and answers as if it had."""
    read: list[dict[str, Any]] = []  # Any: JSON

    def keep(sent: Sent) -> Fault:
        if sent.operation == "GetArtifactMembership" and sent.answer is not None:
            project = json.loads(sent.answer)["data"]["project"]
            read.append(project["artifactCollectionMembership"]["artifact"])
        if sent.operation == "UpdateArtifact" and sent.answer is None:
            return httpx.Response(200, json={"data": {"updateArtifact": {"artifact": read[0]}}})
        return None

    api: Untyped = face.api(server.url, server.api_key, transport=InterceptingTransport(keep))
    return taken(face, api.artifact(f"{home}/rows:v1"))


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_kept_is_named(name: str, stubborn: Untyped, face: Face) -> None:
    change, failed = CHANGES[name]
    change(stubborn)
    with pytest.raises(IncompleteUpdateError) as caught:
        taken(face, stubborn.save())
    assert caught.value.failed == failed
    assert caught.value.written == (("metadata",) if name == "metadata" else ())
    assert (stubborn.description, stubborn.metadata) == (
        "the rows",
        {"rows": 1, "source": {"kind": "sensor"}},
    )
    assert (sorted(stubborn.tags), stubborn.ttl) == (["clean rows", "small"], None)


def test_aliases_are_written_all_the_same(stubborn: Untyped, face: Face, server: RunningServer) -> None:
    stubborn.description = "other"
    stubborn.aliases.append("champion")
    with pytest.raises(IncompleteUpdateError) as caught:
        taken(face, stubborn.save())
    assert (caught.value.written, caught.value.failed) == (("added aliases",), ("description",))


def test_a_refused_alias_does_not_hide_what_was_kept(server: RunningServer, face: Face, home: str) -> None:
    def keep(sent: Sent) -> Fault:
        if sent.operation == "AddAliases" and sent.answer is None:
            return httpx.Response(403)
        if sent.operation == "UpdateArtifact" and sent.answer is not None:
            answer = json.loads(sent.answer)
            answer["data"]["updateArtifact"]["artifact"]["description"] = "kept"
            return httpx.Response(200, json=answer)
        return None

    api: Untyped = face.api(server.url, server.api_key, transport=InterceptingTransport(keep))
    artifact = taken(face, api.artifact(f"{home}/rows:v1"))
    artifact.description = "other"
    artifact.aliases.append("champion")
    with pytest.raises(IncompleteUpdateError) as caught:
        taken(face, artifact.save())
    assert isinstance(caught.value.__cause__, AccessDeniedError)
    assert caught.value.failed == ("description", "added aliases")


def test_aliases_and_tags_of_a_logged_artifact_that_are_not_there(
    server: RunningServer, face: Face, home: str
) -> None:
    def drop(sent: Sent) -> Fault:
        if sent.operation != "CreateArtifact" or sent.answer is None:
            return None
        answer = json.loads(sent.answer)
        answer["data"]["createArtifact"]["artifact"].update(aliases=[], tags=[])
        return httpx.Response(200, json=answer)

    api: Untyped = face.api(server.url, server.api_key, transport=InterceptingTransport(drop))
    artifact = taken(face, api.artifact(f"{home}/rows:v1"))
    run = taken(face, api.run(f"{home}/idle"))
    with pytest.raises(IncompleteUpdateError, match="alias champion, tag good was not") as caught:
        taken(face, run.log_artifact(artifact, aliases=["champion"], tags=["good"]))
    assert caught.value.failed == ("alias champion", "tag good")
