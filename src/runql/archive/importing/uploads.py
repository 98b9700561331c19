"""Writes to a server what the logging process of a run writes: its rows and lines by the file stream, and its files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from runql.errors import AnswerError, UploadRefusedError
from runql.paths import RunAddress
from runql.quick_dataclasses import dataclass
from runql.resources.capabilities import read_features
from runql.resources.files.record import CONFIRM_UPLOADS, parse_header
from runql.transport.files.bodies import Source
from runql.transport.flow import EXPIRED_URL_STATUSES, Flow, ReadOnce, fetch, gather, post, upload
from runql.values import JSONValue, dump_json
from runql_graphql.operations import create_run_files, mark_run_files_uploaded

if TYPE_CHECKING:
    from runql.archive.tables import Row

ROWS: Final = 1_000
BYTES: Final = 2 << 20
"""A post of the file stream holds so many rows and characters at most, and at least a row."""
NAMES: Final = 100
FILES_AT_ONCE: Final = 4
STREAMS: Final[Mapping[str, str]] = {
    "history": "wandb-history.jsonl",
    "events": "wandb-events.jsonl",
    "console": "output.log",
}
"""The name of each kind of rows in the file stream."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of a run that go in one post.

    Attributes:
        run: its id.
        offset: where the first goes.
        lines: the rows, encoded.
        before: rows of the run in earlier posts.
    """

    run: str
    offset: int
    lines: list[str]
    before: int = 0

    @property
    def end(self) -> int:
        """Rows of the run in this post and in earlier ones."""
        return self.before + len(self.lines)

    @property
    def is_full(self) -> bool:
        """Whether the run may have more rows than these."""
        return len(self.lines) == ROWS or sum(map(len, self.lines)) > BYTES


def chunks(kind: str, rows: Iterable[tuple[str, Row]]) -> Iterator[Chunk]:
    """Cut the rows of runs, one run after the other, into posts."""
    run, offset, start, size, lines, before = "", 0, 0, 0, list[str](), 0
    for owner, row in rows:
        if owner != run:
            if lines:
                yield Chunk(run, start, lines, before)
            run, offset, start, size, lines, before = owner, 0, 0, 0, [], 0
        place = row.get("number") if kind == "console" else None
        number = place if isinstance(place, int) else offset
        if lines and (number != offset or len(lines) == ROWS or size > BYTES):
            yield Chunk(run, start, lines, before)
            before += len(lines)
            size, lines = 0, []
        if not lines:
            start = offset = number
        line = _console_line(row) if kind == "console" else dump_json(row)
        lines.append(line)
        offset += 1
        size += len(line)
    if lines:
        yield Chunk(run, start, lines, before)


def post_chunk(home: RunAddress, kind: str, chunk: Chunk) -> Flow[None]:
    """Write rows; one request, idempotent, because rows of the same place are replaced."""
    content: dict[str, JSONValue] = {"offset": chunk.offset, "content": list[JSONValue](chunk.lines)}
    body = {"files": {STREAMS[kind]: content}}
    yield from post(_stream_path(home, chunk.run), json.dumps(body).encode())


def end_stream(home: RunAddress, run: str, exit_code: int) -> Flow[None]:
    """Say that the run is over; one request."""
    body = {"complete": True, "exitcode": exit_code}
    yield from post(_stream_path(home, run), json.dumps(body).encode())


class FileUploads:
    """Uploads files of runs; one request for 100 names, one a file, and on some servers one more for 100 names."""

    def __init__(self, home: RunAddress) -> None:
        self._home = home
        self._features: ReadOnce[frozenset[str]] = ReadOnce(read_features)

    def upload(self, run: str, files: Mapping[str, Path]) -> Flow[None]:
        """Upload the files of a run, by their names in it; idempotent.

        Raises:
            UploadRefusedError: the server does not accept one.
            LocalFileError: one cannot be read.
        """
        names = [*files]
        for start in range(0, len(names), NAMES):
            part = names[start : start + NAMES]
            urls, headers = yield from self._places(run, part)
            yield from gather(
                [self._put(run, name, files[name], urls[name], headers) for name in part], limit=FILES_AT_ONCE
            )
            if CONFIRM_UPLOADS in (yield from self._features.get()):
                marking = mark_run_files_uploaded(
                    entity=self._home.entity, project=self._home.project, run=run, files=part
                )
                marked = (yield from fetch(marking, repeatable=True)).mark_run_files_uploaded
                if marked is None or not marked.success:
                    raise UploadRefusedError(f"the server did not confirm {len(part)} files of run {run}")

    def _put(
        self, run: str, name: str, path: Path, url: str, headers: Sequence[tuple[str, str]]
    ) -> Flow[None]:
        try:
            yield from upload(url, Source(path), headers)
        except AnswerError as error:
            if error.status not in EXPIRED_URL_STATUSES:
                raise
            urls, headers = yield from self._places(run, [name])
            yield from upload(urls[name], Source(path), headers)

    def _places(self, run: str, names: Sequence[str]) -> Flow[tuple[dict[str, str], list[tuple[str, str]]]]:
        operation = create_run_files(
            entity=self._home.entity, project=self._home.project, run=run, files=list(names)
        )
        made = (yield from fetch(operation, repeatable=True)).create_run_files
        urls = {each.name: each.upload_url for each in made.files if each.upload_url} if made else {}
        missing = [name for name in names if name not in urls]
        if made is None or missing:
            raise UploadRefusedError(f"the server returned no upload URL for {missing[0]!r} of run {run}")
        return urls, [parse_header(header) for header in made.upload_headers]


def _stream_path(home: RunAddress, run: str) -> str:
    parts = "/".join(quote(part, safe="") for part in (home.entity, home.project, run))
    return f"files/{parts}/file_stream"


def _console_line(row: Row) -> str:
    """A console line as the official SDK posts it."""
    line = str(row.get("line") or "")
    moment = row.get("timestamp")
    if not isinstance(moment, str):
        return line
    return f"{'ERROR ' if row.get('level') == 'error' else ''}{moment} {line}"
