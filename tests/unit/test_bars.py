"""Bars that come by themselves: after two seconds of a clock that the test turns, on a terminal, one at a time."""

from __future__ import annotations

import sys
import types
from collections.abc import Generator
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec

import pytest
from tests.contract.untyped import Untyped
from tests.unit.test_progress_bar import NO_RICH, ipython, on_terminal

from runql import MissingExtraError, bars
from runql.bars import LateBar, can_draw, reported

Seen = list[tuple[int, int | None]]


@dataclass
class Clock:
    """A clock that stands still until the test turns it."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Drawn:
    """A bar that remembers what it drew."""

    seen: Seen = field(default_factory=Seen)
    is_closed: bool = False
    fails: type[Exception] | None = None

    def show(self, done: int, total: int | None) -> None:
        if self.fails is not None:
            raise self.fails("the terminal was closed")
        self.seen.append((done, total))

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(bars, "clock", clock)
    return clock


@pytest.fixture(autouse=True)
def _nothing_is_drawn() -> Generator[None]:
    assert not bars._one_at_a_time.locked()  # pyright: ignore[reportPrivateUsage] - each bar has to give it back
    yield
    assert not bars._one_at_a_time.locked()  # pyright: ignore[reportPrivateUsage] - as above


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(bars.SWITCH, raising=False)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)


# -- when it comes ------------------------------------------------------------------------------------------------


def test_a_bar_opens_at_the_first_report_after_two_seconds(clock: Clock) -> None:
    drawn, opened = Drawn(), list[float]()

    def open_bar() -> Drawn:
        opened.append(clock.now)
        return drawn

    late = LateBar(open_bar)
    late.show(0, 9)
    clock.now += 1.99
    late.show(1, 9)
    assert opened == []
    clock.now += 0.02
    assert opened == []
    late.show(2, 9)
    late.show(3, None)
    assert opened == [pytest.approx(102.01)]
    assert drawn.seen == [(2, 9), (3, None)]
    late.close()
    assert drawn.is_closed
    late.show(4, 9)
    assert (len(opened), len(drawn.seen)) == (1, 2)


def test_a_short_call_opens_none(clock: Clock) -> None:
    late = LateBar(refuse)
    clock.now += 1
    late.show(9, 9)
    late.close()
    clock.now += 9
    late.show(9, 9)


def test_one_bar_is_drawn_at_a_time(clock: Clock) -> None:
    first, second, third = Drawn(), Drawn(), Drawn()
    outer, inner = LateBar(lambda: first), LateBar(lambda: second)
    clock.now += 3
    outer.show(1, 2)
    inner.show(1, 2)
    outer.close()
    assert (first.seen, second.seen) == ([(1, 2)], [])
    # The first is closed, so that the second may come.
    inner.show(2, 2)
    inner.close()
    assert second.seen == [(2, 2)]
    last = LateBar(lambda: third)
    clock.now += 3
    last.show(1, 1)
    last.close()
    assert third.seen == [(1, 1)]


@pytest.mark.parametrize("kind", [OSError, ValueError])
def test_a_terminal_that_is_gone_stops_the_bar_and_not_the_call(kind: type[Exception], clock: Clock) -> None:
    drawn = Drawn(fails=kind)
    late = LateBar(lambda: drawn)
    clock.now += 3
    late.show(1, 2)
    assert drawn.is_closed
    late.show(2, 2)
    late.close()

    def fail() -> Drawn:
        raise kind

    broken = LateBar(fail)
    clock.now += 3
    broken.show(1, 2)
    broken.close()


# -- whether it comes ---------------------------------------------------------------------------------------------


def test_a_function_is_called_as_it_is() -> None:
    seen: Seen = []

    def note(done: int, total: int | None) -> None:
        seen.append((done, total))

    with reported(note, "", "runs") as report:
        assert report is note


@pytest.mark.parametrize("progress", [None, True, False])
def test_without_a_terminal_there_is_none(progress: bool | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    with reported(progress, "", "runs") as report:
        assert report is None


def test_a_closed_stderr_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed() -> bool:
        raise ValueError("I/O operation on closed file")

    monkeypatch.setattr(sys.stderr, "isatty", closed, raising=False)
    assert not can_draw()


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("value", ["0", "false", "No", " off "])
def test_a_switch_turns_all_off(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert can_draw()
    monkeypatch.setenv("RUNQL_PROGRESS", value)
    for progress in (None, True):
        with reported(progress, "", "runs") as report:
            assert report is None


@pytest.mark.usefixtures("terminal")
def test_false_turns_one_off_and_none_waits(clock: Clock) -> None:
    with reported(False, "", "runs") as report:
        assert report is None
    with reported(None, "", "runs") as report:
        assert report is not None
        report(1, 2)


@pytest.mark.usefixtures("terminal")
def test_without_rich_none_comes_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rich", None)
    with reported(None, "", "runs") as report:
        assert report is None
    with pytest.raises(MissingExtraError, match="rich"), reported(True, "", "runs"):
        pass


@pytest.mark.parametrize("has_widgets", [True, False])
def test_a_notebook_needs_widgets(has_widgets: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "IPython", ipython(types.SimpleNamespace(kernel=object())))
    widgets = types.ModuleType("ipywidgets")
    widgets.__spec__ = ModuleSpec("ipywidgets", None)
    monkeypatch.setitem(sys.modules, "ipywidgets", widgets if has_widgets else None)
    with reported(None, "", "runs") as report:
        assert (report is not None) == has_widgets


@pytest.mark.parametrize("progress", [1, "bar", [], 0.5])
def test_something_else_is_refused(progress: Untyped) -> None:
    with pytest.raises(TypeError, match="progress must be a function of what is done and the total"):
        reported(progress, "", "runs").__enter__()


# -- what it looks like -------------------------------------------------------------------------------------------

STEPS = """
import sys
from runql import bars
now = 0.0
bars.clock = lambda: now
with bars.reported({progress}, {label!r}, {unit!r}) as report:
    for number in range(4):
        report and report(number, 3)
        now += {seconds}
print("done")
"""


def steps(
    progress: bool | None = None, label: str = "[runs]", unit: str = "runs", seconds: float = 1.0
) -> str:
    """A program that reports four times, so many seconds apart."""
    return STEPS.format(progress=progress, label=label, unit=unit, seconds=seconds)


def test_a_terminal_shows_a_long_call() -> None:
    code, shown, stdout = on_terminal(steps())
    assert (code, stdout) == (0, "done\n")
    assert "[runs]" in shown
    assert "3/3" in shown
    assert "0/3" not in shown


def test_a_terminal_shows_nothing_of_a_short_call() -> None:
    assert on_terminal(steps(seconds=0.5)) == (0, "", "done\n")


def test_a_terminal_shows_bytes() -> None:
    assert "3/3 bytes" in on_terminal(steps(True, unit="bytes", seconds=0))[1]


def test_a_terminal_shows_nothing_without_rich_or_with_the_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    assert on_terminal(NO_RICH + steps()) == (0, "", "done\n")
    monkeypatch.setenv("RUNQL_PROGRESS", "0")
    assert on_terminal(steps()) == (0, "", "done\n")
    assert on_terminal(steps(True)) == (0, "", "done\n")


def test_a_label_is_one_printable_line() -> None:
    shown = on_terminal(steps(label="a\x1b[31mb\n" + "c" * 500))[1]
    assert "a\\x1b[31mb\\nccc" in shown
    assert "\x1b[31mb" not in shown


def refuse() -> Drawn:
    """Fail where no bar is due."""
    raise AssertionError("a bar was opened")
