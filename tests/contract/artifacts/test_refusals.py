"""Every change of an artifact against a server that refuses, fails or loses the answer: told, and nothing called done."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.contract.both_clients import Face
from tests.contract.file_responses import ATTRS, KEY, TWICE
from tests.contract.scripted_server import ScriptedResponse, ScriptedServer
from tests.contract.untyped import Untyped, taken
from tests.unit.resources.artifact_answers import artifact as answered_artifact

from runql import (
    AccessDeniedError,
    Artifact,
    AsyncArtifact,
    AuthenticationError,
    ConnectionFailedError,
    DeletionUnconfirmedError,
    QueryError,
    RateLimitedError,
    RetryingClient,
    SchemaDriftError,
    ServerFailureError,
)
from runql.paths import ArtifactAddress
from runql.resources.artifacts.lookup import resolved_at
from runql_graphql.fragments import ArtifactFields

PLACE = ArtifactAddress("e", "p", "mnist", "v3")


def describe(artifact: Untyped, _run: Untyped) -> Untyped:
    artifact.description = "new"
    return artifact.save()


def name(artifact: Untyped, _run: Untyped) -> Untyped:
    artifact.aliases.append("champion")
    return artifact.save()


def unname(artifact: Untyped, _run: Untyped) -> Untyped:
    artifact.aliases.clear()
    return artifact.save()


def delete(artifact: Untyped, _run: Untyped) -> Untyped:
    return artifact.delete()


def use(artifact: Untyped, run: Untyped) -> Untyped:
    return run.use_artifact(artifact)


def log(artifact: Untyped, run: Untyped) -> Untyped:
    return run.log_artifact(artifact)


CHANGES: list[Callable[[Untyped, Untyped], Untyped]] = [describe, name, unname, delete, use, log]
REFUSALS: dict[str, tuple[ScriptedResponse, type[Exception]]] = {
    "wrong key": (ScriptedResponse(b"{}", 401), AuthenticationError),
    "forbidden": (ScriptedResponse(b'{"errors": [{"message": "permission denied"}]}', 403), AccessDeniedError),
    "too many": (ScriptedResponse(b"{}", 429, {"Retry-After": "900"}), RateLimitedError),
    "broken": (ScriptedResponse(b"oops", 501), ServerFailureError),
    "refused": (ScriptedResponse(b'{"errors": [{"message": "no such thing"}]}'), QueryError),
    "nonsense": (ScriptedResponse(b'{"data": {"updateArtifact": 1, "addAliases": 1, "deleteAliases": 1, "deleteArtifact": 1, '
                        b'"useArtifact": 1, "createArtifact": 1}}'), SchemaDriftError),
}  # fmt: skip


def made(face: Face, scripted: ScriptedServer) -> tuple[Untyped, Untyped]:
    """An artifact and a run, read already."""
    client = face.client(scripted.url, KEY, retry=TWICE)
    found = resolved_at(ArtifactFields.model_validate(answered_artifact()), PLACE)
    artifact: Untyped = (
        Artifact(client, found) if isinstance(client, RetryingClient) else AsyncArtifact(client, found)
    )
    return artifact, face.run(client, "e", "p", "abc", ATTRS)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusal_is_told(
    refusal: str, change: Callable[[Untyped, Untyped], Untyped], face: Face, scripted: ScriptedServer
) -> None:
    answer, error = REFUSALS[refusal]
    artifact, run = made(face, scripted)
    scripted.give(answer)
    # Of a deletion whose response cannot be read nobody knows whether it happened, unless the server is asked.
    expected = DeletionUnconfirmedError if change is delete and error is SchemaDriftError else error
    with pytest.raises(expected) as raised:
        taken(face, change(artifact, run))
    assert KEY not in str(raised.value)
    assert artifact.state == "COMMITTED"


@pytest.mark.parametrize("change", [describe, name, unname], ids=lambda change: change.__name__)
def test_what_was_not_written_is_tried_again(
    change: Callable[[Untyped, Untyped], Untyped], face: Face, scripted: ScriptedServer
) -> None:
    artifact, run = made(face, scripted)
    scripted.give(ScriptedResponse(b"{}", 403))
    with pytest.raises(AccessDeniedError):
        taken(face, change(artifact, run))
    asked = len(scripted.asked)
    with pytest.raises(AccessDeniedError):
        taken(face, artifact.save())
    assert len(scripted.asked) == asked + 1


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_what_must_not_be_done_twice_is_not_sent_twice(
    change: Callable[[Untyped, Untyped], Untyped], face: Face, scripted: ScriptedServer
) -> None:
    artifact, run = made(face, scripted)
    scripted.give(ScriptedResponse(b"{", headers={"Content-Length": "100"}))
    with pytest.raises(DeletionUnconfirmedError if change is delete else ConnectionFailedError):
        taken(face, change(artifact, run))
    sent = [asked for asked in scripted.asked if "DeleteArtifact" in str(asked)]
    assert len(sent) == (1 if change is delete else 0)
    # A deletion is followed by a read, which may be repeated; everything else is itself.
    assert len(scripted.asked) == (3 if change is delete else 2)
