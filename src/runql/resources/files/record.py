"""What was read of a run's file, and the flows that find, save, upload and delete one."""

from __future__ import annotations

import io
import os
import re
from datetime import datetime
from pathlib import Path

from runql.arguments import checked_path
from runql.errors import (
    AnswerError,
    DeletionRefusedError,
    FileNotFoundInRunError,
    LocalFileError,
    UploadRefusedError,
)
from runql.paths import RunAddress
from runql.quick_dataclasses import dataclass
from runql.resources.capabilities import read_features
from runql.resources.files.names import target_path, upload_name
from runql.resources.records.absent_fields import require_field
from runql.resources.records.deletion import confirm_deletion
from runql.resources.records.identity import require_name, require_run
from runql.resources.records.run_fields import PROJECT_ID, project_number, read_run
from runql.resources.records.snake_case import SnakeCaseAttributes
from runql.resources.records.tables import Contents, Shown, described
from runql.resources.records.travelling import Travelling
from runql.times import as_time
from runql.transport.files.bodies import Progress, Sink, Source
from runql.transport.files.shared_progress import shared_progress
from runql.transport.flow import EXPIRED_URL_STATUSES, Flow, fetch, save, upload
from runql_graphql.fragments import FileFields
from runql_graphql.operations import (
    create_run_files,
    delete_files,
    list_run_files,
    mark_run_files_uploaded,
)

CONFIRM_UPLOADS = "MARK_RUN_FILES_UPLOADED"
_HEADER_NAME = re.compile("[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


class FileRecord(Travelling, Shown, SnakeCaseAttributes):
    """What both clients share.

    Attributes:
        fields: as the server returned them.
    """

    def __init__(self, run: RunAddress, fields: FileFields, project_number: int | None) -> None:
        self._run = run
        self._project_number = project_number
        self.fields = fields

    def _token(self) -> tuple[object, ...]:
        return self.run_path, self.name, self.md5, self.size

    def __repr__(self) -> str:
        return described("File", f"{self.name} ({self.mimetype}) {format_size(self.size)}")

    def _contents(self) -> Contents:
        return Contents(
            {
                "name": self.name,
                "size": format_size(self.size),
                "mimetype": self.mimetype,
                "updated_at": self.updated_at,
                "md5": self.md5,
                "run": self.run_path,
            }
        )

    @property
    def id(self) -> str:
        """The server's id."""
        return self.fields.id

    @property
    def name(self) -> str:
        """The path inside the run, with `/` between its parts."""
        return self.fields.name

    @property
    def size(self) -> int:
        """The size in bytes, as of the last read."""
        return int(self.fields.size_bytes)

    @property
    def size_bytes(self) -> int:
        """The same as `size`, under the server's name."""
        return self.size

    @property
    def md5(self) -> str | None:
        """The MD5 of the bytes in base64."""
        return self.fields.md5

    @property
    def mimetype(self) -> str | None:
        """The media type, as the server guesses it."""
        return self.fields.mimetype

    @property
    def updated_at(self) -> str | None:
        """When it was uploaded, ISO 8601, in UTC where no zone is given."""
        return self.fields.updated_at

    @property
    def updated_time(self) -> datetime | None:
        """`updated_at` as an aware datetime in UTC.

        None where `updated_at` is None.

        Raises:
            UnreadableValueError: the server sent a str that is no time.
        """
        return as_time(self.updated_at, f"updated_at of file {self.name} of run {self.run_path}")

    @property
    def url(self) -> str | None:
        """The URL; below the base URL it needs the API key."""
        return self.fields.url

    @property
    def direct_url(self) -> str:
        """The signed URL, which needs no key and expires."""
        return self.fields.direct_url

    @property
    def run_path(self) -> str:
        """The path of its run: entity, project and run id."""
        return run_path(self._run)


def run_path(run: RunAddress) -> str:
    """Return entity, project and id of a run, without percent-quoting."""
    return f"{run.entity}/{run.project}/{run.run_id}"


def find_entry(run: RunAddress, name: str) -> Flow[FileFields | None]:
    """Find the server's entry for a name, if any; one request. An entry without `updatedAt` has no bytes."""
    operation = list_run_files(entity=run.entity, project=run.project, run=run.run_id, names=[name], first=1)
    response = yield from fetch(operation)
    files = require_run(response.project, run.entity, run.project, run.run_id).files
    entry = files.edges[0].node if files and files.edges else None
    if entry is not None:
        require_name(f"a file of run {run}, ", name, entry.name)
    return entry


def find_file(run: RunAddress, name: str) -> Flow[FileFields]:
    """Find the run's file of this name; one request.

    Raises:
        FileNotFoundInRunError: the run has no such file, or the file was announced and never uploaded.
    """
    fields = yield from find_entry(run, name)
    if fields is None or fields.updated_at is None:
        raise FileNotFoundInRunError(run_path(run), name)
    return fields


def download_path(
    fields: FileFields, root: str | os.PathLike[str], *, replace: bool, exist_ok: bool
) -> tuple[Path, bool]:
    """Return the path to save a file to, and whether to fetch it.

    Raises:
        UnsafeNameError: the name leads out of ``root``, or this system cannot store it.
        ValueError: the file exists, and neither ``replace`` nor ``exist_ok`` is set.
    """
    target = target_path(checked_path("root", root), fields.name)
    return target, should_fetch(target, replace=replace, exist_ok=exist_ok)


def should_fetch(target: Path, *, replace: bool, exist_ok: bool) -> bool:
    """Whether to fetch a file.

    Raises:
        ValueError: the file exists, and neither ``replace`` nor ``exist_ok`` is set.
        LocalFileError: the folder cannot be read.
    """
    try:
        if replace or not target.exists():
            return True
    except OSError as error:
        raise LocalFileError(f"cannot read {target}", error) from error
    if exist_ok:
        return False
    raise ValueError(f"{target} exists already: replace=True overwrites it, exist_ok=True uses it as it is")


def open_text(path: Path) -> io.TextIOWrapper:
    """Open a file for reading as UTF-8.

    Raises:
        LocalFileError: the file cannot be read.
    """
    try:
        return path.open(encoding="utf-8")
    except OSError as error:
        raise LocalFileError(f"cannot read {path}", error) from error


def save_file(
    run: RunAddress, fields: FileFields, target: Path, progress: Progress | None = None
) -> Flow[None]:
    """Fetch a file; one request, and two more if its URL has expired."""
    (share,) = shared_progress(progress, [int(fields.size_bytes)])
    yield from fetch_file(run, fields, target, share)


def fetch_file(run: RunAddress, fields: FileFields, target: Path, progress: Progress | None) -> Flow[None]:
    """Fetch a file; as `save_file`, with its share of the progress of several files."""
    # The signed URL first: the other one redirects to it, which costs one more request.
    try:
        yield from save(fields.direct_url or fields.url or "", _sink(fields, target, progress))
    except AnswerError as error:
        if error.status not in EXPIRED_URL_STATUSES:
            raise
        fields = yield from find_file(run, fields.name)
        yield from save(fields.url or fields.direct_url, _sink(fields, target, progress))


def delete_file(run: RunAddress, fields: FileFields, project_id: int | None) -> Flow[None]:
    """Delete a file; one request, and one before if ``project_id`` is None. See `confirm_deletion`.

    Raises:
        DeletionRefusedError: the server refuses.
        DeletionUnconfirmedError: the response was lost, and the file still exists or cannot be requested.
        OutdatedServerError: the server does not know the project's number, which the deletion needs.
    """
    if project_id is None:
        loaded = yield from read_run(run)
        project_id = require_field(project_number(loaded), PROJECT_ID)

    def is_there() -> Flow[bool]:
        entry = yield from find_entry(run, fields.name)
        return entry is not None and entry.updated_at is not None and entry.id == fields.id

    deletion = fetch(delete_files(files=[fields.id], project_id=project_id))
    response = yield from confirm_deletion(deletion, is_there, f"{fields.name!r} of run {run}")
    if response is None:
        return
    deleted = response.delete_files
    if deleted is None or not deleted.success:
        raise DeletionRefusedError(f"the server did not delete {fields.name!r} of run {run.run_id}")


def upload_file(
    run: RunAddress, path: str | os.PathLike[str], root: str | os.PathLike[str], progress: Progress | None
) -> Flow[FileFields]:
    """Upload a local file into the run; four requests, five if the server needs a confirmation of the upload.

    Raises:
        LocalFileError: the file cannot be read; raised before anything is sent.
        UploadRefusedError: the server returns no upload URL, or does not confirm the upload.
    """
    source = Source(checked_path("path", path))
    name = upload_name(source.path, checked_path("root", root))
    (source.progress,) = shared_progress(progress, [source.size])
    target = yield from _request_upload(run, name)
    try:
        yield from upload(target.url, source, target.headers)
    except AnswerError as error:
        if error.status not in EXPIRED_URL_STATUSES:
            raise
        target = yield from _request_upload(run, name)
        yield from upload(target.url, source, target.headers)
    if CONFIRM_UPLOADS in (yield from read_features()):
        yield from _confirm_upload(run, name)
    fields = yield from find_entry(run, name)
    if fields is None:
        raise FileNotFoundInRunError(run_path(run), name)
    return fields


@dataclass(frozen=True, slots=True)
class _UploadTarget:
    url: str
    headers: list[tuple[str, str]]


def _request_upload(run: RunAddress, name: str) -> Flow[_UploadTarget]:
    operation = create_run_files(entity=run.entity, project=run.project, run=run.run_id, files=[name])
    uploads = (yield from fetch(operation, repeatable=True)).create_run_files
    urls = [each.upload_url for each in uploads.files if each.name == name] if uploads else []
    if uploads is None or not uploads.run_id or not urls or not urls[0]:
        raise UploadRefusedError(
            f"the server returned no upload URL for {name!r} in run {run}: does the run exist, and may your API key write to it?"
        )
    return _UploadTarget(urls[0], [parse_header(header) for header in uploads.upload_headers])


def parse_header(header: str) -> tuple[str, str]:
    """Split an upload header as the server names it.

    Raises:
        UploadRefusedError: no request can carry it.
    """
    name, colon, value = header.partition(":")
    if not colon:
        raise UploadRefusedError("the server requires an upload header that has no value")
    value = value.strip(" \t")
    if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
        raise UploadRefusedError(
            f"the server requires the upload header {name!r}, which no request can carry: "
            "HTTP allows printable ASCII characters only"
        )
    return name, value


def _confirm_upload(run: RunAddress, name: str) -> Flow[None]:
    operation = mark_run_files_uploaded(entity=run.entity, project=run.project, run=run.run_id, files=[name])
    marked = (yield from fetch(operation, repeatable=True)).mark_run_files_uploaded
    if marked is None or not marked.success:
        raise UploadRefusedError(f"the server did not confirm the upload of {name!r} to run {run}")


def _sink(fields: FileFields, target: Path, progress: Progress | None) -> Sink:
    # Files of a live run grow: without an MD5 only the listed size shows that a response is incomplete.
    size = None if fields.md5 else int(fields.size_bytes)
    return Sink(target, digest=fields.md5, size=size, progress=progress)


def format_size(size: int) -> str:
    """Format a size for people, in powers of 1,024."""
    # No float is as large as an int of a server may be.
    amount, unit = float(min(size, 1 << 100)), 0
    while amount >= 1024 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1024, unit + 1
    return f"{amount:.1f}{_UNITS[unit]}" if unit else f"{size}B"
