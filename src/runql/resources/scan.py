"""Every row of a run's history, window by window: which window is next, when it is over, what counts as a row."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from runql.errors import ProjectNotFoundError, RunNotFoundError
from runql.resources.history import Row, checked_keys, has_all, rows_of_spec
from runql.resources.run_query import positive
from runql.resources.run_state import is_active
from runql.transport.flow import Flow, fetch
from runql.values import JSONValue, as_json, parse_rows
from runql_graphql.fragments import HistoryWindow
from runql_graphql.operations import scan_history

Match: TypeAlias = Literal["all", "any"]


@dataclass(frozen=True, slots=True)
class ScanPlan:
    """A checked wish for all rows of one run.

    Attributes:
        entity: owner of the project.
        project: its name.
        run: the run's id.
        keys: only these columns (and `_step`); None for whole rows.
        match: rows that have ``all`` of the keys, or ``any``.
        page_size: steps a window, which is also the most rows a request brings.
        min_step: the first step.
        max_step: the step before which the scan ends; None for no end.
    """

    entity: str
    project: str
    run: str
    keys: tuple[str, ...] | None
    match: Match
    page_size: int
    min_step: int
    max_step: int | None

    @classmethod
    def checked(
        cls,
        entity: str,
        project: str,
        run: str,
        *,
        keys: Sequence[str] | None,
        match: Match,
        page_size: int,
        min_step: int | None,
        max_step: int | None,
    ) -> ScanPlan:
        """Check what a caller gave.

        Raises:
            ValueError: unknown match, ``page_size`` below 1, a negative step, or bounds the wrong way round.
            TypeError: ``keys`` is not a list of texts, or a step is not an int.
        """
        if match not in ("all", "any"):
            raise ValueError(f"match must be 'all' or 'any', not {match!r}")
        first = 0 if min_step is None else _step("min_step", min_step)
        end = None if max_step is None else _step("max_step", max_step)
        if end is not None and end < first:
            raise ValueError(f"max_step ({end}) must not be below min_step ({first})")
        size = positive("page_size", page_size)
        return cls(entity, project, run, checked_keys(keys), match, size, first, end)

    @property
    def columns(self) -> tuple[str, ...]:
        """The asked keys and the step."""
        return tuple(dict.fromkeys(("_step", *(self.keys or ()))))


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a run before its scan; every part may be old or missing.

    Attributes:
        last_step: the highest step that the server has told.
        line_count: rows in its history.
    """

    last_step: int | None = None
    line_count: int | None = None


class ScanPosition:
    """How far a scan has come.

    The server thins an answer that would hold more rows than ``samples``, so a window is a range of steps no wider
    than that. Where the run is known to hold no more rows than fit one answer, a single window without an end brings
    them all. `historyKeys.lastStep` lags behind in a live run: its last window has no end either.
    """

    def __init__(self, plan: ScanPlan, known: Known) -> None:
        self._plan = plan
        self._offset = plan.min_step
        self._last_step = known.last_step
        self._line_count = known.line_count
        self._active = True
        self._rows_read = 0
        self._thinned_from: int | None = None
        self._done = False

    def next_rows(self) -> Flow[list[Row] | None]:
        """The rows of the next window that holds any, in step order; None at the end. One request a window."""
        while not self._done and (self._plan.max_step is None or self._offset < self._plan.max_step):
            rows = yield from self._read_window()
            if rows:
                return rows
        return None

    def _read_window(self) -> Flow[list[Row]]:
        plan, start = self._plan, self._offset
        end = min(
            start + plan.page_size, plan.max_step if plan.max_step is not None else start + plan.page_size
        )
        is_last = self._last_step is None or end > self._last_step
        is_open = self._is_open(is_last=is_last) and (plan.max_step is None or end < plan.max_step)
        stop = plan.max_step if is_open else end
        window = yield from self._fetch(start, stop, with_keys=is_open or is_last)
        self._learn(window, told_keys=is_open or is_last)
        rows, answered = _window_rows(plan, window)
        rows = [row for row in rows if _is_within(row, start, stop)]
        if is_open and not self._is_complete(start, answered):
            # Thinned: the rows tell how far the run goes, and are read again in windows that cannot be thinned.
            self._last_step = max([self._last_step or 0, *(_step_of(row, start) for row in rows)])
            self._thinned_from = start
            return []
        self._rows_read += len(rows)
        self._offset = end
        self._done = is_open or (is_last and not self._goes_on(end))
        return rows

    def _is_open(self, *, is_last: bool) -> bool:
        if self._thinned_from == self._offset:
            return False
        if self._line_count is not None and self._line_count <= self._plan.page_size:
            return True
        if self._last_step is None:
            return self._line_count is None or self._offset > self._plan.min_step
        return is_last and (self._active or self._offset > self._last_step)

    def _is_complete(self, start: int, answered: int) -> bool:
        if self._covers_all(start) and self._line_count is not None:
            return answered >= self._line_count
        return answered <= self._plan.page_size

    def _covers_all(self, start: int) -> bool:
        return self._plan.keys is None and start == 0 and self._plan.max_step is None

    def _goes_on(self, end: int) -> bool:
        return self._active or self._last_step is None or self._last_step >= end or self._is_short()

    def _is_short(self) -> bool:
        # A fresh run can be over while its lastStep still lags; its line count tells, where the scan covers all of it.
        covers_all = self._covers_all(self._plan.min_step)
        return covers_all and self._line_count is not None and self._rows_read < self._line_count

    def _learn(self, window: HistoryWindow, *, told_keys: bool) -> None:
        self._active = is_active(window.state)
        self._line_count = window.history_line_count
        if told_keys:
            told = last_step(as_json(window.history_keys))
            if told is not None:
                self._last_step = max(told, self._last_step or 0)

    def _fetch(self, start: int, stop: int | None, *, with_keys: bool) -> Flow[HistoryWindow]:
        plan = self._plan
        answer = yield from fetch(
            scan_history(
                entity=plan.entity,
                project=plan.project,
                run=plan.run,
                min_step=start,
                max_step=stop,
                # One more than a window holds: an answer of exactly this many may be thinned, any other is whole.
                samples=plan.page_size + 1,
                specs=_specs(plan, start, stop),
                whole=plan.keys is None,
                chosen=plan.keys is not None,
                with_keys=with_keys,
            )
        )
        if answer.project is None:
            raise ProjectNotFoundError(plan.entity, plan.project)
        if answer.project.run is None:
            raise RunNotFoundError(plan.entity, plan.project, plan.run)
        return answer.project.run


def last_step(history_keys: JSONValue) -> int | None:
    """`historyKeys.lastStep`; None when it is missing or the server has none (-1)."""
    step = history_keys.get("lastStep") if isinstance(history_keys, dict) else None
    return int(step) if isinstance(step, (int, float)) and step >= 0 else None


def _specs(plan: ScanPlan, start: int, stop: int | None) -> list[str]:
    if plan.keys is None:
        return []
    wanted = [plan.columns] if plan.match == "all" else [("_step", key) for key in plan.keys]
    # A spec's maxStep is inclusive where history's is exclusive. It is sent as if it were exclusive, and the row of
    # the border is dropped here: right on servers of either kind.
    bounds = {"minStep": start} | ({} if stop is None else {"maxStep": stop})
    return [
        json.dumps({"keys": list(dict.fromkeys(keys)), "samples": plan.page_size + 1, **bounds})
        for keys in wanted
    ]


def _window_rows(plan: ScanPlan, window: HistoryWindow) -> tuple[list[Row], int]:
    """The rows of a window in step order, and how many the server answered to the question that brought the most."""
    if plan.keys is None:
        rows = parse_rows(window.history or [])
        return rows, len(rows)
    sampled = window.sampled_history or []
    if plan.match == "all":
        rows = rows_of_spec(sampled, 0)
        return [row for row in rows if has_all(row, plan.columns)], len(rows)
    answers = [rows_of_spec(sampled, index) for index in range(len(plan.keys))]
    return _united(answers, plan.keys), max((len(rows) for rows in answers), default=0)


def _united(answers: Sequence[list[Row]], keys: Sequence[str]) -> list[Row]:
    by_step: dict[int, Row] = {}
    for key, rows in zip(keys, answers, strict=True):
        for row in rows:
            if has_all(row, ("_step", key)):
                by_step.setdefault(_step_of(row, 0), {"_step": row["_step"]})[key] = row[key]
    return [by_step[step] for step in sorted(by_step)]


def _is_within(row: Row, start: int, stop: int | None) -> bool:
    step = _step_of(row, start)
    return start <= step and (stop is None or step < stop)


def _step_of(row: Row, otherwise: int) -> int:
    step = row.get("_step")
    return int(step) if isinstance(step, (int, float)) else otherwise


def _step(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):  # pyright: ignore[reportUnnecessaryIsInstance] — callers may be untyped
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    if value < 0:
        raise ValueError(f"{name} must not be negative, not {value}")
    return value
