"""What an artifact refers to and does not hold: which addresses can be followed, and following them."""

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
from runql.transport.bodies import CHUNK, Progress, Sink
from runql.transport.flow import Flow, offload, save
from runql.transport.local_files import copy_file, digest_of, write_atomically

ARTIFACT: Final = "wandb-artifact"
_SCHEME: Final = re.compile("[A-Za-z][A-Za-z0-9+.-]*")
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
    return _scheme(entry.ref or "")


def spellings(address: str) -> list[str]:
    """What may be meant behind the scheme and the host of an address, likelier first.

    SDKs store names as they are, where `#`, `?` and `%` are ordinary characters; other writers escape them.
    """
    rest = address.partition(":")[2]
    if rest.startswith("//"):
        rest = f"/{rest[2:].partition('/')[2]}"
    path = re.split("[?#]", rest, maxsplit=1)[0]
    return list(dict.fromkeys(each for raw in (rest, path) for each in (raw, _unquoted(raw))))


def local_paths(address: str, *, windows: bool = os.name == "nt") -> list[Path]:
    """Where a file of this machine may lie that an address names, likelier first."""
    paths = spellings(address)
    if windows:  # where `/C:/x` means `C:/x`
        paths = [path[1:] if re.match("/[A-Za-z]:", path) else path for path in paths]
    return [Path(path) for path in paths]


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
    unknown = {name: address for name, address in others.items() if _scheme(address) not in known}
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
    sources = [path for path in local_paths(entry.ref or "") if _is_file(path)]
    if not sources:
        raise ReferenceUnavailableError(artifact, {entry.path: entry.ref or ""}, "there is no such file here")
    for source in sources:
        if entry.digest in {digest_of(source), _digest_of_address(source)}:
            copy_file(source, target)
            return
    raise DigestMismatchError(f"{sources[0]} is not what it was when {entry.path!r} was noted")


def _digest_of_address(source: Path) -> str:
    """What the SDK notes where it is asked not to read the file."""
    address = source.resolve().as_uri().encode()
    return b64encode(hashlib.md5(address, usedforsecurity=False).digest()).decode("ascii")


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        # Such as a name that is too long for any file here.
        return False


def _fetch(artifact: str, entry: ManifestEntry, target: Path) -> None:
    address = entry.ref or ""
    try:
        opened: _Opened = importlib.import_module("fsspec").open(address, "rb")
        _check_etag(entry, opened)
        with opened.open() as file:
            write_atomically(target, lambda: file.read(CHUNK))
    except (FileNotFoundError, ImportError) as error:
        # Of a library that it lacks for such addresses fsspec says the name.
        raise ReferenceUnavailableError(artifact, {entry.path: address}, str(error)) from error
    except OSError as error:
        raise LocalFileError(f"cannot fetch {address} to {target}", error) from error
    except RunqlError:
        raise
    except Exception as error:  # each store's library has errors of its own
        raise ReferenceUnavailableError(artifact, {entry.path: address}, str(error)) from error


def _scheme(address: str) -> str:
    scheme, colon, _ = address.partition(":")
    return scheme.lower() if colon and _SCHEME.fullmatch(scheme) else ""


def _unquoted(path: str) -> str:
    # Bytes that are no UTF-8 are what `os` makes of them: the name of a file may hold any.
    return unquote(path, errors="surrogateescape")


def _check_etag(entry: ManifestEntry, opened: _Opened) -> None:
    known = opened.fs.info(opened.path).get("ETag")
    if isinstance(known, str) and entry.digest != entry.ref and known.strip('"') != entry.digest.strip('"'):
        raise DigestMismatchError(
            f"{entry.ref} is now {known}, not {entry.digest}: it was replaced since it was noted"
        )
