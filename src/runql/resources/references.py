"""What an artifact refers to and does not hold: which addresses can be followed, and following them."""

from __future__ import annotations

import hashlib
import importlib
from base64 import b64encode
from collections.abc import Iterable
from contextlib import AbstractContextManager
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO, Final, Protocol
from urllib.parse import urlsplit
from urllib.request import url2pathname

from runql.artifact_errors import ReferenceUnavailableError
from runql.errors import AnswerError, DigestMismatchError, LocalFileError, MissingExtraError, TransportError
from runql.resources.manifest import ManifestEntry
from runql.transport.bodies import CHUNK, Progress, Sink
from runql.transport.flow import Flow, offload, save
from runql.transport.local_copy import copy_file, digest_of, fill

ARTIFACT: Final = "wandb-artifact"
OWN: Final = frozenset({"http", "https", "file", ARTIFACT})


class _Opened(Protocol):
    """What `fsspec.open` gives."""

    fs: _FileSystem
    path: str

    def open(self) -> AbstractContextManager[BinaryIO]: ...


class _FileSystem(Protocol):
    def info(self, path: str) -> dict[str, object]: ...


def scheme_of(entry: ManifestEntry) -> str:
    """The scheme of a reference's address, in lower case."""
    return urlsplit(entry.ref or "").scheme.lower()


def check_schemes(artifact: str, entries: Iterable[ManifestEntry]) -> None:
    """Refuse addresses that nothing here can follow, before anything is fetched.

    Raises:
        MissingExtraError: fsspec, which may know them, is not installed.
        ReferenceUnavailableError: it is, and does not know them either.
    """
    others = {entry.path: entry.ref or "" for entry in entries if scheme_of(entry) not in OWN}
    if not others:
        return
    if find_spec("fsspec") is None:
        named = "; ".join(f"{name} -> {address}" for name, address in sorted(others.items()))
        raise MissingExtraError("fsspec", extra="fsspec", needed_for=f"following {named}")
    known: Iterable[str] = importlib.import_module("fsspec").available_protocols()
    unknown = {name: address for name, address in others.items() if urlsplit(address).scheme not in known}
    if unknown:
        raise ReferenceUnavailableError(artifact, unknown, "fsspec does not know such addresses")


def follow(artifact: str, entry: ManifestEntry, target: Path, progress: Progress | None) -> Flow[None]:
    """Fetch what an entry refers to; one request over HTTP, without our key unless it lies below the base URL.

    Raises:
        ReferenceUnavailableError: it is not there, or cannot be read.
        DigestMismatchError: it is not what it was when it was noted.
        LocalFileError: the disk did not take it.
    """
    scheme, address = scheme_of(entry), entry.ref or ""
    try:
        if scheme in {"http", "https"}:
            # Without an ETag the SDK notes the address itself, by which nothing can be checked.
            etag = None if entry.digest == address else entry.digest
            yield from save(address, Sink(target, etag=etag, progress=progress))
        elif scheme == "file":
            yield from offload(lambda: _copy(artifact, entry, target))
        else:
            yield from offload(lambda: _fetch(artifact, entry, target))
    except (AnswerError, TransportError) as error:
        if isinstance(error, DigestMismatchError):
            raise
        raise ReferenceUnavailableError(artifact, {entry.path: address}, str(error)) from error


def _copy(artifact: str, entry: ManifestEntry, target: Path) -> None:
    source = Path(url2pathname(urlsplit(entry.ref or "").path))
    if not source.is_file():
        raise ReferenceUnavailableError(artifact, {entry.path: entry.ref or ""}, "there is no such file here")
    # Asked not to read the file, the SDK notes the digest of its address.
    by_address = b64encode(hashlib.md5(source.resolve().as_uri().encode(), usedforsecurity=False).digest())
    if entry.digest not in {digest_of(source), by_address.decode("ascii")}:
        raise DigestMismatchError(f"{source} is not what it was when {entry.path!r} was noted")
    copy_file(source, target)


def _fetch(artifact: str, entry: ManifestEntry, target: Path) -> None:
    address = entry.ref or ""
    try:
        opened: _Opened = importlib.import_module("fsspec").open(address, "rb")
        _check_etag(entry, opened)
        with opened.open() as file:
            fill(target, lambda: file.read(CHUNK))
    except (FileNotFoundError, ImportError) as error:
        # Of a library that it lacks for such addresses fsspec says the name.
        raise ReferenceUnavailableError(artifact, {entry.path: address}, str(error)) from error
    except OSError as error:
        raise LocalFileError(f"cannot fetch {address} to {target}", error) from error


def _check_etag(entry: ManifestEntry, opened: _Opened) -> None:
    known = opened.fs.info(opened.path).get("ETag")
    if isinstance(known, str) and entry.digest != entry.ref and known.strip('"') != entry.digest.strip('"'):
        raise DigestMismatchError(
            f"{entry.ref} is now {known}, not {entry.digest}: it was replaced since it was noted"
        )
