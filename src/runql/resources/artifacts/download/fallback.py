"""Fetching a file through the API, where storage refuses its signed address."""

from __future__ import annotations

from typing import Final

from runql.errors import AnswerError, ManifestError
from runql.quick_dataclasses import dataclass
from runql.resources.artifacts.download.resolve import EntryDownload
from runql.resources.artifacts.lookup import read_artifact, source_of
from runql.resources.artifacts.manifest import api_path
from runql.transport.files.bodies import Progress
from runql.transport.flow import Flow, save

RATE_LIMITED: Final = 429


@dataclass(frozen=True, slots=True)
class Fallback:
    """A file that storage did not return.

    Attributes:
        download: the file.
        reason: how storage refused, None where the server listed no address.
    """

    download: EntryDownload
    reason: AnswerError | None = None


def can_fall_back(error: AnswerError) -> bool:
    """Whether a refusal of storage may come from the address, which expires."""
    return error.status // 100 == 4 and error.status != RATE_LIMITED


def fetch_through_api(fallback: Fallback, features: frozenset[str], progress: Progress | None) -> Flow[None]:
    """Fetch a file by its digest; one request with the key, and one more for a version whose place is unknown.

    The API redirects to storage, where the request carries no key.

    Raises:
        AnswerError: storage refused the file, and the API has no address for it.
        ManifestError: the server listed no address, and the API has none.
    """
    download, source = fallback.download, fallback.download.source
    place = source.place or source_of((yield from read_artifact(source.artifact_id)))
    path = place and api_path(source.manifest, download.entry, place, source.artifact_id, features)
    if not path:
        if fallback.reason is not None:
            raise fallback.reason
        raise ManifestError(
            f"the server names no address for entry {download.entry.path!r} of artifact {source.name}"
        )
    yield from save(path, download.sink(progress))
