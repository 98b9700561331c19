"""The files and references of an artifact that was logged offline: from its record, or from a file of their own."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from runql_server import lenient_json
from runql_server.errors import RequestError
from runql_server.lenient_json import JsonObject, JsonValue
from runql_server.offline.fields import Fields, messages, text, whole

_LONGEST: Final = 1 << 20
"""Bytes of one line; a path, a digest and a reference have far fewer."""


@dataclass(frozen=True)
class Entry:
    """One path of an artifact. ``local_path`` names its bytes; a reference has none."""

    path: str
    digest: str
    ref: str = ""
    size: int = 0
    local_path: str = ""
    birth_artifact_id: str = ""
    extra: JsonObject | None = None


def read_entries(manifest: Fields) -> list[Entry]:
    """Read the entries. The SDK writes more than 100,000 of them to a gzipped file, one JSON object a line.

    Raises:
        RequestError: the file is gone or damaged.
    """
    file = text(manifest, "manifest_file_path")
    if not file:
        return [_of_message(each) for each in messages(manifest, "contents")]
    try:
        return list(_of_file(Path(file)))
    except FileNotFoundError as error:
        raise RequestError(
            f"its list of files, {file}, is gone: the SDK deletes it after an upload"
        ) from error
    except (OSError, EOFError, zlib.error, ValueError, RequestError) as error:
        raise RequestError(f"its list of files, {file}, cannot be read: {error}") from error


def _of_message(entry: Fields) -> Entry:
    extra = {
        text(pair, "key"): lenient_json.parse(text(pair, "value_json"), what="extra")
        for pair in messages(entry, "extra")
    }
    return Entry(
        text(entry, "path"),
        text(entry, "digest"),
        text(entry, "ref"),
        whole(entry, "size"),
        text(entry, "local_path"),
        text(entry, "birth_artifact_id"),
        extra or None,
    )


def _of_file(path: Path) -> Iterator[Entry]:
    with gzip.open(path, "rb") as file:
        while line := file.readline(_LONGEST + 1):
            if len(line) > _LONGEST:
                raise RequestError(f"a line has more than {_LONGEST} bytes")
            entry = lenient_json.parse_object(line.decode(), what="a line")
            extra, size = entry.get("extra"), entry.get("size")
            yield Entry(
                _string(entry.get("path")),
                _string(entry.get("digest")),
                _string(entry.get("ref")),
                size if isinstance(size, int) else 0,
                _string(entry.get("local_path")),
                _string(entry.get("birthArtifactID")),
                extra if isinstance(extra, dict) and extra else None,
            )


def _string(value: JsonValue) -> str:
    return value if isinstance(value, str) else ""
