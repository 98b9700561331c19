"""Every row of a run's history, window by window: which window is next, when it is over, what counts as a row."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from runql.errors import ProjectNotFoundError, RunNotFoundError
from runql.resources.history import Row, checked_keys, has_all, rows_of_spec
from runql.resources.run_query import positive
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
    than that. The last window has no end: what `historyKeys.lastStep` says lags behind, also for a while after a run
    is over. That costs no further request, unless the window comes thinned; then its rows tell how far the run goes.
    Where the run is known to hold no more rows than fit one answer, the first window is the last.
    """

    def __init__(self, plan: ScanPlan, known: Known) -> None:
        self._plan = plan
        self._offset: int = plan.min_step
        self._covered: int = plan.min_step
        self._last_step = known.last_step
        self._line_count = known.line_count
        self._begun = False
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
        end = start + plan.page_size
        is_last = self._last_step is None or end > self._last_step
        is_open = self._is_open(is_last=is_last) and (plan.max_step is None or end < plan.max_step)
        stop = plan.max_step if is_open or (plan.max_step is not None and end > plan.max_step) else end
        window = yield from self._fetch(start, stop, with_keys=is_last)
        self._begun = True
        self._learn(window, told_keys=is_last)
        answers = _answers(plan, window)
        first, last, most = _extent(answers, start)
        if is_open and (most > plan.page_size or self._misses_rows(window, start, most)):
            # Thinned: its rows tell how far the run goes, and are read again in windows that cannot be thinned.
            self._last_step = max(self._last_step or 0, last)
            self._offset = self._thinned_from = min(first, self._covered)
            return []
        # Beyond the last step that was told, rows may arrive inside a window after it was read.
        beyond = self._last_step is None or end > self._last_step
        self._offset, self._covered = min(last + 1, end) if beyond else end, end
        self._done = is_open or stop == plan.max_step
        rows = _rows(plan, answers)
        if start <= first and (stop is None or last < stop):
            return rows
        return [row for row in rows if _is_within(row, start, stop)]

    def _is_open(self, *, is_last: bool) -> bool:
        if self._thinned_from == self._offset:
            return False
        if not self._begun and (self._line_count is None or self._line_count > self._plan.page_size):
            return is_last and (self._last_step is not None or self._line_count is None)
        return is_last or not self._begun

    def _misses_rows(self, window: HistoryWindow, start: int, answered: int) -> bool:
        # How a server thins a window without an end is its own business: where it tells how many rows the run has, and
        # the window was to bring all of them, the count is the proof.
        asked_for_all = self._plan.keys is None and start == 0 and self._plan.max_step is None
        return asked_for_all and 0 < answered < (window.history_line_count or 0)

    def _learn(self, window: HistoryWindow, *, told_keys: bool) -> None:
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


def _answers(plan: ScanPlan, window: HistoryWindow) -> list[list[Row]]:
    """The rows that the server answered to each question of a window, each list in step order."""
    if plan.keys is None:
        return [parse_rows(window.history or [])]
    questions = 1 if plan.match == "all" else len(plan.keys)
    return [rows_of_spec(window.sampled_history or [], index) for index in range(questions)]


def _extent(answers: Sequence[list[Row]], start: int) -> tuple[int, int, int]:
    """The first and the last step of all answers, and how many rows the longest holds."""
    told = [row.get("_step") for rows in answers for row in rows]
    steps = [step if type(step) is int else _whole(step, start) for step in told]
    return min(steps, default=start), max(steps, default=start - 1), max(map(len, answers))


def _rows(plan: ScanPlan, answers: Sequence[list[Row]]) -> list[Row]:
    if plan.keys is None:
        return answers[0]
    if plan.match == "all":
        return [row for row in answers[0] if has_all(row, plan.columns)]
    return _united(answers, plan.keys)


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
    return _whole(row.get("_step"), otherwise)


def _whole(step: JSONValue, otherwise: int) -> int:
    return int(step) if isinstance(step, (int, float)) else otherwise


def _step(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int):  # pyright: ignore[reportUnnecessaryIsInstance] — callers may be untyped
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    if value < 0:
        raise ValueError(f"{name} must not be negative, not {value}")
    return value
