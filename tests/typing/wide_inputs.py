"""What a strictly typed program may give: filters, configs and metadata of its own types. Checked, never run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import assert_type

from runql import (
    UNSET,
    Api,
    Artifact,
    AsyncApi,
    AsyncRun,
    Filters,
    JSONInput,
    JSONValue,
    Match,
    Operation,
    Row,
    Run,
    Stream,
)
from runql.filters import Filter, Order, State, any_of, config, created_at, display_name, state, summary, tags


def filters_of_any_kind(api: Api, run: Run, tags: list[str], rates: tuple[float, ...]) -> None:
    """Lists, tuples and dicts of one type, and a filter in a variable."""
    state = {"state": "finished"}
    tagged = {"tags": {"$in": tags}}
    named: Filters = {"$and": [state, tagged]}
    api.runs("e/p", {"tags": {"$in": tags}}).histories(keys=("loss",))
    api.runs("e/p", state)
    api.runs("e/p", tagged)
    api.runs("e/p", named)
    api.runs("e/p", {"config.lr": {"$in": rates}, "$or": (state, tagged)})
    api.project("p").runs(state)
    run.scan_history(("loss",))


def expressions(api: Api, since: datetime, wanted: State) -> Filter:
    """Filters and orders by expressions; each is what a plain filter and order may be."""
    lr, acc = config("optimizer.lr", float), summary("acc", float)
    assert_type(lr == 0.1, Filter)
    assert_type(lr != None, Filter)  # noqa: E711 - a comparison makes a filter
    assert_type(lr < 1, Filter)
    assert_type(lr.between(1e-5, 1), Filter)
    assert_type(state == wanted, Filter)
    assert_type(config("fast", bool).eq(True), Filter)
    assert_type(display_name.matches("^a"), Filter)
    assert_type(created_at.desc(), Order)
    made = (lr < 1e-3) & tags.contains("best") & ~state.is_in("failed", "crashed") | (created_at > since)
    plain: Filters = made
    api.runs("e/p", made, order=acc.desc())
    api.runs("e/p", {"$and": [made, plain]}, order=acc.asc())
    return assert_type(any_of(made, state.other("paused"), Filter({"group": "a"})), Filter)


async def awaited_filters(api: AsyncApi, tags: Sequence[str], limits: Mapping[str, float]) -> None:
    """The same on the async client."""
    await api.runs("e/p", {"tags": {"$in": tags}})
    await api.runs("e/p", {"config.lr": limits})
    await api.runs("e/p", config("lr", float) < 0.1, order=created_at.asc())
    (await api.project("p")).runs({"tags": {"$in": tags}})


def written(
    run: Run, awaited: AsyncRun, artifact: Artifact, scores: dict[str, float], tags: list[str]
) -> None:
    """Configs, metadata and summaries."""
    run.config = scores
    awaited.config = {"tags": tags, "scores": scores}
    artifact.metadata = scores
    run.summary.update(scores)
    assert_type(run.config, dict[str, JSONValue])
    assert_type(artifact.metadata, dict[str, JSONValue])


def named(run: Run, match: Match, stream: Stream, rows: list[Row], value: JSONInput) -> JSONInput:
    """Names for a user's own signatures."""
    run.scan_history(match=match)
    run.history(pandas=False, stream=stream)
    rows.extend(run.scan_history())
    assert_type(rows[0]["loss"], JSONValue)
    return [value, {"value": value}]


def own_operation(result: type[Row]) -> Operation[Row]:
    """An operation of a user's own."""
    return Operation("Own", "query", "query Own { viewer { id } }", {"after": UNSET}, result)
