"""Both drivers run several flows at once, never more than they may."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import httpx
import pytest
from tests.patience import PATIENCE
from tests.unit.transport.driving import Face, driver

from runql.errors import RunqlError
from runql.transport.flow import EXTRA_WORKERS, Flow, gather, offload, sleep
from runql.transport.pacing.concurrency import AT_FIRST

LIMIT, FLOWS = 2, 6
faces = pytest.mark.parametrize("face", ["sync", "async"])


@dataclass
class Watch:
    """How many flows wait for a server, and work, at the same time.

    Attributes:
        works: seconds of work, unless the third flow begins before.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    waiting: int = 0
    working: int = 0
    most_waiting: int = 0
    most_working: int = 0
    begun: int = 0
    third: threading.Event = field(default_factory=threading.Event)
    third_begun: list[bool] = field(default_factory=list[bool])
    works: float = 0.1

    def flow(self, number: int) -> Flow[int]:
        with self.lock:
            self.begun += 1
            self.waiting += 1
            self.most_waiting = max(self.waiting, self.most_waiting)
            if self.begun > LIMIT:
                self.third.set()
        # A request, as far as a driver's order of things goes; the first ones wait for each other.
        while self.begun < LIMIT:
            yield from sleep(0.001)
        with self.lock:
            self.waiting -= 1
        yield from offload(self.work)
        return number

    def work(self) -> None:
        with self.lock:
            self.working += 1
            self.most_working = max(self.working, self.most_working)
        begun = self.third.wait(self.works)
        with self.lock:
            self.third_begun.append(begun)
            self.working -= 1


def unasked(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"nothing is asked of a server here: {request.url}")


@faces
@pytest.mark.parametrize("apart", [True, False])
def test_results_come_in_order_and_no_more_wait_at_once(face: Face, apart: bool) -> None:
    watch = Watch()
    flows = [watch.flow(number) for number in range(FLOWS)]
    found = driver(face, unasked)(gather(flows, limit=LIMIT, release_on_offload=apart))
    assert found == list(range(FLOWS))
    assert watch.most_waiting == LIMIT
    assert watch.most_working <= (LIMIT + EXTRA_WORKERS if apart else LIMIT)


@faces
@pytest.mark.parametrize("apart", [True, False])
def test_a_flow_that_works_here_holds_up_the_next_only_where_it_counts(face: Face, apart: bool) -> None:
    # What never happens can only be missed for a while.
    watch = Watch(works=PATIENCE if apart else 0.3)
    driver(face, unasked)(
        gather([watch.flow(number) for number in range(LIMIT + 1)], limit=LIMIT, release_on_offload=apart)
    )
    assert watch.third_begun[0] is apart


@faces
@pytest.mark.parametrize("apart", [True, False])
def test_no_flow_begins_after_one_has_failed(face: Face, apart: bool) -> None:
    begun: list[int] = []

    def fail() -> None:
        raise RunqlError("no room")

    def flow(number: int) -> Flow[None]:
        begun.append(number)
        yield from sleep(0.001 * (number % 3))
        yield from offload(fail)

    # The failure and the slot of a next flow have to come within one step of the event loop, which only some rounds do.
    for _ in range(50):
        begun.clear()
        with pytest.raises(RunqlError, match="no room"):
            driver(face, unasked)(
                gather([flow(number) for number in range(20)], limit=LIMIT, release_on_offload=apart)
            )
        assert len(begun) <= LIMIT + EXTRA_WORKERS


@faces
@pytest.mark.parametrize("at_first", [AT_FIRST, 3 * AT_FIRST])
def test_the_caller_says_how_many_begin_together(face: Face, at_first: int) -> None:
    begun: list[int] = []
    together: list[int] = []

    def flow(number: int) -> Flow[None]:
        begun.append(number)
        if number < at_first:
            # None of these ends before all of them have begun.
            for _ in range(int(PATIENCE / 0.01)):
                if len(begun) >= at_first:
                    break
                yield from sleep(0.01)
            together.append(len(begun))

    flows = [flow(number) for number in range(4 * AT_FIRST)]
    driver(face, unasked)(gather(flows, limit=4 * AT_FIRST, at_first=at_first))
    assert together[0] == at_first


@faces
@pytest.mark.parametrize("busy", [False, True])
def test_transfers_that_wait_are_joined_by_others(face: Face, busy: bool) -> None:
    """Also where another thread of the application computes."""
    begun: list[int] = []
    ended = threading.Event()

    def flow(number: int) -> Flow[None]:
        begun.append(number)
        # None ends before all have begun.
        for _ in range(int(PATIENCE / 0.01)):
            if len(begun) >= AT_FIRST:
                return
            yield from sleep(0.01)
        raise AssertionError(f"only {len(begun)} have begun")

    def compute() -> None:
        while not ended.is_set():
            pass

    thread = threading.Thread(target=compute)
    if busy:
        thread.start()
    try:
        flows = [flow(number) for number in range(AT_FIRST)]
        driver(face, unasked)(gather(flows, limit=4 * AT_FIRST, release_on_offload=True))
    finally:
        ended.set()
        if busy:
            thread.join()
    assert len(begun) == AT_FIRST
