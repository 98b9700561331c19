"""The steps of an artifact's download, each alone: resolve, plan, list addresses, fetch, fall back."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from tests.unit.resources.artifact_answers import PLACE, artifact
from tests.unit.transport.stepping import answered, played, returned, sent, served

from runql.errors import (
    AccessDeniedError,
    AnswerError,
    EntryNotFoundError,
    ManifestError,
    RateLimitedError,
    ReferenceUnavailableError,
    RunqlError,
)
from runql.resources.artifacts.download.entries import DownloadOptions, DownloadPlan, plan_files
from runql.resources.artifacts.download.fallback import Fallback, fetch_through_api
from runql.resources.artifacts.download.fetch import fetch_files, fetch_from_storage, list_urls
from runql.resources.artifacts.download.resolve import MAX_DEPTH, ArtifactSource, EntryDownload, resolve
from runql.resources.artifacts.manifest import Manifest, ManifestEntry
from runql.resources.files.saved import SavedFiles
from runql.transport.flow import Download, Effect, Offload
from runql.transport.wire import Response
from runql.values import JSONValue

OTHER = base64.b64encode(b"other").decode()
INTO_OTHER = f"wandb-artifact://{b'other'.hex()}"


def digest(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


def held(path: str, content: bytes = b"x") -> ManifestEntry:
    return ManifestEntry(path, digest(content), len(content))


def source(*entries: ManifestEntry, artifact_id: str = "QTox", placed: bool = True) -> ArtifactSource:
    manifest = Manifest({entry.path: entry for entry in entries})
    return ArtifactSource(artifact_id, "e/p/mnist:v3", manifest, PLACE if placed else None)


def downloads(*entries: ManifestEntry, root: Path = Path("root"), placed: bool = True) -> list[EntryDownload]:
    holder = source(*entries, placed=placed)
    return [EntryDownload(holder, entry, root / entry.path, entry.path) for entry in entries]


def manifest_replies(artifact_id: str, contents: Mapping[str, JSONValue]) -> list[Response]:
    """The replies to `read_manifest`."""
    named = {
        "id": artifact_id,
        "currentManifest": {"id": "M", "file": {"directUrl": "https://storage/m"}},
    }
    body = {"version": 1, "contents": contents}
    return [answered({"artifact": named}), Response(200, json.dumps(body).encode())]


def listed(*names: str, cursor: str | None = None) -> Response:
    """A page of files with their addresses."""
    edges = [
        {
            "cursor": name,
            "node": {"id": name, "name": name, "directUrl": f"https://storage/{name}", "sizeBytes": 1},
        }
        for name in names
    ]
    info = {"endCursor": cursor, "hasNextPage": cursor is not None}
    return answered({"artifact": {"id": "QTox", "files": {"pageInfo": info, "edges": edges}}})


# -- resolve -----------------------------------------------------------------------------------------------------


def test_files_need_no_resolving() -> None:
    wanted = downloads(held("a"), ManifestEntry("b", "etag", ref="s3://bucket/b"))
    assert returned(resolve(wanted, limit=2)) == wanted


def test_references_into_an_artifact_become_its_entries_and_its_manifest_is_read_once() -> None:
    wanted = downloads(
        ManifestEntry("a", "d", ref=f"{INTO_OTHER}/x"), ManifestEntry("b", "d", ref=f"{INTO_OTHER}/y")
    )
    entries: dict[str, JSONValue] = {"x": {"digest": digest(b"x")}, "y": {"digest": digest(b"y")}}
    resolved, _ = played(resolve(wanted, limit=2), manifest_replies(OTHER, entries))
    assert [each.entry.path for each in resolved] == ["x", "y"]
    assert [each.name for each in resolved] == ["a", "b"]
    assert [each.target for each in resolved] == [each.target for each in wanted]
    assert {each.source.artifact_id for each in resolved} == {OTHER}


def test_a_reference_to_an_entry_that_is_not_there_is_refused() -> None:
    wanted = downloads(ManifestEntry("a", "d", ref=f"{INTO_OTHER}/x"))
    with pytest.raises(EntryNotFoundError, match="x"):
        played(resolve(wanted, limit=2), manifest_replies(OTHER, {}))


@pytest.mark.parametrize("hops", [1, MAX_DEPTH - 1, MAX_DEPTH])
def test_a_chain_of_references_is_followed_to_its_end(hops: int) -> None:
    wanted = downloads(ManifestEntry("a", "d", ref=f"{INTO_OTHER}/1"))
    chain: dict[str, JSONValue] = {
        str(hop): {"digest": "d", "ref": f"{INTO_OTHER}/{hop + 1}"} for hop in range(1, hops)
    }
    chain[str(hops)] = {"digest": digest(b"x")}
    [resolved], _ = played(resolve(wanted, limit=2), manifest_replies(OTHER, chain))
    assert resolved.entry.path == str(hops)


def test_references_that_go_in_a_circle_are_refused() -> None:
    wanted = downloads(ManifestEntry("a", "d", ref=f"{INTO_OTHER}/a"))
    circle: dict[str, JSONValue] = {"a": {"digest": "d", "ref": f"{INTO_OTHER}/a"}}
    with pytest.raises(ReferenceUnavailableError, match="refer to one another"):
        played(resolve(wanted, limit=2), manifest_replies(OTHER, circle))


def test_an_address_without_an_artifact_is_refused() -> None:
    with pytest.raises(ManifestError, match="names no artifact"):
        returned(resolve(downloads(ManifestEntry("a", "d", ref="wandb-artifact://zz/a")), limit=2))


# -- plan --------------------------------------------------------------------------------------------------------


def test_each_content_is_fetched_once_and_copied_to_its_other_names() -> None:
    a, b, c = downloads(held("a"), held("b"), held("c", b"other"))
    plan = DownloadPlan([a, b, c], [False, False, False])
    assert plan.to_fetch(()) == [a, c]
    plan.note_fetched([a, c])
    assert plan.to_fetch(()) == []
    assert plan.copies() == [(a.target, b)]


def test_what_is_there_is_neither_fetched_nor_copied_to_itself() -> None:
    a, b, c = downloads(held("a"), held("b"), held("c", b"other"))
    plan = DownloadPlan([a, b, c], [False, True, True])
    assert plan.to_fetch(()) == []
    assert plan.copies() == [(b.target, a)]


def test_where_the_disk_refuses_a_name_the_next_one_is_fetched() -> None:
    a, b = downloads(held("a"), held("b"))
    plan = DownloadPlan([a, b], [False, False])
    assert plan.to_fetch({"a"}) == [b]
    assert plan.to_fetch({"a", "b"}) == []
    assert plan.copies() == []


def test_files_are_looked_at_before_anything_is_sent(tmp_path: Path) -> None:
    wanted = downloads(held("a"), held("b", b"other"), root=tmp_path)
    (tmp_path / "b").write_bytes(b"other")

    def work(effect: Effect) -> None:
        assert isinstance(effect, Offload)
        effect.work()

    assert served(plan_files(wanted, limit=2), work).to_fetch(()) == wanted[:1]


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="max_concurrency must be at least 1"):
        DownloadOptions(limit)


# -- fetch -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("wanted", "names"), [(1, ["0"]), (2, ["0", "1"]), (3, None), (4, None)])
def test_of_few_files_only_their_addresses_are_requested(wanted: int, names: list[str] | None) -> None:
    entries = [held(str(number)) for number in range(4)]
    urls, effects = played(list_urls(downloads(*entries)[:wanted]), [listed("0", "1")])
    assert urls == {("QTox", "0"): "https://storage/0", ("QTox", "1"): "https://storage/1"}
    given = sent(effects[0]).variables["names"]
    assert (given if isinstance(given, list) else None, len(effects)) == (names, 1)


def test_addresses_are_read_to_the_last_page() -> None:
    urls, effects = played(list_urls(downloads(held("a"), held("b"))), [listed("a", cursor="c"), listed("b")])
    assert [name for _, name in urls] == ["a", "b"]
    assert sent(effects[1]).variables["after"] == "c"


@pytest.mark.parametrize("data", [{"artifact": None}, {"artifact": {"id": "QTox", "files": None}}])
def test_an_artifact_without_a_list_of_files_has_no_addresses(data: JSONValue) -> None:
    assert played(list_urls(downloads(held("a"))), [answered(data)])[0] == {}


def test_without_an_address_the_file_is_left_to_the_api() -> None:
    (wanted,) = downloads(held("a"))
    assert returned(fetch_from_storage(wanted, None, None)) == Fallback(wanted)


@pytest.mark.parametrize("status", [400, 403, 404, 410])
def test_a_refused_address_leaves_the_file_to_the_api(status: int) -> None:
    (wanted,) = downloads(held("a"))
    fallback, effects = played(fetch_from_storage(wanted, "https://storage/a", None), [Response(status, b"")])
    assert [effect.url for effect in effects if isinstance(effect, Download)] == ["https://storage/a"]
    assert fallback is not None
    assert (fallback.download, fallback.reason and fallback.reason.status) == (wanted, status)


@pytest.mark.parametrize(("status", "error"), [(429, RateLimitedError), (500, AnswerError)])
def test_an_overloaded_storage_is_an_error(status: int, error: type[RunqlError]) -> None:
    (wanted,) = downloads(held("a"))
    with pytest.raises(error):
        played(fetch_from_storage(wanted, "https://storage/a", None), [Response(status, b"")])


# -- fall back ---------------------------------------------------------------------------------------------------


def filled(effects: Sequence[Effect], content: bytes) -> Response:
    """A good response to the last effect, with this body in its sink."""
    effect = effects[-1]
    assert isinstance(effect, Download)
    assert effect.sink is not None
    effect.sink.begin(200, {})
    effect.sink.take(content)
    return Response(200, b"")


def test_the_api_finds_a_file_by_its_digest(tmp_path: Path) -> None:
    (wanted,) = downloads(held("a"), root=tmp_path)
    seen: list[Effect] = []

    def storage(effect: Effect) -> Response:
        seen.append(effect)
        return filled(seen, b"x")

    served(fetch_through_api(Fallback(wanted), frozenset(), None), storage)
    assert [effect.url for effect in seen if isinstance(effect, Download)] == [
        f"artifacts/e/{base64.b64decode(digest(b'x')).hex()}"
    ]
    assert (tmp_path / "a").read_bytes() == b"x"


def test_a_version_whose_place_is_unknown_is_asked_for_first() -> None:
    (wanted,) = downloads(held("a"), placed=False)
    replies = [answered({"artifact": artifact()}), Response(403, b"")]
    with pytest.raises(AccessDeniedError):
        played(fetch_through_api(Fallback(wanted), frozenset(), None), replies)


def test_a_file_that_the_api_cannot_find_keeps_the_refusal_of_storage() -> None:
    (wanted,) = downloads(ManifestEntry("a", "no base64!"))
    reason = AnswerError("expired", status=403)
    with pytest.raises(AnswerError, match="expired"):
        returned(fetch_through_api(Fallback(wanted, reason), frozenset(), None))
    with pytest.raises(ManifestError, match="names no address"):
        returned(fetch_through_api(Fallback(wanted), frozenset(), None))


def test_the_features_of_the_server_are_read_once_for_all_fallbacks() -> None:
    wanted = downloads(held("a"), held("b", b"other"))
    seen: list[Effect] = []

    def server(effect: Effect) -> Response:
        seen.append(effect)
        if isinstance(effect, Download):
            return Response(404, b"")
        return listed() if sent(effect).name == "ListArtifactFiles" else answered({"serverInfo": None})

    with pytest.raises(AnswerError):
        served(fetch_files(wanted, {}, limit=2, refused={}, saved=SavedFiles("ab")), server)
    operations = [sent(effect).name for effect in seen if not isinstance(effect, Download)]
    assert operations == ["ListArtifactFiles", "GetServerInfo"]
