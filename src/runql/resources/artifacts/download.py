"""Fetching the files of an artifact: what is here already stays, equal files are fetched once, every byte is checked."""

from __future__ import annotations

import os
import sys
import warnings
from base64 import b64encode
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from runql.errors import (
    AnswerError,
    ArtifactDamagedError,
    EntryNotFoundError,
    ManifestError,
    ReferenceUnavailableError,
)
from runql.paths import ArtifactAddress
from runql.resources.artifacts.entry_digest import hash_of, is_intact
from runql.resources.artifacts.lookup import read_artifact, source_of
from runql.resources.artifacts.manifest import Manifest, ManifestEntry, stored_at
from runql.resources.artifacts.record import read_manifest
from runql.resources.artifacts.references import ARTIFACT, check_schemes, follow, scheme_of, spellings
from runql.resources.files.names import (
    OnUnsafe,
    Placement,
    checked_on_unsafe,
    place,
    target_path,
    unless_unstorable,
)
from runql.resources.pages.listing import refuse_circle
from runql.resources.pages.uncounted import read_sparse_page
from runql.resources.server_features import read_features
from runql.transport.bodies import Progress, Sink
from runql.transport.flow import Flow, fetch, gather, offload, save
from runql.transport.local_files import copy_file
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
    """An entry, the version that holds it, where it shall lie, and what the version that is downloaded calls it."""

    holder: Holder
    entry: ManifestEntry
    target: Path
    name: str


@dataclass(frozen=True, slots=True)
class Transfer:
    """How a download goes.

    Attributes:
        max_concurrency: transfers under way at the same time.
        progress: told of the bytes of all of them.
        allow_missing_references: go on without what is no longer where a reference points.
        on_unsafe: what to do about entries whose names cannot be used, after the others have arrived.
    """

    max_concurrency: int
    progress: Progress | None = None
    allow_missing_references: bool = False
    on_unsafe: OnUnsafe = "raise"
    missing: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        if self.max_concurrency < 1:
            raise ValueError(f"max_concurrency must be at least 1, not {self.max_concurrency}")
        checked_on_unsafe(self.on_unsafe)


def default_root(source: ArtifactAddress) -> Path:
    """Where a version is saved unless the caller says otherwise: below `WANDB_ARTIFACT_DIR`, else ``./artifacts``."""
    colon = "-" if sys.platform == "win32" else ":"
    name = f"{source.collection}{colon}{source.version}"
    return target_path(os.environ.get("WANDB_ARTIFACT_DIR") or "artifacts", name)


def fetch_below(
    holder: Holder, entries: Sequence[ManifestEntry], root: Path, transfer: Transfer
) -> Flow[dict[str, Path]]:
    """Fetch entries below ``root``, and return where they are by name; those that are there with the right bytes cost no request.

    Sends one request for 5,000 files (their addresses), one a different file, one a reference.

    Raises:
        UnsafeNameError: names cannot be used, and the transfer does not skip them; the others have arrived.
    """
    placement = place(root, [entry.path for entry in entries])
    wanted = [
        Wish(holder, entry, placement.targets[entry.path], entry.path)
        for entry in entries
        if entry.path in placement.targets
    ]
    if wanted:
        yield from _fetch_all(wanted, transfer, placement)
    placement.settle(transfer.on_unsafe)
    return placement.arrived()


def _fetch_all(wanted: Sequence[Wish], transfer: Transfer, placement: Placement) -> Flow[None]:
    check_schemes(wanted[0].holder.name, [wish.entry for wish in wanted if wish.entry.is_reference])
    resolved = yield from _resolved(wanted, transfer)
    held = [wish for wish in resolved if not wish.entry.is_reference]
    for wish in held:
        hash_of(wish.entry)
    intact = yield from gather(
        [offload(partial(is_intact, wish.target, wish.entry)) for wish in held],
        limit=transfer.max_concurrency,
    )
    equal: dict[tuple[str, str], list[Wish]] = {}
    here: dict[tuple[str, str], Path] = {}
    for wish, there in zip(held, intact, strict=True):
        key = (wish.entry.digest_algorithm, wish.entry.digest)
        if there:
            here[key] = wish.target
        else:
            equal.setdefault(key, []).append(wish)
    missing = {key: same for key, same in equal.items() if key not in here}
    references = [wish for wish in resolved if wish.entry.is_reference]
    transferred = [*(same[0] for same in missing.values()), *references]
    sizes = [wish.entry.size or 0 for wish in transferred]
    names = [wish.name for wish in transferred]
    shares = dict(zip(names, shared_progress(transfer.progress, sizes), strict=True))
    refused = placement.refused
    while missing:
        yield from _fetch_held([same[0] for same in missing.values()], shares, transfer, refused)
        here |= {key: same[0].target for key, same in missing.items() if same[0].name not in refused}
        # Where the disk refuses the first name of some bytes, they are fetched for the next.
        missing = {key: same[1:] for key, same in missing.items() if key not in here and same[1:]}
    yield from gather(
        [
            unless_unstorable(_follow(wish, shares[wish.name], transfer), wish.name, refused)
            for wish in references
        ],
        limit=transfer.max_concurrency,
    )
    copies = [
        unless_unstorable(offload(partial(copy_file, here[key], wish.target)), wish.name, refused)
        for key, same in equal.items()
        for wish in same
        if key in here and wish.target != here[key]
    ]
    yield from gather(copies, limit=transfer.max_concurrency)
    if transfer.missing:
        warnings.warn(
            f"what artifact {wanted[0].holder.name} refers to is missing: {', '.join(sorted(transfer.missing))}",
            RuntimeWarning,
            stacklevel=2,
        )


def check_folder(
    name: str, manifest: Manifest, root: Path, *, max_concurrency: int, on_unsafe: OnUnsafe
) -> Flow[list[str]]:
    """Whether a folder holds just the files of an artifact; returns the names of references, which are not checked.

    Raises:
        ArtifactDamagedError: files are missing, hold something else, or belong to no entry, or have names that cannot
            be used and are not to be skipped.
    """
    placement = place(root, list(manifest.entries))
    held = [
        entry
        for entry in manifest.entries.values()
        if not entry.is_reference and entry.path in placement.targets
    ]
    targets = [placement.targets[entry.path] for entry in held]
    intact = yield from gather(
        [offload(partial(is_intact, path, entry)) for path, entry in zip(targets, held, strict=True)],
        limit=max_concurrency,
    )
    wrong = [(path, entry.path) for path, entry, fine in zip(targets, held, intact, strict=True) if not fine]
    missing = [entry for path, entry in wrong if not path.is_file()]
    changed = [entry for path, entry in wrong if path.is_file()]
    found = yield from offload(lambda: _files_below(root))
    unexpected = [path for path in found if path not in manifest.entries]
    unstorable = placement.refused if on_unsafe == "raise" else {}
    if missing or changed or unexpected or unstorable:
        raise ArtifactDamagedError(name, missing, changed, unexpected, unstorable)
    placement.settle(on_unsafe)
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
        unread = sorted({_home(wish.entry) for wish in pending} - known.keys())
        holders = yield from gather([_read_holder(each) for each in unread], limit=transfer.max_concurrency)
        known.update(zip(unread, holders, strict=True))
        found = [_followed(wish, known) if _is_elsewhere(wish.entry) else wish for wish in found]
    deep = {wish.entry.path: wish.entry.ref or "" for wish in found if _is_elsewhere(wish.entry)}
    raise ReferenceUnavailableError(
        wanted[0].holder.name, deep, f"more than {DEEPEST} artifacts refer to one another"
    )


def _is_elsewhere(entry: ManifestEntry) -> bool:
    return entry.is_reference and scheme_of(entry) == ARTIFACT


def _home(entry: ManifestEntry) -> str:
    """The id of the artifact that a reference points into."""
    host = (entry.ref or "").partition("://")[2].partition("/")[0]
    try:
        return b64encode(bytes.fromhex(host)).decode("ascii")
    except ValueError as error:
        raise ManifestError(f"entry {entry.path!r} refers to {entry.ref}, which names no artifact") from error


def _read_holder(artifact_id: str) -> Flow[Holder]:
    return Holder(artifact_id, artifact_id, (yield from read_manifest(artifact_id, artifact_id)), None)


def _followed(wish: Wish, known: Mapping[str, Holder]) -> Wish:
    holder = known[_home(wish.entry)]
    entries = holder.manifest.entries
    paths = [path.removeprefix("/") for path in spellings(wish.entry.ref or "")]
    entry = next((entries[path] for path in paths if path in entries), None)
    if entry is None:
        raise EntryNotFoundError(holder.name, paths[0])
    return Wish(holder, entry, wish.target, wish.name)


def _fetch_held(
    wanted: Sequence[Wish],
    shares: Mapping[str, Progress | None],
    transfer: Transfer,
    refused: MutableMapping[str, str],
) -> Flow[None]:
    urls: dict[tuple[str, str], str] = {}
    for artifact_id in dict.fromkeys(wish.holder.artifact_id for wish in wanted):
        own = [wish for wish in wanted if wish.holder.artifact_id == artifact_id]
        names = [wish.entry.path for wish in own]
        found = yield from _list_urls(artifact_id, names, len(own[0].holder.manifest.entries))
        urls |= {(artifact_id, name): url for name, url in found.items()}
    again: list[tuple[Wish, AnswerError | None]] = []

    def fetch_direct(wish: Wish) -> Flow[None]:
        url = urls.get((wish.holder.artifact_id, wish.entry.path))
        attempt = yield from _fetch_direct(wish, url, shares.get(wish.name))
        if not attempt.done:
            again.append((wish, attempt.failure))

    yield from gather(
        [unless_unstorable(fetch_direct(wish), wish.name, refused) for wish in wanted],
        limit=transfer.max_concurrency,
        release_on_offload=True,
    )
    if not again:
        return
    features = yield from read_features()
    yield from gather(
        [
            unless_unstorable(
                _fetch_through_api(wish, features, shares.get(wish.name), failure), wish.name, refused
            )
            for wish, failure in again
        ],
        limit=transfer.max_concurrency,
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
        transfer.missing.append(wish.name)
