"""References: which addresses can be followed, and fetching what they point to."""

from __future__ import annotations

import hashlib
import importlib
import os
import re
from base64 import b64encode
from collections.abc import Iterable
from contextlib import AbstractContextManager
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO, Final, Protocol
from urllib.parse import unquote

from runql.errors import (
    AnswerError,
    DigestMismatchError,
    LocalFileError,
    MissingExtraError,
    ReferenceUnavailableError,
    RunqlError,
    TransportError,
)
from runql.resources.artifacts.manifest import ManifestEntry
from runql.transport.files.bodies import CHUNK, Progress, Sink
from runql.transport.files.local_files import copy_file, digest_of, write_atomically
from runql.transport.flow import Flow, offload, save

ARTIFACT: Final = "wandb-artifact"
_SCHEME: Final = re.compile("[A-Za-z][A-Za-z0-9+.-]*")
KNOWN_SCHEMES: Final = frozenset({"http", "https", "file", ARTIFACT})


class _OpenFile(Protocol):
    """What `fsspec.open` returns."""

    fs: _FileSystem
    path: str

    def open(self) -> AbstractContextManager[BinaryIO]: ...


class _FileSystem(Protocol):
    def info(self, path: str) -> dict[str, object]: ...


def scheme_of(entry: ManifestEntry) -> str:
    """The scheme of a reference's address, in lower case."""
    return _scheme(entry.ref or "")


def path_spellings(address: str) -> list[str]:
    """Return the possible paths of an address, without its scheme and host, the likelier first.

    SDKs store names as they are, where `#`, `?` and `%` are ordinary characters. Other writers escape them.
    """
    rest = address.partition(":")[2]
    if rest.startswith("//"):
        rest = f"/{rest[2:].partition('/')[2]}"
    path = re.split("[?#]", rest, maxsplit=1)[0]
    return list(dict.fromkeys(each for raw in (rest, path) for each in (raw, _unquoted(raw))))


def local_paths(address: str, *, windows: bool = os.name == "nt") -> list[Path]:
    """Return the possible local paths of an address, the likelier first."""
    paths = path_spellings(address)
    if windows:  # where `/C:/x` means `C:/x`
        paths = [path[1:] if re.match("/[A-Za-z]:", path) else path for path in paths]
    return [Path(path) for path in paths]


def check_schemes(artifact: str, entries: Iterable[ManifestEntry]) -> None:
    """Refuse addresses that cannot be followed, before anything is fetched.

    Raises:
        MissingExtraError: an address needs fsspec, which is not installed.
        ReferenceUnavailableError: fsspec does not know the scheme of an address.
    """
    others = {entry.path: entry.ref or "" for entry in entries if scheme_of(entry) not in KNOWN_SCHEMES}
    if not others:
        return
    if find_spec("fsspec") is None:
        named = "; ".join(f"{name} -> {address}" for name, address in sorted(others.items()))
        raise MissingExtraError("fsspec", extra="fsspec", needed_for=f"following {named}")
    known: Iterable[str] = importlib.import_module("fsspec").available_protocols()
    unknown = {name: address for name, address in others.items() if _scheme(address) not in known}
    if unknown:
        raise ReferenceUnavailableError(artifact, unknown, "fsspec does not know such addresses")


def follow_reference(
    artifact: str, entry: ManifestEntry, target: Path, progress: Progress | None
) -> Flow[None]:
    """Fetch what a reference points to; one request over HTTP, with the key only below the base URL.

    Raises:
        ReferenceUnavailableError: it does not exist, or cannot be read.
        DigestMismatchError: it has changed since the artifact was made.
        LocalFileError: the disk cannot store it.
    """
    scheme, address = scheme_of(entry), entry.ref or ""
    try:
        if scheme in {"http", "https"}:
            # Without an ETag the SDK stores the address as the digest, which cannot be checked.
            etag = None if entry.digest == address else entry.digest
            yield from save(address, Sink(target, etag=etag, progress=progress))
        elif scheme == "file":
            yield from offload(lambda: _copy_local(artifact, entry, target))
        else:
            yield from offload(lambda: _fetch_by_fsspec(artifact, entry, target))
    except (AnswerError, TransportError) as error:
        if isinstance(error, DigestMismatchError):
            raise
        raise ReferenceUnavailableError(artifact, {entry.path: address}, str(error)) from error


def _copy_local(artifact: str, entry: ManifestEntry, target: Path) -> None:
    sources = [path for path in local_paths(entry.ref or "") if _is_file(path)]
    if not sources:
        raise ReferenceUnavailableError(artifact, {entry.path: entry.ref or ""}, "there is no such file here")
    for source in sources:
        if entry.digest in {digest_of(source), _digest_of_address(source)}:
            copy_file(source, target)
            return
    raise DigestMismatchError(f"{sources[0]} has changed since {entry.path!r} was added to the artifact")


def _digest_of_address(source: Path) -> str:
    """The digest that the SDK stores if the caller disables checksums."""
    address = source.resolve().as_uri().encode()
    return b64encode(hashlib.md5(address, usedforsecurity=False).digest()).decode("ascii")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        # For example, the name is too long for this system.
        return False


def _fetch_by_fsspec(artifact: str, entry: ManifestEntry, target: Path) -> None:
    address = entry.ref or ""
    try:
        opened: _OpenFile = importlib.import_module("fsspec").open(address, "rb")
        _check_etag(entry, opened)
        with opened.open() as file:
            write_atomically(target, lambda: file.read(CHUNK))
    except (FileNotFoundError, ImportError) as error:
        # The error of fsspec names the library that such addresses need.
        raise ReferenceUnavailableError(artifact, {entry.path: address}, str(error)) from error
    except OSError as error:
        raise LocalFileError(f"cannot fetch {address} to {target}", error) from error
    except RunqlError:
        raise
    except Exception as error:  # the library of each store has its own errors
        raise ReferenceUnavailableError(artifact, {entry.path: address}, str(error)) from error


def _scheme(address: str) -> str:
    scheme, colon, _ = address.partition(":")
    return scheme.lower() if colon and _SCHEME.fullmatch(scheme) else ""


def _unquoted(path: str) -> str:
    # A file name may contain bytes that are not UTF-8: decode them as `os` does.
    return unquote(path, errors="surrogateescape")


def _check_etag(entry: ManifestEntry, opened: _OpenFile) -> None:
    known = opened.fs.info(opened.path).get("ETag")
    if isinstance(known, str) and entry.digest != entry.ref and known.strip('"') != entry.digest.strip('"'):
        raise DigestMismatchError(
            f"{entry.ref} is now {known}, not {entry.digest}: it was replaced since it was added to the artifact"
        )
