"""Whether a local file is what an artifact's entry says it is."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from runql.errors import LocalFileError, ManifestError, MissingExtraError
from runql.resources.artifacts.manifest import ManifestEntry
from runql.transport.bodies import Hash, new_md5
from runql.transport.local_files import digest_of

XXH128: Final = "XXH128"


def hash_of(entry: ManifestEntry) -> Callable[[], Hash]:
    """What makes an entry's digest.

    Raises:
        MissingExtraError: it is an XXH128, which newer SDKs write on request, and xxhash is not installed.
        ManifestError: it is of another kind.
    """
    if entry.digest_algorithm == "MD5":
        return new_md5
    if entry.digest_algorithm != XXH128:
        raise ManifestError(
            f"entry {entry.path!r} has a digest of the unknown kind {entry.digest_algorithm}: upgrade runql"
        )
    try:
        found: Callable[[], Hash] = importlib.import_module("xxhash").xxh128
    except ImportError as error:
        raise MissingExtraError(
            "xxhash", extra="xxhash", needed_for=f"checking entry {entry.path!r}"
        ) from error
    return found


def is_intact(path: Path, entry: ManifestEntry) -> bool:
    """Whether the file at ``path`` holds the entry's bytes; one of another size is not read.

    Raises:
        LocalFileError: it cannot be read.
    """
    try:
        if not path.is_file() or (entry.size is not None and path.stat().st_size != entry.size):
            return False
    except OSError as error:
        raise LocalFileError(f"cannot read {path}", error) from error
    return digest_of(path, hash_of(entry)) == entry.digest
