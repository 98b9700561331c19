"""Rows as a table, JSON, CSV, parquet or Arrow, on stdout or in a file."""

from __future__ import annotations

import csv
import io
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Annotated,
    BinaryIO,
    Final,
    Literal,
    TextIO,
    TypeAlias,
    TypeGuard,
    TypeVar,
    get_args,
)

import typer

from runql.cli.console.failures import AskedWronglyError
from runql.cli.console.output_file import check_output, opened_output
from runql.cli.console.plain import plain
from runql.cli.console.spool import Spool
from runql.errors import MissingExtraError
from runql.frames.batches import Batch, RowBatch
from runql.values import JSONValue, dump_json

if TYPE_CHECKING:
    from runql.cli.console.frame_file import FrameFormat

T = TypeVar("T")
Format: TypeAlias = Literal["table", "json", "jsonl", "csv", "parquet", "arrow"]
PORTION: Final = 1024
"""Rows that are kept together while others are read."""

FORMATS: Final[tuple[Format, ...]] = get_args(Format)
_BY_SUFFIX: Final[Mapping[str, Format]] = {
    **{f".{name}": name for name in FORMATS},
    ".ndjson": "jsonl",
    ".pq": "parquet",
    ".feather": "arrow",
    ".txt": "table",
}

FormatOption: TypeAlias = Annotated[
    Format | None,
    typer.Option(
        "--format",
        help="how to write, such as jsonl; by default as the name of -o ends, else a table",
        show_default=False,
    ),
]
OutputOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "-o",
        "--output",
        metavar="FILE",
        help="write to this file, such as runs.parquet; by default to stdout",
        show_default=False,
    ),
]
ForceOption: TypeAlias = Annotated[
    bool, typer.Option("--force", help="replace the file of -o, as in `-o runs.csv --force`; off by default")
]


def checked_format(format: Format | None, output: Path | None, *, force: bool) -> Format:  # noqa: A002 - the option's name
    """Return the format to write, once it is certain that it can be written; call it before anything is sent.

    Raises:
        AskedWronglyError: the file exists, its name says no format, or bytes would go to a terminal.
        MissingExtraError: no library for parquet and Arrow is installed.
    """
    if output is not None:
        check_output(output, force=force)
    if format is None:
        format = _format_of(output)  # noqa: A001
    if is_frame(format):
        if output is None and sys.stdout.isatty():
            raise AskedWronglyError(f"{format} is not for a terminal: give -o FILE, or pipe it")
        if find_spec("polars") is None and find_spec("pyarrow") is None:
            raise MissingExtraError("polars (or pyarrow)", extra="polars", needed_for=f"--format {format}")
    return format


def is_frame(format: Format) -> TypeGuard[FrameFormat]:  # noqa: A002 - the option's name
    """Whether a format is a frame's, whose columns have types."""
    return format in ("parquet", "arrow")


def write_rows(
    rows: Iterable[Mapping[str, JSONValue]],
    columns: Sequence[str] | None,
    format: Format,  # noqa: A002 - the option's name
    output: Path | None = None,
    *,
    force: bool = False,
) -> None:
    """Write rows to a file or to stdout.

    Nothing is written before the last row was read, so that a failure leaves nothing behind. Only jsonl on stdout
    appears row by row; each of its lines is whole.

    Args:
        rows: read once, in order.
        columns: the names to write, in this order; None for all names of the rows, as they appear.
        format: see `checked_format`.
        output: the file; None for stdout.
        force: replace a file that exists.

    Raises:
        AskedWronglyError: the file exists.
        LocalFileError: the file cannot be written.
        BrokenPipeError: nobody reads stdout any more.
    """
    if output is not None:
        with opened_output(output, force=force) as file:
            _write_to(file, rows, columns, format)
        return
    if is_frame(format):
        write_batches(_batches(rows), columns, format)
    elif format == "table":
        _print_rows(rows, columns)
    else:
        shown = plain_lines if sys.stdout.isatty() and format == "csv" else iter
        lines = _lines(rows, columns, format, ascii_only=_is_limited(sys.stdout))
        for line in shown(lines if format == "jsonl" else _once_all_are_there(lines)):
            sys.stdout.write(line)


def write_batches(
    batches: Iterable[Batch],
    columns: Sequence[str] | None,
    format: FrameFormat,  # noqa: A002 - the option's name
    output: Path | None = None,
    *,
    force: bool = False,
) -> None:
    """As `write_rows`, of rows that may be columns already.

    Raises:
        AskedWronglyError, LocalFileError, BrokenPipeError: as `write_rows`.
    """
    if output is None:
        _write_frame(sys.stdout.buffer, batches, columns, format)
        return
    with opened_output(output, force=force) as file:
        _write_frame(file, batches, columns, format)


def write_object(
    fields: Mapping[str, JSONValue],
    format: Format,  # noqa: A002 - the option's name
    output: Path | None = None,
    *,
    force: bool = False,
) -> None:
    """Write one object: a line for each field as a table, an object as JSON, one row in the other formats.

    Raises:
        AskedWronglyError, LocalFileError, BrokenPipeError: as `write_rows`.
    """
    if format == "table":
        lines = [{"field": name, "value": value} for name, value in _flat(fields).items()]
        write_rows(lines, ("field", "value"), format, output, force=force)
    elif format == "json":
        if output is None:
            sys.stdout.write(json_text(dict(fields), ascii_only=_is_limited(sys.stdout)) + "\n")
            return
        with opened_output(output, force=force) as file:
            file.write(f"{json_text(dict(fields))}\n".encode())
    else:
        row = dict(fields) if format == "jsonl" else _flat(fields)
        write_rows([row], None, format, output, force=force)


def json_text(value: JSONValue, *, ascii_only: bool = False) -> str:
    """Return strict JSON without control characters; NaN and infinities are the strings that W&B's server sends."""
    text = dump_json(value, ensure_ascii=ascii_only)
    if "NaN" in text or "Infinity" in text:
        text = dump_json(_strict(value), ensure_ascii=ascii_only)
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else dump_json(each)[1:-1] for each in text)


def plain_lines(lines: Iterable[str]) -> Iterator[str]:
    """Return lines of a CSV for a terminal, with their ends."""
    for line in lines:
        yield plain(line.rstrip("\r\n")) + "\n"


def _is_limited(stream: TextIO) -> bool:
    """Whether a stream cannot hold every character; the escapes of JSON can."""
    return not (stream.encoding or "").lower().replace("-", "").startswith("utf8")


def _format_of(output: Path | None) -> Format:
    if output is None or not output.suffix:
        return "table"
    known = _BY_SUFFIX.get(output.suffix.lower())
    if known is None:
        raise AskedWronglyError(
            f"{output.name} does not say how to write: give --format, one of {', '.join(FORMATS)}"
        )
    return known


def _write_to(
    file: BinaryIO,
    rows: Iterable[Mapping[str, JSONValue]],
    columns: Sequence[str] | None,
    format: Format,  # noqa: A002
) -> None:
    if is_frame(format):
        _write_frame(file, _batches(rows), columns, format)
        return
    if format != "table":
        file.writelines(line.encode("utf-8", "backslashreplace") for line in _lines(rows, columns, format))
        return
    held = io.StringIO()
    _print_rows(rows, columns, held)
    file.write(held.getvalue().encode("utf-8", "backslashreplace"))


def _print_rows(
    rows: Iterable[Mapping[str, JSONValue]], columns: Sequence[str] | None, stream: TextIO | None = None
) -> None:
    from runql.cli.console.table import print_table  # noqa: PLC0415 - rich takes time that JSON need not

    held = list(rows)
    print_table(held, _names(held) if columns is None else columns, stream)


def _batches(rows: Iterable[Mapping[str, JSONValue]]) -> Iterator[Batch]:
    return (RowBatch([dict(row) for row in portion]) for portion in _portions(rows))


def _write_frame(
    file: BinaryIO,
    batches: Iterable[Batch],
    columns: Sequence[str] | None,
    format: FrameFormat,  # noqa: A002
) -> None:
    from runql.cli.console.frame_file import write_frame  # noqa: PLC0415 - the extras

    write_frame(file, batches, columns, format)


def _lines(
    rows: Iterable[Mapping[str, JSONValue]],
    columns: Sequence[str] | None,
    format: Format,  # noqa: A002
    *,
    ascii_only: bool = False,
) -> Iterator[str]:
    match format:
        case "jsonl":
            for row in rows:
                yield json_text(_selected(row, columns), ascii_only=ascii_only) + "\n"
        case "json":
            before = "["
            for row in rows:
                yield f"{before}\n  {json_text(_selected(row, columns), ascii_only=ascii_only)}"
                before = ","
            yield "[]\n" if before == "[" else "\n]\n"
        case _:
            if columns is None:
                yield from _csv_lines_of_all_names(rows)
                return
            yield _csv_line(columns)
            for row in rows:
                yield _csv_line([_csv_cell(row.get(name)) for name in columns])


def _csv_lines_of_all_names(rows: Iterable[Mapping[str, JSONValue]]) -> Iterator[str]:
    """Return the lines of a CSV whose head only the last row decides."""
    names: dict[str, None] = {}
    with Spool[list[list[str]]]() as spool:
        for portion in _portions(rows):
            for row in portion:
                names |= dict.fromkeys(row)
            spool.add([[_csv_cell(row.get(name)) for name in names] for row in portion])
        yield _csv_line([*names])
        for kept in spool:
            for cells in kept:
                yield _csv_line([*cells, *[""] * (len(names) - len(cells))])


def _once_all_are_there(lines: Iterable[str]) -> Iterator[str]:
    """Return the lines once the last one was made."""
    with Spool[list[str]]() as spool:
        for portion in _portions(lines):
            spool.add(portion)
        for kept in spool:
            yield from kept


def _portions(items: Iterable[T]) -> Iterator[list[T]]:
    left = iter(items)
    while portion := list(islice(left, PORTION)):
        yield portion


def _selected(row: Mapping[str, JSONValue], columns: Sequence[str] | None) -> dict[str, JSONValue]:
    return dict(row) if columns is None else {name: row.get(name) for name in columns}


def _names(rows: Iterable[Mapping[str, JSONValue]]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def _csv_line(cells: Sequence[str]) -> str:
    held = io.StringIO()
    csv.writer(held, lineterminator="\n").writerow(cells)
    return held.getvalue()


def _csv_cell(value: JSONValue) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case float():
            return repr(value)
        case _:
            return json_text(value)


def _flat(fields: Mapping[str, JSONValue]) -> dict[str, JSONValue]:
    """Return the fields with the entries of objects beside them, as ``config.lr``."""
    found: dict[str, JSONValue] = {}
    for name, value in fields.items():
        if isinstance(value, dict):
            found |= {f"{name}.{key}": member for key, member in value.items()}
        else:
            found[name] = value
    return found


def _strict(value: JSONValue) -> JSONValue:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, list):
        return [_strict(member) for member in value]
    if isinstance(value, dict):
        return {key: _strict(member) for key, member in value.items()}
    return value
