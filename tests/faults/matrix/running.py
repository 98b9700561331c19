"""Runs one cell, and judges what came of it."""

from __future__ import annotations

import logging
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from tests.faults.matrix.cells import Cell
from tests.faults.matrix.faults import Errors
from tests.faults.matrix.front import Plan
from tests.faults.matrix.plain import is_array, is_object, plain, without_marks
from tests.faults.matrix.world import KEY, Baseline, LazySubjects, World, deadline_of

from runql import DeadlineExceededError

Outcome: TypeAlias = Literal["right", "error", "wrong", "foreign"]

_ONCE_ONLY: Final = frozenset(
    {
        *("DeleteRun", "DeleteFiles", "DeleteArtifact", "DeleteArtifactSequence"),
        *("DeleteArtifactPortfolio", "DeleteArtifactCollectionTags"),
    }
)
"""Mutations that are not sent again when the server may have received them."""
_GRACE: Final = 1.0
"""Seconds that a call may take beyond its deadline."""
_TRIES: Final = 3


@dataclass
class Result:
    """What came of a cell.

    Attributes:
        cell: its name.
        fault: the fault's title.
        outcome: the value was right, an error of ours was raised, or neither.
        error: name of the class that was raised.
        message: its message.
        hits: requests that had the fault.
        requests: requests of the call.
        seconds: how long it took.
        violations: what should not have happened; empty when the cell is as specified.
    """

    cell: str
    fault: str
    outcome: Outcome
    error: str = ""
    message: str = ""
    hits: int = 0
    requests: int = 0
    seconds: float = 0.0
    violations: list[str] = field(default_factory=list[str])


class _Lines(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def run_cell(world: World, cell: Cell) -> Result:
    """Make the call of a cell with its fault, and judge the outcome.

    A cell that ends late is run again: on a busy machine the first one may have waited for the machine.
    """
    result = _run(world, cell)
    for _ in range(_TRIES):
        if result.seconds <= deadline_of(cell.fault) + _GRACE:
            return result
        result = _run(world, cell)
    result.violations.append(f"ends {result.seconds - deadline_of(cell.fault):.1f} s after its deadline")
    return result


def _run(world: World, cell: Cell) -> Result:
    called, fault = cell.called, cell.fault
    expected = world.baseline(called, cell.face)
    front = world.front_of(fault)
    world.requests_elsewhere()
    with world.subjects(cell.face, fault) as on, _logged() as lines:
        for name in expected.objects:
            getattr(on, name)
        if fault.address:
            front.drop()
            world.names.misbehave(fault.address, None if fault.when == "for ever" else 1)
        plan = fault.plan()
        front.begin(plan)
        raised: Exception | None = None
        value: object = None
        started = time.monotonic()
        try:
            value = called.make(on)
        except Exception as error:  # noqa: BLE001 - a foreign one is a finding
            raised = error
        seconds = time.monotonic() - started
        front.begin(Plan())
        hits = world.names.hits if fault.address else plan.hits
        world.names.misbehave("", 0)
        result = Result(cell.name, fault.title, "right", hits=hits, requests=len(plan.seen), seconds=seconds)
        if raised is None:
            _judge_value(result, cell, on, expected, value)
        else:
            _judge_error(result, cell, raised)
        result.violations += _repeated(plan)
        result.violations += _left_over(cell, on)
        result.violations += _too_often(cell, plan)
        result.violations += _leaked(world, raised, lines.lines)
    world.restore(called)
    return result


def _judge_value(result: Result, cell: Cell, on: LazySubjects, expected: Baseline, value: object) -> None:
    got, files = plain(value, times=not cell.called.writes), plain(on.folder)
    if cell.fault.shown:
        got = without_marks(got)
    if got != expected.value or files != expected.files:
        result.outcome = "wrong"
        result.message = _difference(expected.value, got) or _difference(expected.files, files)
        result.violations.append(f"wrong value: {result.message}")


def _judge_error(result: Result, cell: Cell, raised: Exception) -> None:
    fault, called = cell.fault, cell.called
    result.error, result.message = type(raised).__name__, str(raised)[:300]
    foreign = [each for each in _all_of(raised) if type(each).__module__.split(".")[0] != "runql"]
    if foreign:
        result.outcome = "foreign"
        result.violations.append(
            f"foreign exception {type(foreign[0]).__module__}.{type(foreign[0]).__name__}: {foreign[0]}"[:300]
        )
        return
    result.outcome = "error"
    allowed: Errors = (*fault.errors, *called.errors)
    if fault.silent:
        allowed += (DeadlineExceededError,)
    if fault.recovers and (called.resends or fault.answered):
        result.violations.append(f"does not recover: {result.error}: {result.message}")
    elif not isinstance(raised, allowed):
        result.violations.append(f"raises {result.error}: {result.message}")
    elif not result.hits:
        result.violations.append(f"raises without a fault: {result.error}: {result.message}")
    if "\n" in str(raised):
        result.violations.append("its message has several lines")


def _all_of(error: BaseException) -> Iterator[BaseException]:
    yield error
    parts: Sequence[BaseException] = getattr(error, "exceptions", ())
    for each in parts:
        yield from _all_of(each)


def _repeated(plan: Plan) -> list[str]:
    """Name mutations that were sent again although the server may have received them."""
    sent = Counter(
        (each.received.operation, each.received.body)
        for each in plan.seen
        if each.received.operation in _ONCE_ONLY and not (each.had and plan.answered)
    )
    return [f"{operation} was sent {times} times" for (operation, _), times in sent.items() if times > 1]


def _left_over(cell: Cell, on: LazySubjects) -> list[str]:
    hidden = [path.name for path in on.folder.rglob(".*") if not cell.called.keeps]
    return [f"left {name}" for name in hidden]


def _too_often(cell: Cell, plan: Plan) -> list[str]:
    most = cell.fault.attempts
    if most is None:
        return []
    had = [each.received for each in plan.seen if each.had]
    sent = Counter((received.operation, received.path, received.body) for received in had)
    return [f"{name} was sent {times} times" for (name, *_), times in sent.items() if times > most]


def _leaked(world: World, raised: Exception | None, lines: list[str]) -> list[str]:
    shown = "\n".join(lines)
    if raised is not None:
        shown += f"{raised!r} {raised} " + "".join(traceback.format_exception(raised))
    found = ["the key stands in a log or an error"] if KEY in shown else []
    found += [
        "the key was sent to another host"
        for received in world.requests_elsewhere()
        if "authorization" in received.headers or KEY in f"{received}"
    ]
    return found


class _logged:  # noqa: N801 - used like a function
    """Keep what runql logs inside the block."""

    def __enter__(self) -> _Lines:
        self._handler, self._logger = _Lines(), logging.getLogger("runql")
        self._before = (self._logger.level, self._logger.propagate)
        self._logger.setLevel(logging.DEBUG)
        self._logger.propagate = False
        self._logger.addHandler(self._handler)
        return self._handler

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self._handler)
        self._logger.setLevel(self._before[0])
        self._logger.propagate = self._before[1]


def _difference(expected: object, got: object, place: str = "") -> str:
    """Return the first place where two values differ."""
    if expected == got:
        return ""
    if is_object(expected) and is_object(got):
        for key in [*expected, *got]:
            if key not in got or key not in expected:
                return f"{place}.{key} is {'missing' if key not in got else 'new'}"
            if found := _difference(expected[key], got[key], f"{place}.{key}"):
                return found
    if is_array(expected) and is_array(got):
        if len(expected) != len(got):
            return f"{place} has {len(got)} items, not {len(expected)}"
        for index, (one, other) in enumerate(zip(expected, got, strict=True)):
            if found := _difference(one, other, f"{place}[{index}]"):
                return found
    return f"{place}: {str(got)[:150]!r}, not {str(expected)[:150]!r}"
