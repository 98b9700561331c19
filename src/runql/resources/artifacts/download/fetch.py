"""Fetching the files that artifacts hold: their signed addresses, then their bytes from storage."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping, Sequence
from functools import partial
from typing import Final

from runql.errors import AnswerError
from runql.resources.artifacts.download.fallback import Fallback, can_fall_back, fetch_through_api
from runql.resources.artifacts.download.resolve import ArtifactSource, EntryDownload
from runql.resources.capabilities import read_features
from runql.resources.files.names import skip_unstorable
from runql.resources.files.saved import SavedFiles
from runql.resources.pages.listing import Page, read_all, read_edges
from runql.transport.files.bodies import Progress
from runql.transport.flow import Flow, fetch, gather, save
from runql_graphql.fragments import ArtifactFileFields
from runql_graphql.operations import list_artifact_files

URLS_PER_PAGE: Final = 5_000
MAX_NAMES: Final = 500
"""File names in one request."""


def fetch_files(
    downloads: Sequence[EntryDownload],
    shares: Mapping[str, Progress | None],
    *,
    limit: int,
    refused: MutableMapping[str, str],
    saved: SavedFiles,
) -> Flow[None]:
    """Fetch files from storage, and through the API those that storage refuses.

    Args:
        downloads: the files.
        shares: the progress of each file, by its name.
        limit: transfers at the same time.
        refused: takes the names that the disk cannot store, with the reasons.
        saved: takes the names of the files that arrive.
    """
    urls = yield from list_urls(downloads)
    fallbacks: list[Fallback] = []

    def fetch_one(download: EntryDownload) -> Flow[None]:
        url = urls.get((download.source.artifact_id, download.entry.path))
        fallback = yield from fetch_from_storage(download, url, shares.get(download.name))
        if fallback is None:
            saved.note(download.name)
        else:
            fallbacks.append(fallback)

    yield from gather(
        [skip_unstorable(fetch_one(each), each.name, refused) for each in downloads],
        limit=limit,
        release_on_offload=True,
    )
    if not fallbacks:
        return
    features = yield from read_features()
    yield from gather(
        [
            skip_unstorable(
                saved.noting(
                    fetch_through_api(each, features, shares.get(each.download.name)), each.download.name
                ),
                each.download.name,
                refused,
            )
            for each in fallbacks
        ],
        limit=limit,
    )


def list_urls(downloads: Sequence[EntryDownload]) -> Flow[dict[tuple[str, str], str]]:
    """The signed addresses of files, by artifact id and path; one request for 5,000 files of an artifact.

    The server may list fewer.
    """
    urls: dict[tuple[str, str], str] = {}
    paths: dict[str, list[str]] = {}
    sources: dict[str, ArtifactSource] = {}
    for each in downloads:
        sources[each.source.artifact_id] = each.source
        paths.setdefault(each.source.artifact_id, []).append(each.entry.path)
    for artifact_id, source in sources.items():
        names = _names_to_request(paths[artifact_id], len(source.manifest.entries))
        files = yield from read_all(partial(_list_page, artifact_id, names))
        urls |= {(artifact_id, file.name): file.direct_url for file in files if file.direct_url}
    return urls


def fetch_from_storage(
    download: EntryDownload, url: str | None, progress: Progress | None
) -> Flow[Fallback | None]:
    """Fetch a file from its signed address; one request. Return what to fetch through the API instead, if anything.

    Raises:
        AnswerError: storage fails in a way that another address does not mend.
    """
    if url is None:
        return Fallback(download)
    try:
        yield from save(url, download.sink(progress))
    except AnswerError as error:
        if can_fall_back(error):
            return Fallback(download, error)
        raise
    return None


def _names_to_request(paths: list[str], entry_count: int) -> list[str] | None:
    """The names that a request for addresses lists; None to request those of all files."""
    return paths if len(paths) <= min(MAX_NAMES, entry_count // 2) else None


def _list_page(
    artifact_id: str, names: list[str] | None, after: str | None
) -> Flow[Page[ArtifactFileFields]]:
    operation = (
        list_artifact_files(id=artifact_id, first=URLS_PER_PAGE, after=after)
        if names is None
        else list_artifact_files(id=artifact_id, names=names, first=URLS_PER_PAGE, after=after)
    )
    artifact = (yield from fetch(operation)).artifact
    files = artifact.files if artifact else None
    if files is None:
        return Page([], after, None, more=False, total=0)
    return read_edges(files.page_info, files.edges, after)
