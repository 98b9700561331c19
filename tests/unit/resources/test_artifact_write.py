"""Changing an artifact and tying it to runs, stepped by hand: what is sent, in which order, and what stops it."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from tests.unit.resources.artifact_answers import PLACE, artifact, fields, found
from tests.unit.transport.stepping import answered, played, sent

from runql.errors import (
    ArtifactNotFoundError,
    ArtifactPendingError,
    ChangeRefusedError,
    DeletionRefusedError,
    IncompleteUpdateError,
    QueryError,
    RunNotFoundError,
)
from runql.paths import ArtifactAddress, RunAddress
from runql.resources.artifacts.editing import EditableArtifact
from runql.resources.artifacts.lookup import ResolvedArtifact
from runql.resources.artifacts.manifest import Manifest
from runql.resources.artifacts.mutations import checked_aliases, checked_tags, log_version, use_version
from runql.transport.flow import Effect, Flow
from runql.transport.wire import Response
from runql.values import JSONValue

RUN = RunAddress("e", "p", "r")
CHANGED = answered({"updateArtifact": {"artifact": artifact(description="new")}})
ADDED = answered({"addAliases": {"success": True}})
TAKEN = answered({"deleteAliases": {"success": True}})
REFUSED = answered(None, errors=[{"message": "no"}])
THERE = answered({"artifact": artifact()})


class Stepped(EditableArtifact):
    """Gives its flows to be stepped instead of driving them."""

    def saving(self) -> Flow[None]:
        return self._save()

    def deleting(self, *, with_aliases: bool = False) -> Flow[None]:
        return self._delete(with_aliases=with_aliases)

    def reading(self) -> Flow[Manifest]:
        return self._read_manifest()


def editable(**changes: JSONValue) -> Stepped:
    return Stepped(found(**changes), "https://wandb.ai")


def saved(artifact: Stepped, *replies: Response) -> list[Effect]:
    _, effects = played(artifact.saving(), replies)
    return effects


def inputs(effect: Effect) -> dict[str, object]:
    """The input object, without what is not sent."""
    given = sent(effect).variables["input"]
    dumped: dict[str, object] = getattr(given, "model_dump")(by_alias=True, exclude_unset=True)  # noqa: B009 — of any input
    return dumped


def test_nothing_changed_sends_nothing() -> None:
    one = editable()
    one.description, one.tags, one.aliases = "digits", ["old"], ["latest", "best"]
    one.metadata = {"rows": 10}
    one.ttl = "inherit"
    assert saved(one) == []


def test_only_what_differs_is_sent() -> None:
    one = editable()
    one.description = "new"
    one.metadata["rows"] = 11
    one.tags = ["new"]
    one.ttl = timedelta(days=30)
    one.aliases = ["best", "champion"]
    now = artifact(
        description="new",
        metadata='{"rows": 11}',
        tags=[{"name": "new"}],
        ttlIsInherited=False,
        ttlDurationSeconds=30 * 24 * 3600,
    )
    effects = saved(one, answered({"updateArtifact": {"artifact": now}}), ADDED, TAKEN)
    assert [sent(effect).name for effect in effects] == ["UpdateArtifact", "AddAliases", "DeleteAliases"]
    assert inputs(effects[0]) == {
        "artifactID": "QTox",
        "description": "new",
        "metadata": '{"rows": 11}',
        "tagsToAdd": [{"tagName": "new"}],
        "tagsToDelete": [{"tagName": "old"}],
        "ttlDurationSeconds": 30 * 24 * 3600,
    }
    home = {"entityName": "e", "projectName": "p", "artifactCollectionName": "mnist"}
    assert inputs(effects[1]) == {"artifactID": "QTox", "aliases": [{**home, "alias": "champion"}]}
    assert inputs(effects[2]) == {"artifactID": "QTox", "aliases": [{**home, "alias": "latest"}]}
    assert (one.description, one.tags, one.aliases) == ("new", ["new"], ["best", "champion"])
    assert saved(one) == []


@pytest.mark.parametrize(
    ("inherited", "stored", "assigned", "written"),
    [
        (True, 0, None, -2),
        (False, 0, None, None),
        (False, 60, None, -2),
        (False, 60, "inherit", -1),
        (False, 60, timedelta(minutes=1), None),
        (True, 60, timedelta(minutes=1), 60),
    ],
)
def test_the_time_to_live(
    inherited: bool, stored: int, assigned: timedelta | None, written: int | None
) -> None:
    one = editable(ttlIsInherited=inherited, ttlDurationSeconds=stored)
    one.ttl = assigned
    now = artifact(ttlIsInherited=written == -1, ttlDurationSeconds=max(0, written or 0))
    reply = answered({"updateArtifact": {"artifact": now}})
    effects = saved(one, *([] if written is None else [reply]))
    assert [inputs(effect)["ttlDurationSeconds"] for effect in effects] == (
        [] if written is None else [written]
    )


def test_bad_values_are_refused_before_anything_is_sent() -> None:
    one = editable()
    with pytest.raises(TypeError, match="timedelta"):
        one.ttl = 30  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue] — untyped callers do
    with pytest.raises(ValueError, match="at least a second"):
        one.ttl = timedelta(0)
    with pytest.raises(TypeError, match="description must be a str"):
        one.description = 3  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue] — untyped callers do
    one.metadata["loss"] = math.nan
    with pytest.raises(ValueError, match="NaN"):
        saved(one)
    one = editable()
    one.aliases.append("v4")
    with pytest.raises(ValueError, match="numbers versions"):
        saved(one)
    one = editable()
    one.tags.append("a/b")
    with pytest.raises(ValueError, match="tag"):
        saved(one)


@pytest.mark.parametrize("alias", ["", " ", "a/b", "a:b", "v0", "v12", "x" * 129])
def test_what_cannot_be_an_alias(alias: str) -> None:
    with pytest.raises(ValueError, match="alias"):
        checked_aliases([alias])


@pytest.mark.parametrize("tag", ["", " a", "a ", "a/b", "a.b", "x" * 129, "a\nb"])
def test_what_cannot_be_a_tag(tag: str) -> None:
    with pytest.raises(ValueError, match="tag"):
        checked_tags([tag])


def test_names_lose_their_repeats_and_must_be_listed() -> None:
    assert checked_aliases(["a", "b", "a"]) == ["a", "b"]
    assert checked_tags(["größe 1", "a_b-c", "größe 1"]) == ["größe 1", "a_b-c"]
    with pytest.raises(TypeError, match="list of str"):
        checked_aliases("ab")
    with pytest.raises(TypeError, match="tags must be a list of str"):
        checked_tags([1])  # type: ignore[list-item]  # pyright: ignore[reportArgumentType] — untyped callers do


def test_what_was_written_before_a_failure_is_told_and_the_rest_is_tried_again() -> None:
    one = editable()
    one.description, one.aliases = "new", ["champion"]
    with pytest.raises(IncompleteUpdateError) as error:
        saved(one, CHANGED, ADDED, REFUSED, THERE)
    assert (error.value.written, error.value.failed) == (
        ("description", "added aliases"),
        ("removed aliases",),
    )
    assert [sent(effect).name for effect in saved(one, TAKEN)] == ["DeleteAliases"]


@pytest.mark.parametrize("answer", [{"addAliases": None}, {"addAliases": {"success": False}}])
def test_aliases_that_were_not_added_are_told(answer: JSONValue) -> None:
    one = editable()
    one.aliases.append("champion")
    with pytest.raises(ChangeRefusedError, match=r"champion to e/p/mnist:v3"):
        saved(one, answered(answer))


@pytest.mark.parametrize("gone", [{"artifact": None}, {"artifact": artifact(state="DELETED")}])
def test_a_refusal_of_a_version_that_is_gone(gone: JSONValue) -> None:
    one = editable()
    one.description = "new"
    with pytest.raises(ArtifactNotFoundError, match="any more"):
        saved(one, REFUSED, answered(gone))


def test_deleting_says_whether_aliases_go_too() -> None:
    deleted = answered({"deleteArtifact": {"artifact": {"id": "QTox", "state": "DELETED"}}})
    for with_aliases in (True, False):
        _, effects = played(editable().deleting(with_aliases=with_aliases), [deleted])
        assert inputs(effects[0]) == {"artifactID": "QTox", "deleteAliases": with_aliases}


def test_of_a_link_only_the_link_is_deleted() -> None:
    place = ArtifactAddress("e", "registry", "best-models", "v0")
    link = Stepped(ResolvedArtifact(fields(), place, (), "COL"), "")
    assert (link.is_link, link.source_qualified_name) == (True, "e/p/mnist:v3")
    _, effects = played(
        link.deleting(),
        [answered({"unlinkArtifact": {"artifactID": "QTox", "success": True}})],
    )
    assert inputs(effects[0]) == {"artifactID": "QTox", "artifactPortfolioID": "COL"}
    refused = answered({"unlinkArtifact": {"artifactID": "QTox", "success": False}})
    with pytest.raises(DeletionRefusedError, match="did not unlink"):
        played(link.deleting(), [refused])
    with pytest.raises(ValueError, match=r"delete e/p/mnist:v3"):
        played(Stepped(ResolvedArtifact(fields(), place, ()), "").deleting(), [])


def test_using_tells_where_the_artifact_comes_from() -> None:
    reply = answered({"useArtifact": {"artifact": artifact()}})
    _, effects = played(use_version(RUN, "QTox", PLACE, None), [reply])
    assert inputs(effects[0]) == {
        "entityName": "e",
        "projectName": "p",
        "runName": "r",
        "artifactID": "QTox",
        "usedAs": "mnist:v3",
        "artifactEntityName": "e",
        "artifactProjectName": "p",
    }


def test_old_servers_are_not_told_what_they_do_not_know() -> None:
    message = 'Field "artifactEntityName" is not defined by type "UseArtifactInput".'
    other = "Field 'artifactProjectName' is not defined by type 'UseArtifactInput'."
    refused = answered(None, status=400, errors=[{"message": message}, {"message": other}])
    reply = answered({"useArtifact": {"artifact": artifact()}})
    _, effects = played(use_version(RUN, "QTox", PLACE, "training data"), [refused, reply])
    assert inputs(effects[1]) == {
        "entityName": "e",
        "projectName": "p",
        "runName": "r",
        "artifactID": "QTox",
        "usedAs": "training data",
    }


def test_using_in_a_run_that_is_gone() -> None:
    gone = answered({"project": {"run": None}})
    with pytest.raises(RunNotFoundError):
        played(use_version(RUN, "QTox", PLACE, None), [REFUSED, gone])
    there = answered({"project": {"run": {"state": "running"}}})
    with pytest.raises(ArtifactNotFoundError):
        played(use_version(RUN, "QTox", PLACE, None), [REFUSED, there, answered({"artifact": None})])
    with pytest.raises(QueryError, match="no"):
        played(use_version(RUN, "QTox", PLACE, None), [REFUSED, there, THERE])


def test_logging_sends_aliases_and_tags_as_objects() -> None:
    reply = answered({"createArtifact": {"artifact": artifact()}})
    _, effects = played(log_version(RUN, PLACE, "dataset", "d1", ["champion"], ["good one"]), [reply])
    assert inputs(effects[0]) == {
        "entityName": "e",
        "projectName": "p",
        "runName": "r",
        "artifactTypeName": "dataset",
        "artifactCollectionNames": ["mnist"],
        "digest": "d1",
        "digestAlgorithm": "MANIFEST_MD5",
        "enableDigestDeduplication": True,
        "aliases": [{"artifactCollectionName": "mnist", "alias": "champion"}],
        "tags": [{"tagName": "good one"}],
    }


def test_logging_in_another_project_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(ValueError, match="of its own project only"):
        played(log_version(RunAddress("e", "q", "r"), PLACE, "dataset", "d1", None, None), [])


def test_a_new_version_in_place_of_the_known_one_is_told() -> None:
    begun = answered({"createArtifact": {"artifact": artifact(state="PENDING")}})
    with pytest.raises(ArtifactPendingError, match="PENDING"):
        played(log_version(RUN, PLACE, "dataset", "d1", None, None), [begun])


def test_an_artifact_that_is_being_written_has_no_files() -> None:
    with pytest.raises(ArtifactPendingError):
        played(editable(state="PENDING").reading(), [])
