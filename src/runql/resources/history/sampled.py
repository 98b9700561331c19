"""Sampled metrics of one run: the checked options, the request, and the rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, cast

from runql.arguments import positive, shown
from runql.errors import IncompleteHistoryError
from runql.frames.batches import STEP, RowBatch
from runql.frames.row_readers import RowReader
from runql.paths import RunAddress
from runql.quick_dataclasses import dataclass
from runql.resources.history.chosen_rows import naming_run, require_steps, rows_by_spec
from runql.resources.records.identity import require_run
from runql.transport.flow import Flow, fetch
from runql.values import JSONValue, parse_rows
from runql_graphql.operations import get_history

if TYPE_CHECKING:
    from runql_graphql.fragments import RunHistory

Row: TypeAlias = dict[str, JSONValue]
Stream: TypeAlias = Literal["default", "system", "events", "systemMetrics"]
"""``default`` for metrics; the three others, which the official SDK treats alike, for those of the machine."""

MACHINE_STREAMS: Final = frozenset({"system", "events", "systemMetrics"})

MACHINE_TIME_COLUMNS: Final = ("_timestamp", "_runtime")
"""Rows of machine metrics have no step; these columns place them in time."""


@dataclass(frozen=True, slots=True)
class SampleOptions:
    """The checked options of a request for sampled rows.

    Attributes:
        samples: the most rows of a run.
        keys: only rows that have all of these, and only these columns; None for whole rows.
        x_axis: the key that is requested along with ``keys``.
        stream: metrics, or those of the machine.
    """

    samples: int
    keys: tuple[str, ...] | None
    x_axis: str
    stream: Literal["default", "system"]

    @classmethod
    def checked(cls, samples: int, keys: Sequence[str] | None, x_axis: str, stream: Stream) -> SampleOptions:
        """Check the arguments of a caller.

        Raises:
            ValueError: ``stream`` is unknown, or ``samples`` is below 1.
            TypeError: ``keys`` is not a list of str, or ``x_axis`` is not a str.
        """
        if stream != "default" and stream not in MACHINE_STREAMS:
            raise ValueError(
                "stream must be 'default' for metrics, or 'system' ('events' and 'systemMetrics' mean the same) "
                f"for those of the machine, not {shown(stream)}"
            )
        if not isinstance(x_axis, str):  # pyright: ignore[reportUnnecessaryIsInstance] — callers may be untyped
            raise TypeError(f"x_axis must be the name of a metric, not {shown(x_axis)}")
        kind: Literal["default", "system"] = "default" if stream == "default" else "system"
        return cls(positive("samples", samples), checked_keys(keys), x_axis, kind)

    @property
    def wants_whole_rows(self) -> bool:
        """Whether to request whole rows of metrics."""
        return self.stream == "default" and self.keys is None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a frame of these rows always has."""
        if self.stream == "system":
            return () if self.keys is None else (*MACHINE_TIME_COLUMNS, *self.keys)
        return (self.x_axis, *(self.keys or ())) if self.keys else (STEP,)

    @property
    def specs(self) -> list[str]:
        """The spec for chosen metrics, the x axis first; empty otherwise. The server selects keys only of metrics."""
        if self.stream == "system" or self.keys is None:
            return []
        keys = list(dict.fromkeys((self.x_axis, *self.keys)))
        return [json.dumps({"keys": keys, "samples": self.samples})]


def checked_keys(keys: Sequence[str] | None) -> tuple[str, ...] | None:
    """Keys without repeats; None and an empty list mean whole rows.

    Raises:
        TypeError: not a list of str. A single str is refused too, because it would be split into letters.
    """
    if keys is None:
        return None
    if not _is_list_of_str(keys):
        raise TypeError(f"keys must be a list of metric names such as ['loss'], not {shown(keys)}")
    return tuple(dict.fromkeys(keys)) or None


def _is_list_of_str(value: object) -> bool:
    if isinstance(value, str) or not isinstance(value, Iterable):
        return False
    return all(isinstance(member, str) for member in cast("Iterable[object]", value))


def sample_run(run: RunAddress, options: SampleOptions) -> Flow[list[Row]]:
    """Return the sampled rows of one run, in step order; one request."""
    response = yield from fetch(
        get_history(
            entity=run.entity,
            project=run.project,
            run=run.run_id,
            samples=options.samples,
            specs=options.specs,
            whole=options.wants_whole_rows,
            system=options.stream == "system",
            chosen=bool(options.specs),
        )
    )
    found = require_run(response.project, run.entity, run.project, run.run_id)
    return sampled_rows(found, options, f"{run.entity}/{run.project}/{run.run_id}")


def sampled_rows(node: RunHistory, options: SampleOptions, path: str) -> list[Row]:
    """The requested rows of one run, in step order.

    Raises:
        IncompleteHistoryError: the server returned null instead of rows.
        CorruptHistoryError: a row cannot be read.
    """
    with naming_run(path):
        rows = _rows(node, options)
    if rows is None:
        raise IncompleteHistoryError(path, 0, None, "the server sent null instead of rows")
    return [*require_steps(path, RowBatch(rows)).in_step_order().to_rows()]


def _rows(node: RunHistory, options: SampleOptions) -> list[Row] | None:
    if options.specs:
        lists = rows_by_spec(node.sampled_history, None, 1, RowReader())
        return None if lists[0] is None else [*lists[0].having(options.keys or ()).to_rows()]
    lines = node.events if options.stream == "system" else node.history
    if lines is None:
        return None
    rows, keys = parse_rows(lines), options.keys
    return rows if keys is None else [_pick(row, keys) for row in rows if has_all(row, keys)]


def has_all(row: Row, keys: Sequence[str]) -> bool:
    """Whether a row has a value for every key; null is not a value."""
    return all(row.get(key) is not None for key in keys)


def _pick(row: Row, keys: Sequence[str]) -> Row:
    return {key: row[key] for key in (*MACHINE_TIME_COLUMNS, *keys) if key in row}
