"""What is fuzzed: functions of bytes that may only fail with errors of runql's own."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from runql.drift.operations.documents import definitions_of, user_operations
from runql.errors import RunqlError, UnreadableValueError
from runql.frames.row_readers import ColumnReader, RowReader
from runql.limits import ResponseLimitError
from runql.resources.artifacts.manifest import parse_manifest
from runql.transport.codec import RawList, read_response, read_response_with_raw_lists, refused_parts
from runql.transport.queries.operation import declared_operations
from runql.transport.wire import Response
from runql.values import parse_config, parse_json, parse_rows, parse_summary
from runql_graphql import operations
from runql_graphql.operation import Operation
from runql_server import lenient_json
from runql_server.access import auth
from runql_server.artifacts.contents import manifest_format
from runql_server.errors import RequestError
from runql_server.graphql import schema
from runql_server.graphql.execution import Documents
from runql_server.http import bodies
from runql_server.listing import cursors
from runql_server.listing.bindings import Bindings
from runql_server.listing.filters import compile_filters
from runql_server.listing.ordering import parse_order
from runql_server.runs import filestream, runs
from runql_server.seed import SeedRun, seed_runs
from runql_server.storage.store import Store

ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True)
class Target:
    """One function of bytes.

    Attributes:
        name: on the command line.
        check: returns, or raises one of ``allowed``.
        allowed: errors that say what was wrong with the bytes.
        seeds: what honest bytes look like.
        modules: packages whose branches guide the fuzzer.
    """

    name: str
    check: Callable[[bytes], None]
    allowed: tuple[type[Exception], ...]
    seeds: tuple[bytes, ...]
    modules: tuple[str, ...]

    def __str__(self) -> str:
        return self.name

    def run(self, data: bytes) -> None:
        """Run the function; any other error is a finding."""
        try:
            self.check(data)
        except self.allowed as error:
            # An error that cannot be shown is a finding, too.
            str(error)


# Any: of several types of results.
_OPERATIONS: tuple[Operation[Any], ...] = (
    operations.get_run(entity="e", project="p", run="r"),
    operations.get_project(entity="e", project="p"),
    operations.get_viewer(),
)
_STATUSES: Final = (200, 400, 401, 403, 422, 429, 500)
_LISTS: Final = (RawList("history", 1), RawList("sampledHistory", 2))


def decode_response(data: bytes) -> None:
    """Decode a response; the first byte selects the operation and the status."""
    selector, content = data[:1] or b"\0", data[1:]
    operation = _OPERATIONS[selector[0] % len(_OPERATIONS)]
    status = _STATUSES[selector[0] // 16 % len(_STATUSES)]
    refused_parts(Response(status, content))
    with suppress(RunqlError):
        read_response_with_raw_lists(operation, Response(status, content), _LISTS)
    read_response(operation, Response(status, content))


def decode_values(data: bytes) -> None:
    """Decode JSON strings as configs, summaries and rows."""
    text = data.decode("utf-8", "surrogatepass") if _is_utf8(data) else data.decode("latin-1")
    for read in (parse_config, parse_summary):
        with suppress(UnreadableValueError):
            read(text)
    with suppress(UnreadableValueError):
        parse_json(data)
    parse_rows(text.split("\n"))


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def read_columns(data: bytes) -> None:
    """Read rows into columns, which must hold as many rows as reading row by row, and fail where that fails."""
    rows = data.decode("utf-8", "replace").split("\n")
    try:
        expected = RowReader().read(rows).height
    except (UnreadableValueError, ResponseLimitError) as error:
        try:
            ColumnReader(few=1).read(rows)
        except type(error):
            return
        raise AssertionError("columns were read of rows that cannot be read") from error
    assert ColumnReader(few=1).read(rows).height == expected
    ColumnReader(few=1).read_array(b"[" + b",".join(each.encode() for each in rows) + b"]")


def read_manifests(data: bytes) -> None:
    """Read a manifest as the server does, and as the client does."""
    with suppress(RunqlError):
        parse_manifest(data, "a:v0")
    manifest = manifest_format.parse(data)
    manifest.digest()
    # NaN equals nothing, so the JSON is compared.
    assert manifest_format.parse(manifest.to_json()).to_json() == manifest.to_json()


@cache
def _store() -> Store:
    store = Store(Path(tempfile.mkdtemp(prefix="runql-fuzz-")))
    with store.writing() as connection:
        auth.add_key(connection, "k")
    row = SeedRun(
        name="r", config={"a": 1, "b": {"c": "x"}, "l": [1, "x"]}, summary={"loss": 0.5}, tags=("t",)
    )
    seed_runs(store, project="p", runs=[row])
    return store


def post_rows(data: bytes) -> None:
    """Apply a body of the file stream, and undo it."""
    decoder = bodies.decoder("gzip" if data[:2] == b"\x1f\x8b" else "")
    content = b"".join(decoder.feed(data))
    decoder.check_end()
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return
    post = filestream.parse(lenient_json.parse(text, what="the body"))
    with _store().connection() as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            json.dumps(filestream.apply(connection, runs.number_of(connection, "local", "p", "r"), post))
        finally:
            connection.rollback()


def select_runs(data: bytes) -> None:
    """Compile a filter, an order and a cursor, separated by lines, and run the statement."""
    text = data.decode("utf-8", "replace")
    filters, _, rest = text.partition("\n")
    order, _, cursor = rest.partition("\n")
    bindings = Bindings(crash_before="")
    wanted = parse_order(order or None, bindings)
    condition = compile_filters(filters, bindings)
    beyond = wanted.beyond(cursors.decode(wanted.text, cursor), bindings) if cursor else "1"
    query = f"SELECT id FROM (SELECT runs.id AS id, {wanted.expression} AS sort_key {runs.FROM} WHERE {condition}) WHERE {beyond} ORDER BY {wanted.clause}"
    with _store().reading() as connection:
        connection.execute(query, bindings).fetchall()


@cache
def _documents() -> Documents:
    return Documents(schema.load())


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="runql-fuzz-"))


def read_documents(data: bytes) -> None:
    """Read a `.graphql` document as the server, the client's `execute` and `runql drift` do."""
    text = data.decode("utf-8", "replace")
    _documents().operation(text, None)
    declared_operations(text)
    file = _folder() / "queries.graphql"
    file.write_bytes(data)
    definitions_of(user_operations(file))


def _documents_of_runql() -> tuple[bytes, ...]:
    return tuple(path.read_bytes() for path in sorted((ROOT / "queries").glob("[a-f]*.graphql")))


_ROWS: Final = b'{"_step": 0, "loss": 0.5, "text": "x"}\n{"_step": 1, "loss": NaN, "n": 12345678901234567890}'
_MANIFEST: Final = (
    b'{"version":1,"storagePolicy":"wandb-storage-policy-v1","storagePolicyConfig":{"storageLayout":"V2"},'
    b'"contents":{"a/b":{"digest":"1B2M2Y8AsgTpgAmY7PhCfg==","size":0,"ref":"s3://b/k","extra":{"etag":"x"}}}}'
)
_POST: Final = (
    b'{"files":{"wandb-history.jsonl":{"offset":0,"content":["{\\"_step\\":0,\\"loss\\":1}"]},"output.log":{"offset":0,'
    b'"content":["2020-01-01T00:00:00 a"]},"wandb-summary.json":{"offset":0,"content":["{}"]},"wandb-events.jsonl":'
    b'{"offset":0,"content":["{\\"system.cpu\\":1}"]}},"complete":true,"exitcode":0,"preempting":false}'
)
_RUN: Final = b'{"data":{"project":{"run":{"id":"UnVuOjE=","name":"r","config":"{}","history":["{}"],"sampledHistory":[[{}]]}}}}'

TARGETS: Final = (
    Target(
        "responses",
        decode_response,
        (RunqlError,),
        (b"\0" + _RUN, b'\x10{"errors":[{"message":"Cannot query field \\"a\\" on type \\"Run\\"."}]}'),
        ("runql",),
    ),
    Target(
        "values",
        decode_values,
        (UnreadableValueError, ResponseLimitError),
        (_ROWS, b'{"a": {"value": 1, "desc": null}, "_wandb": {"value": {}}}'),
        ("runql",),
    ),
    Target("columns", read_columns, (UnreadableValueError, ResponseLimitError), (_ROWS,), ("runql",)),
    Target("manifests", read_manifests, (RequestError,), (_MANIFEST,), ("runql", "runql_server")),
    Target("posts", post_rows, (RequestError,), (_POST,), ("runql_server",)),
    Target(
        "filters",
        select_runs,
        (RequestError,),
        (
            b'{"$and":[{"config.a":{"$gte":1,"$in":[1,2]}},{"tags":{"$all":["t"]}},{"state":{"$ne":"x"}}]}\n-summary_metrics.loss\n',
            b'{"config.b.c":{"$regex":"^x+$","$options":"imsx"},"$nor":[{"createdAt":{"$gt":"2020-01-01"}}]}\n+created_at\n',
        ),
        ("runql_server",),
    ),
    Target(
        "documents",
        read_documents,
        (RunqlError,),
        (b"query Q($a: Int = 1) { viewer { id ...F } } fragment F on User { name }", *_documents_of_runql()),
        ("runql", "runql_server", "graphql"),
    ),
)
