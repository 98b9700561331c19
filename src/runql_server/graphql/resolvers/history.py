"""Resolvers of a run's metrics, system metrics and console lines."""

from __future__ import annotations

from typing import Final

from ariadne import ObjectType
from graphql import GraphQLResolveInfo

from runql_server import lenient_json
from runql_server.graphql import context
from runql_server.graphql.execution import Leaves
from runql_server.lenient_json import JsonObject
from runql_server.listing import console_lines
from runql_server.runs import history, history_exports, lines
from runql_server.runs.history import Steps
from runql_server.runs.runs import Run
from runql_server.runs.sampling import check_samples

_TAIL = 100

run: Final = ObjectType("Run")


@run.field("history")
def run_history(
    source: Run,
    info: GraphQLResolveInfo,
    min_step: int | None = None,
    max_step: int | None = None,
    samples: int | None = None,
) -> list[str]:
    """Return rows with ``minStep <= _step < maxStep`` as JSON strings."""
    steps = Steps(min_step, max_step)
    return Leaves(
        history.sampled_json(context.of(info).connection, source.number, steps, check_samples(samples))
    )


@run.field("events")
def run_events(source: Run, info: GraphQLResolveInfo, samples: int | None = None) -> list[str]:
    """Return system metric rows as JSON strings."""
    return Leaves(history.sampled_events(context.of(info).connection, source.number, check_samples(samples)))


@run.field("sampledHistory")
def run_sampled_history(source: Run, info: GraphQLResolveInfo, specs: list[str]) -> list[list[JsonObject]]:
    """Return one list of rows for each spec."""
    parsed = [history.parse_spec(spec) for spec in specs]
    return Leaves(history.sampled_rows(context.of(info).connection, source.number, spec) for spec in parsed)


@run.field("parquetHistory")
def run_parquet_history(source: Run, info: GraphQLResolveInfo, live_keys: list[str]) -> dict[str, object]:
    """Return the exports of an ended run, written at the first request, and the rows that are not exported."""
    request = context.of(info)
    request.exporter.update(source.number, source.state)
    # A new snapshot, because the request's one is older than the files.
    with request.store.reading() as connection:
        exports = history_exports.ready(connection, source.number)
        exported = max((export.stop for export in exports), default=0)
        rows = history.live_rows(connection, source.number, live_keys, from_line=exported)
    urls = [request.signer.url(request.base_url, "GET", export.storage_path) for export in exports]
    return {"parquet_urls": urls, "live_data": Leaves(rows)}


@run.field("historyKeys")
def run_history_keys(source: Run, info: GraphQLResolveInfo) -> JsonObject | None:
    """Return the keys of the history; null for a run without rows."""
    keys = lines.load_history_keys(context.of(info).connection, source.number)
    return None if keys is None else keys.to_json()


@run.field("historyLineCount")
def run_history_line_count(source: Run, info: GraphQLResolveInfo) -> int:
    """Return the offset at which a resumed run continues."""
    return lines.line_count(context.of(info).connection, "history", source.number)


@run.field("eventsLineCount")
def run_events_line_count(source: Run, info: GraphQLResolveInfo) -> int:
    """Return the offset at which a resumed run continues."""
    return lines.line_count(context.of(info).connection, "events", source.number)


@run.field("logLineCount")
def run_log_line_count(source: Run, info: GraphQLResolveInfo) -> int:
    """Count the console lines."""
    return lines.line_count(context.of(info).connection, "log_lines", source.number)


@run.field("historyTail")
def run_history_tail(source: Run, info: GraphQLResolveInfo) -> str:
    """Return a JSON string: a list of the last rows, each a JSON string, oldest first."""
    return lenient_json.dump(lines.tail(context.of(info).connection, "history", source.number, _TAIL))


@run.field("eventsTail")
def run_events_tail(source: Run, info: GraphQLResolveInfo) -> str:
    """As the history tail, for system metrics."""
    return lenient_json.dump(lines.tail(context.of(info).connection, "events", source.number, _TAIL))


@run.field("logLines")
def run_log_lines(
    source: Run,
    info: GraphQLResolveInfo,
    first: int | None = None,
    last: int | None = None,
    after: str | None = None,
    **_use_improved_pagination: bool | None,
) -> dict[str, object] | None:
    """Return console lines after a cursor, or the last ones; null for a run without output."""
    return console_lines.page(context.of(info).connection, source.number, first=first, last=last, after=after)


BINDABLES = [run]
