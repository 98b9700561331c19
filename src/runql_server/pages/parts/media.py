"""Media that a run logged: values with ``_type``, whose bytes are files of the run."""

from __future__ import annotations

import math
import re
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from runql_server import lenient_json
from runql_server.lenient_json import JsonObject, JsonValue
from runql_server.pages.parts.files import path_of
from runql_server.pages.parts.table_files import TableRows, read_table
from runql_server.runs import lines
from runql_server.runs.history_keys import HistoryKeys
from runql_server.runs.runs import Run
from runql_server.storage import files
from runql_server.storage.store import Store

Kind = Literal["image", "audio", "video", "html", "table", "histogram", "file"]

MOST_ITEMS: Final = 200
"""Items of one value: a list of images, for example."""

STEPS: Final = 25
"""Steps of a key on one page."""

# Of other keys, JSON has several spellings.
_SPELLED_ONE_WAY: Final = re.compile(r"[A-Za-z0-9_ .:-]+")
_LINES_SEARCHED: Final = 50_000
_MOST_BARS: Final = 512

_KINDS: Final[dict[str, Kind]] = {
    "image-file": "image",
    "images/separated": "image",
    "audio-file": "audio",
    "audio": "audio",
    "video-file": "video",
    "videos": "video",
    "html-file": "html",
    "html": "html",
    "table-file": "table",
    "incremental-table-file": "table",
    "histogram": "histogram",
}
_NOT_MEDIA: Final = frozenset({"nil", "bool", "number", "string", "list", "map"})


@dataclass(frozen=True)
class Histogram:
    """Counts of a histogram, and the edges of its bins; ``bars`` are heights from 0 to 1."""

    low: float
    high: float
    counts: list[float]

    @property
    def bars(self) -> list[float]:
        """Height of each bar; the highest is 1."""
        most = max(self.counts, default=0)
        return [count / most if most > 0 else 0.0 for count in self.counts]


@dataclass(frozen=True)
class Item:
    """One picture, sound, table or other file; ``path`` is ``None`` for bytes that were never uploaded."""

    kind: Kind
    name: str
    path: str | None
    caption: str = ""
    width: int | None = None
    height: int | None = None
    table: TableRows | None = None
    histogram: Histogram | None = None


@dataclass(frozen=True)
class Medium:
    """The value of one key: what it shows, and how many more items there are."""

    key: str
    step: float | None
    kind: str
    items: list[Item]
    left_out: int = 0


class MediaReader:
    """Makes media of one run out of its values."""

    def __init__(self, store: Store, connection: sqlite3.Connection, run: Run) -> None:
        self._store = store
        self._connection = connection
        self._run = run

    def newest(self, summary: Iterable[tuple[str, JsonValue]]) -> list[Medium]:
        """Return the newest value of each key: that of the summary, or the last one of the history."""
        found = {key: self._medium(key, None, value) for key, value in summary if is_medium(value)}
        for key in self.keys():
            if key not in found and (steps := self.steps(key, before=None, most=1)[0]):
                found[key] = steps[0]
        return [found[key] for key in sorted(found)]

    def keys(self) -> list[str]:
        """List the keys of the history that ever had a medium."""
        keys = lines.load_history_keys(self._connection, self._run.number) or HistoryKeys()
        return [key for key, info in keys.keys.items() if any(kind not in _NOT_MEDIA for kind in info.counts)]

    def steps(self, key: str, *, before: int | None, most: int = STEPS) -> tuple[list[Medium], int | None]:
        """Return the media of a key before a line, newest first, and the line before which there may be more."""
        stop = lines.line_count(self._connection, "history", self._run.number) if before is None else before
        start = max(0, stop - _LINES_SEARCHED)
        rows = self._connection.execute(
            """SELECT line, step, text FROM history WHERE run_id = ? AND line >= ? AND line < ?
               AND instr(text, ?) AND instr(text, '"_type"') ORDER BY line DESC""",
            (self._run.number, start, stop, key if _SPELLED_ONE_WAY.fullmatch(key) else "_type"),
        )
        found: list[Medium] = []
        for row in rows:
            value = lenient_json.parse_object(row["text"], what="a history line").get(key)
            if is_medium(value):
                found.append(self._medium(key, row["step"], value))
                if len(found) == most:
                    return found, int(row["line"]) or None
        return found, start or None

    def _medium(self, key: str, step: float | None, value: JsonValue) -> Medium:
        document = value if isinstance(value, dict) else {}
        kind = str(document.get("_type"))
        found = list(self._items(kind, document))
        return Medium(key, step, kind, found[:MOST_ITEMS], max(0, len(found) - MOST_ITEMS))

    def _items(self, kind: str, document: JsonObject) -> Iterator[Item]:
        if kind == "histogram":
            yield Item("histogram", "", None, histogram=_histogram(document))
            return
        captions = _strings(document.get("captions")) or _strings([document.get("caption")])
        for index, name in enumerate(_names(document)):
            caption = captions[index] if index < len(captions) else ""
            yield self._item(_KINDS.get(kind, "file"), name, caption, document)

    def _item(self, kind: Kind, name: str, caption: str, document: JsonObject) -> Item:
        file = files.find(self._connection, self._run.number, name)
        if file is None or file.blob is None:
            return Item(kind, name, None, caption)
        table = read_table(self._store, file) if kind == "table" else None
        size = (_pixels(document.get("width")), _pixels(document.get("height")))
        return Item(kind, name, path_of(self._run, name), caption, *size, table=table)


def is_medium(value: JsonValue) -> bool:
    """Whether a value of a summary or history is a medium."""
    return isinstance(value, dict) and isinstance(value.get("_type"), str)


def _names(document: JsonObject) -> list[str]:
    """Return the names of the run's files that a value is made of."""
    if isinstance(document.get("path"), str):
        return [str(document["path"])]
    for key in ("filenames", "audio", "videos", "html", "objects"):
        listed = document.get(key)
        if isinstance(listed, list):
            names = [each.get("path") if isinstance(each, dict) else each for each in listed]
            return [name for name in names if isinstance(name, str)]
    return []


def _strings(value: JsonValue) -> list[str]:
    return [each if isinstance(each, str) else "" for each in value] if isinstance(value, list) else []


def _pixels(value: JsonValue) -> int | None:
    is_size = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 100_000
    return value if is_size and isinstance(value, int) else None


def _histogram(document: JsonObject) -> Histogram | None:
    counts, edges, packed = (document.get(name) for name in ("values", "bins", "packedBins"))
    numbers = [_number(each) for each in counts] if isinstance(counts, list) else []
    if (
        not numbers
        or len(numbers) > _MOST_BARS
        or any(not math.isfinite(each) or each < 0 for each in numbers)
    ):
        return None
    if isinstance(edges, list) and len(edges) == len(numbers) + 1:
        low, high = _number(edges[0]), _number(edges[-1])
    elif isinstance(packed, dict):
        low = _number(packed.get("min"))
        high = low + _number(packed.get("size")) * len(numbers)
    else:
        return None
    return Histogram(low, high, numbers)


def _number(value: JsonValue) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf
