"""Sampled metrics: a checked wish for them, those of one run, and how rows of chosen keys are read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, cast

from runql.arguments import positive, shown
from runql.errors import IncompleteHistoryError
from runql.frames.batches import STEP, RowBatch
from runql.frames.row_readers import RowReader
from runql.resources.history.chosen_rows import readable, rows_by_spec, with_steps
from runql.resources.records.identity import require_run
from runql.transport.flow import Flow, fetch
from runql.values import JSONValue, parse_rows
from runql_graphql.operations import get_history

if TYPE_CHECKING:
    from runql_graphql.fragments import RunHistory

Row: TypeAlias = dict[str, JSONValue]
Stream: TypeAlias = Literal["default", "system", "events", "systemMetrics"]
"""Metrics, or the machine's under any of three names: the official SDK takes all names but ``default`` for these."""

MACHINE_STREAMS: Final = frozenset({"system", "events", "systemMetrics"})

PLACE_OF_MACHINE_METRICS: Final = ("_timestamp", "_runtime")


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
    stream: Literal["default", "system"]

    @classmethod
    def checked(cls, samples: int, keys: Sequence[str] | None, x_axis: str, stream: Stream) -> HistorySample:
        """Check what a caller gave.

        Raises:
            ValueError: unknown stream, empty keys, or ``samples`` below 1.
            TypeError: ``keys`` is not a list of texts.
        """
        if stream != "default" and stream not in MACHINE_STREAMS:
            raise ValueError(
                "stream must be 'default' for metrics, or 'system' ('events' and 'systemMetrics' mean the same) "
                f"for those of the machine, not {shown(stream)}"
            )
        if not isinstance(x_axis, str):  # pyright: ignore[reportUnnecessaryIsInstance] — callers may be untyped
            raise TypeError(f"x_axis must be the name of a metric, not {shown(x_axis)}")
        found: Literal["default", "system"] = "default" if stream == "default" else "system"
        return cls(positive("samples", samples), checked_keys(keys), x_axis, found)

    @property
    def whole(self) -> bool:
        """Whether whole rows of metrics are wanted."""
        return self.stream == "default" and self.keys is None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a frame of these rows always has."""
        if self.stream == "system":
            return () if self.keys is None else (*PLACE_OF_MACHINE_METRICS, *self.keys)
        return (self.x_axis, *(self.keys or ())) if self.keys else (STEP,)

    @property
    def specs(self) -> list[str]:
        """The one spec of a wish for chosen metrics, the x axis first; the server picks only from metrics."""
        if self.stream == "system" or self.keys is None:
            return []
        keys = list(dict.fromkeys((self.x_axis, *self.keys)))
        return [json.dumps({"keys": keys, "samples": self.samples})]


def checked_keys(keys: Sequence[str] | None) -> tuple[str, ...] | None:
    """Keys without repeats; None and an empty list mean whole rows.

    Raises:
        TypeError: not a list of texts; a single text is refused too, because it would be taken apart into letters.
    """
    if keys is None:
        return None
    if not _is_list_of_text(keys):
        raise TypeError(f"keys must be a list of metric names such as ['loss'], not {shown(keys)}")
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
    found = require_run(answer.project, entity, project, run)
    return sampled_rows(found, wish, f"{entity}/{project}/{run}")


def sampled_rows(node: RunHistory, wish: HistorySample, path: str) -> list[Row]:
    """The rows of one run that were asked for, in step order.

    Raises:
        IncompleteHistoryError: the server sent null instead of rows.
        CorruptHistoryError: a row cannot be read.
    """
    with readable(path):
        rows = _rows(node, wish)
    if rows is None:
        raise IncompleteHistoryError(path, 0, None, "the server sent null instead of rows")
    return [*with_steps(path, RowBatch(rows)).in_step_order().to_rows()]


def _rows(node: RunHistory, wish: HistorySample) -> list[Row] | None:
    if wish.specs:
        lists = rows_by_spec(node.sampled_history, None, 1, RowReader())
        return None if lists[0] is None else [*lists[0].having(wish.keys or ()).to_rows()]
    texts = node.events if wish.stream == "system" else node.history
    if texts is None:
        return None
    rows, keys = parse_rows(texts), wish.keys
    return rows if keys is None else [_picked(row, keys) for row in rows if has_all(row, keys)]


def has_all(row: Row, keys: Sequence[str]) -> bool:
    """Whether a row has a value for every key; null is no value."""
    return all(row.get(key) is not None for key in keys)


def _picked(row: Row, keys: Sequence[str]) -> Row:
    # Machine metrics have no step: their time goes along, so that rows can be placed.
    return {key: row[key] for key in (*PLACE_OF_MACHINE_METRICS, *keys) if key in row}
