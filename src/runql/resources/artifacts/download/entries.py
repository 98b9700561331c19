"""Saving entries below a folder: which of them to fetch, to copy, or to keep."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Container, Mapping, MutableMapping, Sequence
from functools import partial
from pathlib import Path

from runql.arguments import positive
from runql.errors import ReferenceUnavailableError
from runql.paths import ArtifactAddress
from runql.quick_dataclasses import dataclass
from runql.resources.artifacts.download.fetch import fetch_files
from runql.resources.artifacts.download.references import check_schemes, follow_reference
from runql.resources.artifacts.download.resolve import ArtifactSource, EntryDownload, resolve
from runql.resources.artifacts.download.verify import hash_of, is_intact
from runql.resources.artifacts.manifest import ManifestEntry
from runql.resources.files.names import (
    OnUnsafe,
    checked_on_unsafe,
    place_files,
    skip_unstorable,
    target_path,
)
from runql.resources.files.saved import SavedFiles
from runql.transport.files.bodies import Progress
from runql.transport.files.local_files import copy_file
from runql.transport.files.shared_progress import shared_progress
from runql.transport.flow import Flow, gather, offload


@dataclass(frozen=True, slots=True)
class DownloadOptions:
    """The options of a download.

    Attributes:
        max_concurrency: transfers at the same time.
        progress: called with the bytes that have arrived of all files, and how many there are.
        allow_missing_references: warn of references that lead nowhere, instead of failing.
        on_unsafe: what to do, after the other files have arrived, about names that cannot be used.
    """

    max_concurrency: int
    progress: Progress | None = None
    allow_missing_references: bool = False
    on_unsafe: OnUnsafe = "raise"

    def __post_init__(self) -> None:
        positive("max_concurrency", self.max_concurrency)
        checked_on_unsafe(self.on_unsafe)


class DownloadPlan:
    """Which files to fetch, and which to copy from one that is there.

    Args:
        downloads: the files; none is a reference.
        intact: for each of them, whether its target has the right bytes.
    """

    def __init__(self, downloads: Sequence[EntryDownload], intact: Sequence[bool]) -> None:
        self._present: dict[tuple[str, str], Path] = {}
        self._absent: dict[tuple[str, str], list[EntryDownload]] = {}
        for download, is_present in zip(downloads, intact, strict=True):
            if is_present:
                self._present[download.content] = download.target
            else:
                self._absent.setdefault(download.content, []).append(download)

    def to_fetch(self, refused: Container[str]) -> list[EntryDownload]:
        """One file for each content that is not there yet: the first whose name the disk did not refuse."""
        return [
            storable[0]
            for content, same in self._absent.items()
            if content not in self._present
            and (storable := [each for each in same if each.name not in refused])
        ]

    def absent(self) -> list[EntryDownload]:
        """The files that are not there with the right bytes."""
        return [each for same in self._absent.values() for each in same]

    def note_fetched(self, downloads: Sequence[EntryDownload]) -> None:
        """Take note of files that have arrived."""
        self._present |= {each.content: each.target for each in downloads}

    def copies(self) -> list[tuple[Path, EntryDownload]]:
        """The files to copy, each with the path to copy it from."""
        return [
            (self._present[content], each)
            for content, same in self._absent.items()
            for each in same
            if content in self._present and each.target != self._present[content]
        ]


def default_root(source: ArtifactAddress) -> Path:
    """The folder to save a version to by default: below `WANDB_ARTIFACT_DIR`, else below ``./artifacts``."""
    colon = "-" if sys.platform == "win32" else ":"
    name = f"{source.collection}{colon}{source.version}"
    return target_path(os.environ.get("WANDB_ARTIFACT_DIR") or "artifacts", name)


def download_entries(
    source: ArtifactSource, entries: Sequence[ManifestEntry], root: Path, options: DownloadOptions
) -> Flow[dict[str, Path]]:
    """Save entries below ``root``, and return their paths by name.

    Files that are there with the right bytes cost no request. Sends one request for the addresses of 5,000 files, one
    for each different file, and one for each reference.

    Raises:
        UnsafeNameError: names cannot be used, and ``on_unsafe`` is ``raise``; the other files have arrived.
    """
    placement = place_files(root, [entry.path for entry in entries])
    downloads = [
        EntryDownload(source, entry, placement.targets[entry.path], entry.path)
        for entry in entries
        if entry.path in placement.targets
    ]
    if downloads:
        yield from _save_all(downloads, options, placement.refused)
    placement.report_refused(options.on_unsafe)
    return placement.saved()


def _save_all(
    downloads: Sequence[EntryDownload], options: DownloadOptions, refused: MutableMapping[str, str]
) -> Flow[None]:
    name, limit = downloads[0].source.name, options.max_concurrency
    check_schemes(name, [each.entry for each in downloads if each.entry.is_reference])
    resolved = yield from resolve(downloads, limit=limit)
    references = [each for each in resolved if each.entry.is_reference]
    plan = yield from plan_files([each for each in resolved if not each.entry.is_reference], limit=limit)
    saved = SavedFiles(each.name for each in (*plan.absent(), *references))
    missing = yield from saved.explaining(_carry_out(plan, references, options, refused, saved))
    if missing:
        warnings.warn(
            f"what artifact {name} refers to is missing: {', '.join(sorted(missing))}",
            RuntimeWarning,
            stacklevel=2,
        )


def _carry_out(
    plan: DownloadPlan,
    references: Sequence[EntryDownload],
    options: DownloadOptions,
    refused: MutableMapping[str, str],
    saved: SavedFiles,
) -> Flow[list[str]]:
    """Fetch, follow and copy, and return the names of the references that lead nowhere."""
    limit = options.max_concurrency
    shares = _shares(options.progress, [*plan.to_fetch(refused), *references])
    # Where the disk refuses the first name of some bytes, they are fetched again for the next name.
    while wanted := plan.to_fetch(refused):
        yield from fetch_files(wanted, shares, limit=limit, refused=refused, saved=saved)
        plan.note_fetched([each for each in wanted if each.name not in refused])
    missing = yield from _follow_all(references, shares, options, refused, saved)
    copies = [
        skip_unstorable(
            saved.noting(offload(partial(copy_file, path, each.target)), each.name), each.name, refused
        )
        for path, each in plan.copies()
    ]
    yield from gather(copies, limit=limit)
    return missing


def plan_files(downloads: Sequence[EntryDownload], *, limit: int) -> Flow[DownloadPlan]:
    """Check which files are there already; sends nothing.

    Raises:
        MissingExtraError, ManifestError: a digest cannot be computed, see `hash_of`.
    """
    for each in downloads:
        hash_of(each.entry)
    intact = yield from gather(
        [offload(partial(is_intact, each.target, each.entry)) for each in downloads], limit=limit
    )
    return DownloadPlan(downloads, intact)


def _shares(progress: Progress | None, downloads: Sequence[EntryDownload]) -> dict[str, Progress | None]:
    shares = shared_progress(progress, [each.entry.size or 0 for each in downloads])
    return dict(zip([each.name for each in downloads], shares, strict=True))


def _follow_all(
    references: Sequence[EntryDownload],
    shares: Mapping[str, Progress | None],
    options: DownloadOptions,
    refused: MutableMapping[str, str],
    saved: SavedFiles,
) -> Flow[list[str]]:
    """Fetch what references point to, and return the names of those that lead nowhere."""
    missing: list[str] = []

    def follow(download: EntryDownload) -> Flow[None]:
        try:
            yield from follow_reference(
                download.source.name, download.entry, download.target, shares[download.name]
            )
            saved.note(download.name)
        except ReferenceUnavailableError:
            if not options.allow_missing_references:
                raise
            missing.append(download.name)

    yield from gather(
        [skip_unstorable(follow(each), each.name, refused) for each in references],
        limit=options.max_concurrency,
    )
    return missing
