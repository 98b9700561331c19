"""Sampled metrics: of one run, and of all runs page by page with one request a page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from runql.errors import (
    IncompleteHistoriesError,
    ProjectNotFoundError,
    QueryError,
    RequestTimedOutError,
    RunNotFoundError,
    RunqlError,
    ServerFailureError,
)
from runql.resources.pages import Page, read_page, refuse_circle
from runql.resources.run_query import RunQuery, list_light_page, positive
from runql.transport.flow import Flow, fetch
from runql.values import JSONValue, as_json, parse_rows, restore_floats
from runql_graphql.fragments import RunFields, RunHistory
from runql_graphql.operations import get_history, list_histories

Row: TypeAlias = dict[str, JSONValue]
Stream: TypeAlias = Literal["default", "system"]

# What a page of histories that is too much for a server looks like from here; anything else is no reason to ask for less.
OVERLOAD = (ServerFailureError, RequestTimedOutError, QueryError)
GOOD_PAGES = 4


@dataclass(frozen=True, slots=True)
class HistorySample:
    """A checked wish for sampled rows.

    Attributes:
        samples: rows a run at most.
        keys: only rows that have all of these, and only these columns; None for whole rows.
        x_axis: the key that is asked for along with ``keys``.
        stream: metrics, or the machine's.
    """

    samples: int
    keys: tuple[str, ...] | None
    x_axis: str
    stream: Stream

    @classmethod
    def checked(cls, samples: int, keys: Sequence[str] | None, x_axis: str, stream: Stream) -> HistorySample:
        """Check what a caller gave.

        Raises:
            ValueError: unknown stream, empty keys, or ``samples`` below 1.
            TypeError: ``keys`` is not a list of texts.
        """
        if stream not in ("default", "system"):
            raise ValueError(f"stream must be 'default' or 'system', not {stream!r}")
        if not isinstance(x_axis, str):  # pyright: ignore[reportUnnecessaryIsInstance] — callers may be untyped
            raise TypeError(f"x_axis must be the name of a metric, not {x_axis!r}")
        return cls(positive("samples", samples), checked_keys(keys), x_axis, stream)

    @property
    def whole(self) -> bool:
        """Whether whole rows of metrics are wanted."""
        return self.stream == "default" and self.keys is None

    @property
    def specs(self) -> list[str]:
        """The one spec of a wish for chosen metrics, the x axis first; the server picks only from metrics."""
        if self.stream == "system" or self.keys is None:
            return []
        keys = list(dict.fromkeys((self.x_axis, *self.keys)))
        return [json.dumps({"keys": keys, "samples": self.samples})]


@dataclass(frozen=True, slots=True)
class RunRows:
    """The sampled rows of one run."""

    run_id: str
    rows: list[Row]


def checked_keys(keys: Sequence[str] | None) -> tuple[str, ...] | None:
    """Keys without repeats; None and an empty list mean whole rows.

    Raises:
        TypeError: not a list of texts; a single text is refused too, because it would be taken apart into letters.
    """
    if keys is None:
        return None
    if not _is_list_of_text(keys):
        raise TypeError(f"keys must be a list of metric names such as ['loss'], not {keys!r}")
    return tuple(dict.fromkeys(keys)) or None


def _is_list_of_text(value: object) -> bool:
    if isinstance(value, str) or not isinstance(value, Iterable):
        return False
    return all(isinstance(member, str) for member in cast("Iterable[object]", value))


def sample_run(entity: str, project: str, run: str, wish: HistorySample) -> Flow[list[Row]]:
    """The sampled rows of one run, in step order; one request."""
    answer = yield from fetch(
        get_history(
            entity=entity,
            project=project,
            run=run,
            samples=wish.samples,
            specs=wish.specs,
            whole=wish.whole,
            system=wish.stream == "system",
            chosen=bool(wish.specs),
        )
    )
    if answer.project is None:
        raise ProjectNotFoundError(entity, project)
    if answer.project.run is None:
        raise RunNotFoundError(entity, project, run)
    return _rows(answer.project.run, wish)


class _Reading:
    """How far the histories of a list have come.

    A page that is too much is halved at once; it grows back only after a few good pages, because each page that is too
    much may cost a whole timeout.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.after: str | None = None
        self.more = True
        self.read: list[RunRows] = []
        self.failed: list[str] = []
        self.reason = ""
        self._seen: set[str] = set()
        self._cursors: set[str | None] = set()
        self._largest = size
        self._good_pages = 0

    def take(self, page: Page[RunHistory], wish: HistorySample) -> None:
        refuse_circle(page, self._cursors)
        shown = {node.id: node for node in page.nodes if node.id not in self._seen}
        self._seen.update(shown)
        self.read += [RunRows(node.name, _rows(node, wish)) for node in shown.values()]
        self.after, self.more = page.cursor, page.more
        self._good_pages += 1
        if self._good_pages >= GOOD_PAGES:
            self.size, self._good_pages = min(self.size * 2, self._largest), 0

    def halve(self) -> None:
        self.size, self._good_pages = (self.size + 1) // 2, 0

    def skip(self, page: Page[RunFields], reason: str) -> None:
        self.failed += [run.name for run in page.nodes]
        self.reason = reason
        self.after, self.more = page.cursor, page.more

    def incomplete(self, reason: str) -> IncompleteHistoriesError:
        return IncompleteHistoriesError(labelled(self.read), self.failed, reason)


def sample_runs(query: RunQuery, wish: HistorySample) -> Flow[list[RunRows]]:
    """The sampled rows of every run that fits, in list order; one request a page of runs.

    A page that is too much for the server (a failure, a timeout or a GraphQL error) is halved, down to one run. A run
    that cannot be read even alone is left out; what was read of the others is kept.

    Raises:
        IncompleteHistoriesError: some runs could not be read, or the list not to its end; what was read is in its
            ``partial``.
    """
    reading = _Reading(query.per_page)
    try:
        while reading.more:
            yield from _read_histories(query, wish, reading)
    except RunqlError as error:
        if not reading.read:
            raise
        raise reading.incomplete(f"the list ended early: {error}") from error
    if reading.failed:
        raise reading.incomplete(reading.reason)
    return reading.read


def _read_histories(query: RunQuery, wish: HistorySample, reading: _Reading) -> Flow[None]:
    try:
        page = yield from _history_page(
            query.sized(reading.size), wish, reading.after, spare_server=reading.size > 1
        )
    except OVERLOAD as error:
        if reading.size > 1:
            reading.halve()
        else:
            reading.skip((yield from list_light_page(query.sized(1), reading.after)), str(error))
    else:
        reading.take(page, wish)


def labelled(histories: Sequence[RunRows]) -> list[Row]:
    """The rows of several runs in one list, each with its run's id as `run_id`."""
    return [{**row, "run_id": history.run_id} for history in histories for row in history.rows]


def _history_page(
    query: RunQuery, wish: HistorySample, after: str | None, *, spare_server: bool
) -> Flow[Page[RunHistory]]:
    operation = list_histories(
        entity=query.entity,
        project=query.project,
        filters=query.filters,
        order=query.order,
        first=query.per_page,
        after=after,
        samples=wish.samples,
        specs=wish.specs,
        whole=wish.whole,
        system=wish.stream == "system",
        chosen=bool(wish.specs),
    )
    answer = yield from fetch(operation, spare_server=spare_server)
    if answer.project is None or answer.project.runs is None:
        raise ProjectNotFoundError(query.entity, query.project)
    return read_page(answer.project.runs, after)


def _rows(node: RunHistory, wish: HistorySample) -> list[Row]:
    if wish.specs:
        rows = rows_of_spec(node.sampled_history or [], 0)
        return [row for row in rows if has_all(row, wish.keys or ())]
    rows = parse_rows(node.events or [] if wish.stream == "system" else node.history or [])
    keys = wish.keys
    return rows if keys is None else [_picked(row, keys) for row in rows if has_all(row, keys)]


def rows_of_spec(sampled_history: Sequence[object], index: int) -> list[Row]:
    """The rows that answer one spec; an answer of another shape holds none."""
    rows = as_json(sampled_history[index]) if index < len(sampled_history) else []
    return [restore_floats(row) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def has_all(row: Row, keys: Sequence[str]) -> bool:
    """Whether a row has a value for every key; null is no value."""
    return all(row.get(key) is not None for key in keys)


def _picked(row: Row, keys: Sequence[str]) -> Row:
    # Machine metrics have no step: their time goes along, so that rows can be placed.
    return {key: row[key] for key in ("_timestamp", "_runtime", *keys) if key in row}
