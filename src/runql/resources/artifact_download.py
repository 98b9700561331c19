"""Fetching the files of an artifact: what is here already stays, equal files are fetched once, every byte is checked."""

from __future__ import annotations

import os
import sys
import warnings
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from runql.artifact_errors import (
    ArtifactDamagedError,
    EntryNotFoundError,
    ManifestError,
    ReferenceUnavailableError,
)
from runql.errors import AnswerError
from runql.paths import ArtifactAddress
from runql.resources.artifact_lookup import read_artifact, source_of
from runql.resources.artifact_record import read_manifest
from runql.resources.connections import read_sparse_page
from runql.resources.entry_digest import hash_of, is_intact
from runql.resources.file_names import target_path
from runql.resources.manifest import Manifest, ManifestEntry, stored_at
from runql.resources.pages import refuse_circle
from runql.resources.references import ARTIFACT, check_schemes, follow, scheme_of
from runql.resources.server_features import read_features
from runql.transport.bodies import Progress, Sink
from runql.transport.flow import Flow, fetch, gather, offload, save
from runql.transport.local_copy import copy_file
from runql.transport.shared_progress import shared_progress
from runql_graphql.operations import list_artifact_files

URLS_A_PAGE: Final = 5_000
NAMES_AT_MOST: Final = 500
DEEPEST: Final = 5
RATE_LIMITED: Final = 429


@dataclass(frozen=True, slots=True)
class Holder:
    """A version whose files are fetched, and where it is."""

    artifact_id: str
    name: str
    manifest: Manifest
    place: ArtifactAddress | None


@dataclass(frozen=True, slots=True)
class Wish:
    """An entry, the version that holds it, and where it shall lie."""

    holder: Holder
    entry: ManifestEntry
    target: Path


@dataclass(frozen=True, slots=True)
class Transfer:
    """How a download goes.

    Attributes:
        at_once: transfers under way at the same time.
        progress: told of the bytes of all of them.
        allow_missing_references: go on without what is no longer where a reference points.
    """

    at_once: int
    progress: Progress | None = None
    allow_missing_references: bool = False
    missing: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        if self.at_once < 1:
            raise ValueError(f"at_once must be at least 1, not {self.at_once}")


def default_root(source: ArtifactAddress) -> Path:
    """Where a version is saved unless the caller says otherwise: below `WANDB_ARTIFACT_DIR`, else ``./artifacts``."""
    folder = target_path(os.environ.get("WANDB_ARTIFACT_DIR") or "artifacts", source.collection)
    colon = "-" if sys.platform == "win32" else ":"
    return folder.with_name(f"{folder.name}{colon}{source.version}")


def wishes(holder: Holder, entries: Iterable[ManifestEntry], root: Path) -> list[Wish]:
    """Where each entry shall lie below ``root``.

    Raises:
        UnsafeNameError: a name would lead out of it.
    """
    return [Wish(holder, entry, target_path(root, entry.path)) for entry in entries]


def fetch_all(wanted: Sequence[Wish], transfer: Transfer) -> Flow[None]:
    """Fetch entries to their places; those that are there with the right bytes cost no request.

    Sends one request for 5,000 files (their addresses), one a different file, one a reference.
    """
    if not wanted:
        return
    check_schemes(wanted[0].holder.name, [wish.entry for wish in wanted if wish.entry.is_reference])
    resolved = yield from _resolved(wanted, transfer)
    held = [wish for wish in resolved if not wish.entry.is_reference]
    for wish in held:
        hash_of(wish.entry)
    intact = yield from gather(
        [offload(partial(is_intact, wish.target, wish.entry)) for wish in held], limit=transfer.at_once
    )
    equal: dict[tuple[str, str], list[Wish]] = {}
    here: dict[tuple[str, str], Path] = {}
    for wish, there in zip(held, intact, strict=True):
        key = (wish.entry.digest_algorithm, wish.entry.digest)
        if there:
            here[key] = wish.target
        else:
            equal.setdefault(key, []).append(wish)
    firsts = [same[0] for key, same in equal.items() if key not in here]
    references = [wish for wish in resolved if wish.entry.is_reference]
    shares = shared_progress(transfer.progress, [wish.entry.size or 0 for wish in (*firsts, *references)])
    yield from _fetch_held(firsts, shares[: len(firsts)], transfer)
    yield from gather(
        [
            _follow(wish, share, transfer)
            for wish, share in zip(references, shares[len(firsts) :], strict=True)
        ],
        limit=transfer.at_once,
    )
    copies = [
        offload(partial(copy_file, here.get(key, same[0].target), wish.target))
        for key, same in equal.items()
        for wish in (same if key in here else same[1:])
    ]
    yield from gather(copies, limit=transfer.at_once)
    if transfer.missing:
        warnings.warn(
            f"what artifact {wanted[0].holder.name} refers to is missing: {', '.join(sorted(transfer.missing))}",
            RuntimeWarning,
            stacklevel=2,
        )


def check_folder(name: str, manifest: Manifest, root: Path, *, at_once: int) -> Flow[list[str]]:
    """Whether a folder holds just the files of an artifact; returns the names of references, which are not checked.

    Raises:
        ArtifactDamagedError: files are missing, hold something else, or belong to no entry.
    """
    held = [entry for entry in manifest.entries.values() if not entry.is_reference]
    targets = [target_path(root, entry.path) for entry in held]
    intact = yield from gather(
        [offload(partial(is_intact, path, entry)) for path, entry in zip(targets, held, strict=True)],
        limit=at_once,
    )
    wrong = [(path, entry.path) for path, entry, fine in zip(targets, held, intact, strict=True) if not fine]
    missing = [entry for path, entry in wrong if not path.is_file()]
    changed = [entry for path, entry in wrong if path.is_file()]
    found = yield from offload(lambda: _files_below(root))
    unexpected = [path for path in found if path not in manifest.entries]
    if missing or changed or unexpected:
        raise ArtifactDamagedError(name, missing, changed, unexpected)
    return [entry.path for entry in manifest.entries.values() if entry.is_reference]


def _files_below(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir())


def _resolved(wanted: Sequence[Wish], transfer: Transfer) -> Flow[list[Wish]]:
    """Entries that are those of other artifacts, by what those hold; two requests an artifact."""
    known: dict[str, Holder] = {}
    found = list(wanted)
    for _ in range(DEEPEST):
        pending = [wish for wish in found if _is_elsewhere(wish.entry)]
        if not pending:
            return found
        unread = sorted({_home(wish.entry)[0] for wish in pending} - known.keys())
        holders = yield from gather([_read_holder(each) for each in unread], limit=transfer.at_once)
        known.update(zip(unread, holders, strict=True))
        found = [_followed(wish, known) if _is_elsewhere(wish.entry) else wish for wish in found]
    deep = {wish.entry.path: wish.entry.ref or "" for wish in found if _is_elsewhere(wish.entry)}
    raise ReferenceUnavailableError(
        wanted[0].holder.name, deep, f"more than {DEEPEST} artifacts refer to one another"
    )


def _is_elsewhere(entry: ManifestEntry) -> bool:
    return entry.is_reference and scheme_of(entry) == ARTIFACT


def _home(entry: ManifestEntry) -> tuple[str, str]:
    """The id of the artifact that a reference points into, and the path there."""
    address = urlsplit(entry.ref or "")
    try:
        artifact_id = b64encode(bytes.fromhex(address.netloc)).decode("ascii")
    except ValueError as error:
        raise ManifestError(f"entry {entry.path!r} refers to {entry.ref}, which names no artifact") from error
    return artifact_id, address.path.removeprefix("/")


def _read_holder(artifact_id: str) -> Flow[Holder]:
    return Holder(artifact_id, artifact_id, (yield from read_manifest(artifact_id, artifact_id)), None)


def _followed(wish: Wish, known: Mapping[str, Holder]) -> Wish:
    artifact_id, path = _home(wish.entry)
    holder = known[artifact_id]
    entry = holder.manifest.entries.get(path)
    if entry is None:
        raise EntryNotFoundError(holder.name, path)
    return Wish(holder, entry, wish.target)


def _fetch_held(wanted: Sequence[Wish], shares: Sequence[Progress | None], transfer: Transfer) -> Flow[None]:
    urls: dict[tuple[str, str], str] = {}
    for artifact_id in dict.fromkeys(wish.holder.artifact_id for wish in wanted):
        own = [wish for wish in wanted if wish.holder.artifact_id == artifact_id]
        names = [wish.entry.path for wish in own]
        found = yield from _list_urls(artifact_id, names, len(own[0].holder.manifest.entries))
        urls |= {(artifact_id, name): url for name, url in found.items()}
    attempts = yield from gather(
        [
            _fetch_direct(wish, urls.get((wish.holder.artifact_id, wish.entry.path)), share)
            for wish, share in zip(wanted, shares, strict=True)
        ],
        limit=transfer.at_once,
        offloads_apart=True,
    )
    again = [
        (wish, share, attempt.failure)
        for wish, share, attempt in zip(wanted, shares, attempts, strict=True)
        if not attempt.done
    ]
    if not again:
        return
    features = yield from read_features()
    yield from gather(
        [_fetch_through_api(wish, features, share, failure) for wish, share, failure in again],
        limit=transfer.at_once,
    )


def _list_urls(artifact_id: str, names: Sequence[str], of_all: int) -> Flow[dict[str, str]]:
    """Signed addresses by path; of a few files only theirs are asked for."""
    asked = list(names) if len(names) <= min(NAMES_AT_MOST, of_all // 2) else None
    urls: dict[str, str] = {}
    seen: set[str | None] = set()
    after: str | None = None
    while True:
        operation = (
            list_artifact_files(id=artifact_id, first=URLS_A_PAGE, after=after)
            if asked is None
            else list_artifact_files(id=artifact_id, names=asked, first=URLS_A_PAGE, after=after)
        )
        answer = yield from fetch(operation)
        files = answer.artifact.files if answer.artifact else None
        if files is None:
            return urls
        page = read_sparse_page(files.page_info, files.edges, after)
        urls |= {file.name: file.direct_url for file in page.nodes if file.direct_url}
        refuse_circle(page, seen)
        if not page.more:
            return urls
        after = page.cursor


@dataclass(frozen=True, slots=True)
class _Attempt:
    done: bool
    failure: AnswerError | None = None


def _sink(wish: Wish, share: Progress | None) -> Sink:
    entry = wish.entry
    return Sink(wish.target, digest=entry.digest, size=entry.size, progress=share, new_hash=hash_of(entry))


def _fetch_direct(wish: Wish, url: str | None, share: Progress | None) -> Flow[_Attempt]:
    """Fetch from storage; where that fails in a way in which expired addresses do, asking the API may help."""
    if url is None:
        return _Attempt(done=False)
    try:
        yield from save(url, _sink(wish, share))
    except AnswerError as error:
        if error.status // 100 == 4 and error.status != RATE_LIMITED:
            return _Attempt(done=False, failure=error)
        raise
    return _Attempt(done=True)


def _fetch_through_api(
    wish: Wish, features: frozenset[str], share: Progress | None, failure: AnswerError | None
) -> Flow[None]:
    """Fetch by way of the API, with the key, which sends on to storage, without it."""
    holder = wish.holder
    place = holder.place or source_of((yield from read_artifact(holder.artifact_id)))
    address = place and stored_at(holder.manifest, wish.entry, place, holder.artifact_id, features)
    if not address:
        if failure is not None:
            raise failure
        raise ManifestError(
            f"the server names no address for entry {wish.entry.path!r} of artifact {holder.name}"
        )
    yield from save(address, _sink(wish, share))


def _follow(wish: Wish, share: Progress | None, transfer: Transfer) -> Flow[None]:
    try:
        yield from follow(wish.holder.name, wish.entry, wish.target, share)
    except ReferenceUnavailableError:
        if not transfer.allow_missing_references:
            raise
        transfer.missing.append(wish.entry.path)
