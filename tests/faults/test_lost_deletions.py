"""A deletion whose response is lost: one read finds out whether it succeeded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, get_args

import httpx
import pytest
from tests.contract.both_clients import NO_PATIENCE, Face
from tests.contract.untyped import Untyped, taken
from tests.faults.losing_proxy import LosingProxy, Loss

from runql import (
    Api,
    ArtifactNotFoundError,
    ConnectionFailedError,
    DeletionUnconfirmedError,
    FileNotFoundInRunError,
    RetryPolicy,
    RunNotFoundError,
)
from runql_server.running import RunningServer
from runql_server.seed import SeedRun
from runql_server.seed_artifacts import SeedArtifact

LINK: Final = "mutation($input: LinkArtifactInput!) { linkArtifact(input: $input) { versionIndex } }"

# What happens to the deletion, as far as the server is concerned.
CARRIED_OUT: Final[tuple[Loss, ...]] = ("response", "rest of the response", "bad gateway")


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with RunningServer() as running:
        yield running


@pytest.fixture
def proxy(server: RunningServer) -> Iterator[LosingProxy]:
    with LosingProxy(server.url) as running:
        yield running


@pytest.fixture
def home(server: RunningServer, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A project with a run, a file in it, two versions of an artifact and a link to the second."""
    project = f"test-{abs(hash(request.node.nodeid))}"
    server.seed(project, [SeedRun(name="run0")])
    # The newest version has an alias, for which servers refuse to delete it: the first is deleted, the second linked.
    versions = [SeedArtifact(name="rows", files={"a.txt": text}, logged_by="run0") for text in (b"a", b"b")]
    server.seed_artifacts(project, versions)
    (tmp_path / "notes.txt").write_text("hello")
    path = f"{server.entity}/{project}"
    with Api(base_url=server.url, api_key=server.api_key) as api:
        api.run(f"{path}/run0").upload_file(tmp_path / "notes.txt", tmp_path)
        version = api.artifact(f"{path}/rows:v1").id
    wanted = {
        "artifactID": version,
        "entityName": server.entity,
        "projectName": project,
        "artifactPortfolioName": "best",
    }
    httpx.post(
        f"{server.url}/graphql",
        json={"query": LINK, "variables": {"input": wanted}},
        auth=("api", server.api_key),
        trust_env=False,
    ).raise_for_status()
    return path


@dataclass(frozen=True)
class Deleting:
    """What is deleted.

    Attributes:
        find: it, given the `Api`, the project's path and what takes results of either face.
        deletion: the operation that deletes it.
        read: the operation that tells whether it is there.
        gone: the error of finding it then.
    """

    find: Callable[[Untyped, str, Callable[[Untyped], Untyped]], Untyped]
    deletion: str
    read: str
    gone: type[Exception]


THINGS: Final[dict[str, Deleting]] = {
    "run": Deleting(
        lambda api, home, take: take(api.run(f"{home}/run0")), "DeleteRun", "GetRunState", RunNotFoundError
    ),
    "file": Deleting(
        lambda api, home, take: take(take(api.run(f"{home}/run0")).file("notes.txt")),
        "DeleteFiles",
        "ListRunFiles",
        FileNotFoundInRunError,
    ),
    "artifact": Deleting(
        lambda api, home, take: take(api.artifact(f"{home}/rows:v0")),
        "DeleteArtifact",
        "GetArtifact",
        ArtifactNotFoundError,
    ),
    "link": Deleting(
        lambda api, home, take: take(api.artifact(f"{home}/best:v0")),
        "UnlinkArtifact",
        "GetArtifactMembership",
        ArtifactNotFoundError,
    ),
    "collection": Deleting(
        lambda api, home, take: take(api.artifact_collection("dataset", f"{home}/rows")),
        "DeleteArtifactSequence",
        "GetArtifactCollection",
        ArtifactNotFoundError,
    ),
    "collection of links": Deleting(
        lambda api, home, take: take(api.artifact_collection("dataset", f"{home}/best")),
        "DeleteArtifactPortfolio",
        "GetArtifactCollection",
        ArtifactNotFoundError,
    ),
}
each_thing = pytest.mark.parametrize("thing", THINGS.values(), ids=THINGS.keys())


@pytest.fixture
def take(face: Face) -> Callable[[Untyped], Untyped]:
    return lambda given: taken(face, given)


def is_gone(thing: Deleting, server: RunningServer, home: str) -> bool:
    with Api(base_url=server.url, api_key=server.api_key) as api:
        try:
            thing.find(api, home, lambda given: given)
        except thing.gone:
            return True
        return False


@each_thing
@pytest.mark.parametrize("loss", CARRIED_OUT)
def test_a_deletion_that_happened_is_one(
    thing: Deleting,
    loss: Loss,
    home: str,
    face: Face,
    take: Callable[[Untyped], Untyped],
    server: RunningServer,
    proxy: LosingProxy,
) -> None:
    found = thing.find(face.api(proxy.url, server.api_key), home, take)
    proxy.lose(thing.deletion, loss)
    take(found.delete())
    assert proxy.asked == [thing.deletion, thing.read]
    assert is_gone(thing, server, home)


@each_thing
def test_a_deletion_that_did_not_happen_says_so_and_can_be_tried_again(
    thing: Deleting,
    home: str,
    face: Face,
    take: Callable[[Untyped], Untyped],
    server: RunningServer,
    proxy: LosingProxy,
) -> None:
    found = thing.find(face.api(proxy.url, server.api_key), home, take)
    proxy.lose(thing.deletion, "request")
    with pytest.raises(DeletionUnconfirmedError, match="it was not deleted: it still exists") as caught:
        take(found.delete())
    assert caught.value.is_there is True
    assert isinstance(caught.value.__cause__, ConnectionFailedError)
    assert proxy.asked == [thing.deletion, thing.read]
    assert not is_gone(thing, server, home)
    take(found.delete())
    assert proxy.asked == [thing.deletion, thing.read, thing.deletion]
    assert is_gone(thing, server, home)


@each_thing
def test_a_deletion_that_nobody_can_tell_of_may_have_happened(
    thing: Deleting,
    home: str,
    face: Face,
    take: Callable[[Untyped], Untyped],
    server: RunningServer,
    proxy: LosingProxy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    api: Untyped = face.api(proxy.url, server.api_key)
    monkeypatch.setattr(api.client, "_retry", NO_PATIENCE)
    found = thing.find(api, home, take)
    proxy.lose(thing.deletion, "everything from then on")
    with pytest.raises(DeletionUnconfirmedError, match="it may have been deleted") as caught:
        take(found.delete())
    assert caught.value.is_there is None
    assert proxy.asked == [thing.deletion, thing.read]
    assert is_gone(thing, server, home)


@each_thing
def test_a_deletion_that_was_never_sent_is_not_asked_about(
    thing: Deleting, home: str, face: Face, take: Callable[[Untyped], Untyped], server: RunningServer
) -> None:
    with LosingProxy(server.url) as proxy:
        api: Untyped = face.api(proxy.url, server.api_key)
        found = thing.find(api, home, take)
    api.client._retry = RetryPolicy(max_attempts=2, first_delay=0.001)
    sent = api.traffic.requests
    with pytest.raises(ConnectionFailedError):
        take(found.delete())
    assert api.traffic.requests <= sent + 3
    assert not is_gone(thing, server, home)


def test_all_losses_are_tried() -> None:
    assert {*CARRIED_OUT, "request", "everything from then on"} == set(get_args(Loss))
