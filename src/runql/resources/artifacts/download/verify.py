"""Checking that local files are those of an artifact."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

from runql.errors import ArtifactDamagedError, LocalFileError, ManifestError, MissingExtraError
from runql.resources.artifacts.manifest import Manifest, ManifestEntry
from runql.resources.files.names import OnUnsafe, place_files
from runql.transport.files.bodies import Hash, new_md5
from runql.transport.files.local_files import digest_of
from runql.transport.flow import Flow, gather, offload

XXH128: Final = "XXH128"


def hash_of(entry: ManifestEntry) -> Callable[[], Hash]:
    """Return the constructor of an entry's hash.

    Raises:
        MissingExtraError: the digest is an XXH128, which newer SDKs write on request, and xxhash is not installed.
        ManifestError: the algorithm of the digest is unknown.
    """
    if entry.digest_algorithm == "MD5":
        return new_md5
    if entry.digest_algorithm != XXH128:
        raise ManifestError(
            f"entry {entry.path!r} has a digest of the unknown algorithm {entry.digest_algorithm}: upgrade runql"
        )
    try:
        found: Callable[[], Hash] = importlib.import_module("xxhash").xxh128
    except ImportError as error:
        raise MissingExtraError(
            "xxhash", extra="xxhash", needed_for=f"checking entry {entry.path!r}"
        ) from error
    return found


def is_intact(path: Path, entry: ManifestEntry) -> bool:
    """Whether the file at ``path`` has the entry's bytes; a file of another size is not read.

    Raises:
        LocalFileError: the file cannot be read.
    """
    try:
        if not path.is_file() or (entry.size is not None and path.stat().st_size != entry.size):
            return False
    except OSError as error:
        raise LocalFileError(f"cannot read {path}", error) from error
    return digest_of(path, hash_of(entry)) == entry.digest


def check_folder(
    name: str, manifest: Manifest, root: Path, *, max_concurrency: int, on_unsafe: OnUnsafe
) -> Flow[list[str]]:
    """Check that a folder has exactly the files of an artifact; return the references, which are not checked.

    Raises:
        ArtifactDamagedError: files are missing, have other bytes, or belong to no entry; or names cannot be used, and
            ``on_unsafe`` is ``raise``.
    """
    placement = place_files(root, list(manifest.entries))
    files = [
        entry
        for entry in manifest.entries.values()
        if not entry.is_reference and entry.path in placement.targets
    ]
    targets = [placement.targets[entry.path] for entry in files]
    intact = yield from gather(
        [offload(partial(is_intact, path, entry)) for path, entry in zip(targets, files, strict=True)],
        limit=max_concurrency,
    )
    wrong = [(path, entry.path) for path, entry, fine in zip(targets, files, intact, strict=True) if not fine]
    missing = [entry for path, entry in wrong if not path.is_file()]
    changed = [entry for path, entry in wrong if path.is_file()]
    found = yield from offload(lambda: _files_below(root))
    unexpected = [path for path in found if path not in manifest.entries]
    unstorable = placement.refused if on_unsafe == "raise" else {}
    if missing or changed or unexpected or unstorable:
        raise ArtifactDamagedError(name, missing, changed, unexpected, unstorable)
    placement.report_refused(on_unsafe)
    return [entry.path for entry in manifest.entries.values() if entry.is_reference]


def _files_below(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir())
