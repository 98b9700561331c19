"""Of several flows that need the same read one reads: stepped by hand, and under both drivers."""

from __future__ import annotations

import multiprocessing
import sys
import threading
from collections.abc import Callable

import anyio
import httpx
import pytest
from tests.patience import PATIENCE
from tests.unit.transport.driving import Face, driver, settings
from tests.unit.transport.stepping import ended, returned

from runql.errors import ConnectionFailedError, RunqlError
from runql.transport.aio import AsyncRetryingClient
from runql.transport.flow import Flow, Join, ReadOnce, Sleep, gather, offload, share_read, sleep
from runql.transport.single_flight import Flight, SingleFlight
from runql.transport.sync import RetryingClient

faces = pytest.mark.parametrize("face", ["sync", "async"])
"""Seconds after which a test that hangs fails; no test waits for as long."""


class Counter:
    """A read of one pause, which counts how often it was begun and ended."""

    def __init__(self) -> None:
        self.begun = self.done = 0
        self.flights = SingleFlight()

    def read(self) -> Flow[None]:
        self.begun += 1
        yield from sleep(0.001)
        self.done += 1

    def needed(self, count: int = 1) -> Flow[int]:
        yield from share_read(self.flights, lambda: self.done < count, self.read)
        return self.done


def unasked(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"nothing is asked of a server here: {request.url}")


def joined(flow: Flow[int]) -> Flight:
    """What a flow that was just begun waits for."""
    effect = next(flow)
    assert isinstance(effect, Join)
    return effect.flight


# -- by hand --------------------------------------------------------------------------------------------------------


def test_what_is_not_needed_is_not_read() -> None:
    counter = Counter()
    assert returned(counter.needed(0)) == 0
    assert counter.begun == 0


def test_a_flow_alone_yields_nothing_of_its_own() -> None:
    counter = Counter()
    flow = counter.needed(2)
    assert next(flow) == Sleep(0.001)
    assert flow.send(None) == Sleep(0.001)
    assert ended(flow, None) == 2


def test_a_second_flow_waits_and_then_has_nothing_to_do() -> None:
    counter = Counter()
    first, second = counter.needed(), counter.needed()
    next(first)
    woken: list[bool] = []
    joined(second).when_ended(lambda: woken.append(True))
    assert not woken
    assert ended(first, None) == 1
    assert woken == [True]
    assert ended(second, None) == 1
    assert counter.begun == 1


def test_a_flow_that_needs_more_reads_on_when_the_other_has_ended() -> None:
    counter = Counter()
    first, second = counter.needed(1), counter.needed(2)
    next(first)
    joined(second)
    ended(first, None)
    assert not isinstance(second.send(None), Join)
    assert ended(second, None) == 2


def test_between_two_reads_another_flow_may_take_over() -> None:
    counter = Counter()
    first, second = counter.needed(3), counter.needed(3)
    next(first)
    joined(second)
    assert isinstance(first.send(None), Join) is False
    assert isinstance(second.send(None), Join)
    assert counter.begun == 2


def test_those_that_wait_get_the_readers_error() -> None:
    counter = Counter()
    first, second, third = counter.needed(), counter.needed(), counter.needed()
    next(first)
    joined(second)
    error = ConnectionFailedError("no network")
    with pytest.raises(ConnectionFailedError):
        first.throw(error)
    with pytest.raises(ConnectionFailedError) as caught:
        second.send(None)
    assert caught.value is error
    # What begins later tries for itself.
    assert not isinstance(next(third), Join)
    assert ended(third, None) == 1


def close(flow: Flow[int]) -> None:
    flow.close()


def interrupt(flow: Flow[int]) -> None:
    with pytest.raises(KeyboardInterrupt):
        flow.throw(KeyboardInterrupt())


@pytest.mark.parametrize("stop", [close, interrupt])
def test_when_the_reader_is_stopped_one_of_the_others_reads(stop: Callable[[Flow[int]], None]) -> None:
    counter = Counter()
    first, second, third = counter.needed(), counter.needed(), counter.needed()
    next(first)
    woken: list[str] = []
    joined(second).when_ended(lambda: woken.append("second"))
    joined(third).when_ended(lambda: woken.append("third"))
    stop(first)
    assert woken == ["second", "third"]
    assert not isinstance(second.send(None), Join)
    assert isinstance(third.send(None), Join)
    assert ended(second, None) == ended(third, None) == 1


def test_a_flow_that_waits_and_is_stopped_leaves_nothing_behind() -> None:
    counter = Counter()
    first, second = counter.needed(), counter.needed()
    next(first)
    joined(second)
    second.close()
    assert ended(first, None) == 1


def test_waking_after_the_end_is_at_once() -> None:
    flight = Flight()
    woken: list[bool] = []
    flight.end()
    flight.when_ended(lambda: woken.append(True))
    assert woken == [True]


def test_a_value_is_read_once_also_when_it_is_none() -> None:
    begun: list[bool] = []

    def read() -> Flow[None]:
        begun.append(True)
        yield from sleep(0)

    once = ReadOnce(read)
    flow = once.get()
    next(flow)
    assert ended(flow, None) is None
    assert returned(once.get()) is None
    assert begun == [True]


# -- under the drivers ----------------------------------------------------------------------------------------------


@faces
@pytest.mark.parametrize("limit", [1, 2, 5])
@pytest.mark.parametrize("apart", [True, False])
def test_flows_of_one_gather_share(face: Face, limit: int, apart: bool) -> None:
    counter = Counter()
    flows = [counter.needed() for _ in range(5)]
    assert driver(face, unasked)(gather(flows, limit=limit, release_on_offload=apart)) == [1] * 5
    assert counter.begun == 1


@faces
def test_waiting_takes_no_place_that_the_reader_needs_to_go_on(face: Face) -> None:
    """The reader leaves its place for work of its own, and wants it back while the others wait for it."""
    flights = SingleFlight()
    done: list[bool] = []

    def read() -> Flow[None]:
        yield from offload(lambda: None)
        yield from sleep(0.005)
        yield from offload(lambda: None)
        done.append(True)

    def needed() -> Flow[None]:
        yield from share_read(flights, lambda: not done, read)

    driver(face, unasked)(gather([needed() for _ in range(6)], limit=2, release_on_offload=True))
    assert done == [True]


@faces
def test_an_error_reaches_all_flows_of_several_callers(face: Face) -> None:
    """Each caller gets it, and the next one reads again."""
    flights = SingleFlight()
    begun: list[bool] = []
    errors: list[RunqlError] = []
    ready = threading.Barrier(3) if face == "sync" else None

    def read() -> Flow[None]:
        begun.append(True)
        yield from sleep(0.01)
        raise ConnectionFailedError("no network")

    def needed() -> Flow[None]:
        yield from share_read(flights, lambda: True, read)

    if ready is not None:
        with RetryingClient(settings()) as client:

            def call() -> None:
                ready.wait(PATIENCE)
                try:
                    client.run(needed())
                except ConnectionFailedError as error:
                    errors.append(error)

            threads = [threading.Thread(target=call) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(PATIENCE)
    else:

        async def main() -> None:
            async with AsyncRetryingClient(settings()) as client:

                async def call() -> None:
                    try:
                        await client.run(needed())
                    except ConnectionFailedError as error:
                        errors.append(error)

                async with anyio.create_task_group() as group:
                    for _ in range(3):
                        group.start_soon(call)

        anyio.run(main)
        assert len(begun) == 1
    assert len(errors) == 3
    before = len(begun)
    with pytest.raises(ConnectionFailedError):
        driver(face, unasked)(needed())
    assert len(begun) == before + 1


def test_when_the_task_that_reads_is_cancelled_another_reads() -> None:
    counter = Counter()
    reached = anyio.Event()
    results: list[int] = []

    def read() -> Flow[None]:
        counter.begun += 1
        if counter.begun == 1:
            reached.set()
            yield from sleep(PATIENCE)
        yield from sleep(0)
        counter.done += 1

    def needed() -> Flow[None]:
        yield from share_read(counter.flights, lambda: not counter.done, read)

    async def main() -> None:
        async with AsyncRetryingClient(settings()) as client, anyio.create_task_group() as group:
            scope = anyio.CancelScope()

            async def cancelled() -> None:
                with scope:
                    await client.run(needed())

            async def waits() -> None:
                await client.run(needed())
                results.append(counter.done)

            group.start_soon(cancelled)
            await reached.wait()
            group.start_soon(waits)
            group.start_soon(waits)
            await anyio.wait_all_tasks_blocked()
            scope.cancel()

    anyio.run(main)
    assert results == [1, 1]
    assert counter.begun == 2


def test_a_task_that_waits_can_be_cancelled() -> None:
    counter = Counter()

    async def main() -> None:
        first = counter.needed()
        next(first)
        async with AsyncRetryingClient(settings()) as client, anyio.create_task_group() as group:
            group.start_soon(client.run, counter.needed())
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
        ended(first, None)

    anyio.run(main)
    assert counter.begun == 1


def test_a_thread_that_would_wait_for_itself_is_refused() -> None:
    counter = Counter()
    first = counter.needed()
    next(first)
    with RetryingClient(settings()) as client, pytest.raises(RunqlError, match="wait for itself"):
        client.run(counter.needed())
    assert ended(first, None) == 1


def test_an_interrupted_thread_leaves_nothing_locked() -> None:
    counter = Counter()

    def interrupted() -> Flow[None]:
        yield from offload(lambda: None)
        raise KeyboardInterrupt

    with RetryingClient(settings()) as client:
        with pytest.raises(KeyboardInterrupt):
            client.run(share_read(counter.flights, lambda: True, interrupted))
        assert client.run(counter.needed()) == 1


def _read_in_child(counter: Counter, results: multiprocessing.Queue[int]) -> None:
    with RetryingClient(settings()) as client:
        results.put(client.run(counter.needed()))


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_forked_child_does_not_wait_for_a_thread_that_it_does_not_have() -> None:
    counter = Counter()
    reading = counter.needed()
    next(reading)
    context = multiprocessing.get_context("fork")
    results: multiprocessing.Queue[int] = context.Queue()
    child = context.Process(target=_read_in_child, args=(counter, results))
    child.start()
    child.join(PATIENCE)
    assert child.exitcode == 0
    assert results.get(timeout=PATIENCE) == 1
    assert ended(reading, None) == 1
