"""What is known of a run's file, and the flows that read, save, put and delete one."""

from __future__ import annotations

import io
import os
import re
from dataclasses import dataclass
from pathlib import Path

from runql.arguments import checked_path
from runql.errors import (
    AnswerError,
    DeletionRefusedError,
    FileNotFoundInRunError,
    LocalFileError,
    UploadRefusedError,
)
from runql.resources.files.names import target_path, upload_name
from runql.resources.records.absent_fields import present
from runql.resources.records.deletion import confirmed
from runql.resources.records.identity import require_name, require_run
from runql.resources.records.run_fields import PROJECT_ID, project_number, read_run
from runql.resources.records.snake_case import SnakeCaseAttributes
from runql.resources.server_features import read_features
from runql.transport.bodies import Progress, Sink, Source
from runql.transport.flow import EXPIRED_URL_STATUSES, Flow, fetch, save, upload
from runql.transport.shared_progress import shared_progress
from runql_graphql.fragments import FileFields
from runql_graphql.operations import (
    create_run_files,
    delete_files,
    list_run_files,
    mark_run_files_uploaded,
)

MARK_UPLOADED = "MARK_RUN_FILES_UPLOADED"
_HEADER_NAME = re.compile("[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True, slots=True)
class FileOwner:
    """The run that files belong to; ``project_id`` None when it was not read."""

    entity: str
    project: str
    run: str
    project_id: int | None = None

    def __str__(self) -> str:
        return f"{self.entity}/{self.project}/{self.run}"


class FileRecord(SnakeCaseAttributes):
    """The part of `File` and `AsyncFile` that needs no request.

    Attributes:
        fields: as the server gave them.
    """

    def __init__(self, owner: FileOwner, fields: FileFields) -> None:
        self._owner = owner
        self.fields = fields

    def __repr__(self) -> str:
        return f"<File {self.name} ({self.mimetype}) {shown_size(self.size)}>"

    @property
    def id(self) -> str:
        """The server's own id."""
        return self.fields.id

    @property
    def name(self) -> str:
        """The path inside the run, with `/` between its parts."""
        return self.fields.name

    @property
    def size(self) -> int:
        """Bytes, when it was listed."""
        return int(self.fields.size_bytes)

    @property
    def size_bytes(self) -> int:
        """The same as `size`, under the server's word."""
        return self.size

    @property
    def md5(self) -> str | None:
        """The MD5 of the bytes in base64."""
        return self.fields.md5

    @property
    def mimetype(self) -> str | None:
        """The media type that the server guesses."""
        return self.fields.mimetype

    @property
    def updated_at(self) -> str | None:
        """When the bytes arrived, ISO 8601; without a zone it is UTC."""
        return self.fields.updated_at

    @property
    def url(self) -> str | None:
        """Where to get it, with the API key when it lies below the base URL."""
        return self.fields.url

    @property
    def direct_url(self) -> str:
        """Where to get it without a key; expires."""
        return self.fields.direct_url

    @property
    def run_path(self) -> str:
        """Entity, project and run id of the run it belongs to."""
        return str(self._owner)


def find_entry(owner: FileOwner, name: str) -> Flow[FileFields | None]:
    """The server's entry for a name, None when it has none; one request. An entry may lack bytes (`updatedAt` null)."""
    operation = list_run_files(
        entity=owner.entity, project=owner.project, run=owner.run, names=[name], first=1
    )
    answer = yield from fetch(operation)
    files = require_run(answer.project, owner.entity, owner.project, owner.run).files
    entry = files.edges[0].node if files and files.edges else None
    if entry is not None:
        require_name(f"a file of run {owner}, ", name, entry.name)
    return entry


def find_file(owner: FileOwner, name: str) -> Flow[FileFields]:
    """The run's file of that name; one request.

    Raises:
        FileNotFoundInRunError: there is none, or it was announced and never uploaded.
    """
    fields = yield from find_entry(owner, name)
    if fields is None or fields.updated_at is None:
        raise FileNotFoundInRunError(str(owner), name)
    return fields


def download_path(
    fields: FileFields, root: str | os.PathLike[str], *, replace: bool, exist_ok: bool
) -> tuple[Path, bool]:
    """Where a file is saved to, and whether there is something to be fetched.

    Raises:
        UnsafeNameError: its name leads out of ``root``, or this system cannot store it.
        ValueError: there is a file already, and neither ``replace`` nor ``exist_ok`` was given.
    """
    target = target_path(checked_path("root", root), fields.name)
    return target, is_wanted(target, replace=replace, exist_ok=exist_ok)


def is_wanted(target: Path, *, replace: bool, exist_ok: bool) -> bool:
    """Whether a file has to be fetched to be there.

    Raises:
        ValueError: there is one already, and neither ``replace`` nor ``exist_ok`` was given.
        LocalFileError: its folder cannot be looked at.
    """
    try:
        if replace or not target.exists():
            return True
    except OSError as error:
        raise LocalFileError(f"cannot look at {target}", error) from error
    if exist_ok:
        return False
    raise ValueError(f"{target} exists already: replace=True overwrites it, exist_ok=True uses it as it is")


def opened(path: Path) -> io.TextIOWrapper:
    """A file, opened for reading as UTF-8 text.

    Raises:
        LocalFileError: it cannot be read.
    """
    try:
        return path.open(encoding="utf-8")
    except OSError as error:
        raise LocalFileError(f"cannot read {path}", error) from error


def save_file(
    owner: FileOwner, fields: FileFields, target: Path, progress: Progress | None = None
) -> Flow[None]:
    """Fetch a file; one request, and two more when its URL has expired."""
    (told,) = shared_progress(progress, [int(fields.size_bytes)])
    yield from save_share(owner, fields, target, told)


def save_share(owner: FileOwner, fields: FileFields, target: Path, progress: Progress | None) -> Flow[None]:
    """As `save_file`, as one of the transfers that share a progress."""
    # The storage's own address first: the other one leads there by a request more.
    try:
        yield from save(fields.direct_url or fields.url or "", _sink(fields, target, progress))
    except AnswerError as error:
        if error.status not in EXPIRED_URL_STATUSES:
            raise
        fields = yield from find_file(owner, fields.name)
        yield from save(fields.url or fields.direct_url, _sink(fields, target, progress))


def delete_file(owner: FileOwner, fields: FileFields) -> Flow[None]:
    """Delete a file; one request, and one before when the project's number is not known. See `confirmed`.

    Raises:
        DeletionRefusedError: the server says that it did not.
        DeletionUnconfirmedError: the response was lost, and the file is still there or cannot be asked for.
        OutdatedServerError: the server does not know the project's number, without which it takes no deletion.
    """
    project_id = owner.project_id
    if project_id is None:
        run = yield from read_run(owner.entity, owner.project, owner.run)
        project_id = present(project_number(run), PROJECT_ID)

    def is_there() -> Flow[bool]:
        entry = yield from find_entry(owner, fields.name)
        return entry is not None and entry.updated_at is not None and entry.id == fields.id

    deletion = fetch(delete_files(files=[fields.id], project_id=project_id))
    answer = yield from confirmed(deletion, is_there, f"{fields.name!r} of run {owner}")
    if answer is None:
        return
    deleted = answer.delete_files
    if deleted is None or not deleted.success:
        raise DeletionRefusedError(f"the server did not delete {fields.name!r} of run {owner.run}")


def upload_file(
    owner: FileOwner, path: str | os.PathLike[str], root: str | os.PathLike[str], progress: Progress | None
) -> Flow[FileFields]:
    """Put a local file into the run; four requests, five where the server wants to be told that the bytes are there.

    Raises:
        LocalFileError: it cannot be read; raised before anything is sent.
        UploadRefusedError: the server gives no place for it, or did not take note of it.
    """
    source = Source(checked_path("path", path))
    name = upload_name(source.path, checked_path("root", root))
    (source.progress,) = shared_progress(progress, [source.size])
    place = yield from _place(owner, name)
    try:
        yield from upload(place.url, source, place.headers)
    except AnswerError as error:
        if error.status not in EXPIRED_URL_STATUSES:
            raise
        place = yield from _place(owner, name)
        yield from upload(place.url, source, place.headers)
    if MARK_UPLOADED in (yield from read_features()):
        yield from _mark(owner, name)
    fields = yield from find_entry(owner, name)
    if fields is None:
        raise FileNotFoundInRunError(str(owner), name)
    return fields


@dataclass(frozen=True, slots=True)
class _Place:
    url: str
    headers: list[tuple[str, str]]


def _place(owner: FileOwner, name: str) -> Flow[_Place]:
    operation = create_run_files(entity=owner.entity, project=owner.project, run=owner.run, files=[name])
    places = (yield from fetch(operation, repeatable=True)).create_run_files
    fitting = [each.upload_url for each in places.files if each.name == name] if places else []
    if places is None or not places.run_id or not fitting or not fitting[0]:
        raise UploadRefusedError(
            f"the server gives no place for {name!r} in run {owner}: does the run exist, and may your API key write to it?"
        )
    return _Place(fitting[0], [_header(text) for text in places.upload_headers])


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise UploadRefusedError("the server asks for an upload header that has no value")
    value = value.strip(" \t")
    if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
        raise UploadRefusedError(
            f"the server asks for the upload header {name!r}, of which no request can be made: "
            "HTTP takes printable ASCII characters"
        )
    return name, value


def _mark(owner: FileOwner, name: str) -> Flow[None]:
    operation = mark_run_files_uploaded(
        entity=owner.entity, project=owner.project, run=owner.run, files=[name]
    )
    marked = (yield from fetch(operation, repeatable=True)).mark_run_files_uploaded
    if marked is None or not marked.success:
        raise UploadRefusedError(f"the server did not take note that {name!r} was uploaded to run {owner}")


def _sink(fields: FileFields, target: Path, progress: Progress | None) -> Sink:
    # A live run's files grow: without an MD5 the listed size is the best there is to tell a cut answer by.
    size = None if fields.md5 else int(fields.size_bytes)
    return Sink(target, digest=fields.md5, size=size, progress=progress)


def shown_size(size: int) -> str:
    """A size for people, in powers of 1,024."""
    amount, unit = float(size), 0
    while amount >= 1024 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1024, unit + 1
    return f"{amount:.1f}{_UNITS[unit]}" if unit else f"{size}B"
