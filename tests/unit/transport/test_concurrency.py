"""More flows at once while that is faster, fewer when the server objects; stepped by hand."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from runql.transport.pacing.concurrency import AT_FIRST, ROUNDS_BETWEEN, SCOUTS, Concurrency

MOST = 64


def run(
    concurrency: Concurrency,
    rate: Callable[[int], float],
    ends: int,
    now: float = 0.0,
    computed: float = 0.0,
) -> float:
    """Let flows end at a rate that depends on how many run at once, each after so many seconds of CPU."""
    for _ in range(ends):
        now += 1 / rate(concurrency.limit)
        concurrency.ended(now, 0, computed)
    return now


def test_where_each_flow_waits_for_the_network_they_become_as_many_as_allowed() -> None:
    concurrency = Concurrency(MOST, 0.0)
    assert concurrency.limit == AT_FIRST
    run(concurrency, lambda at_once: 50 * at_once, 400)
    assert concurrency.limit == MOST


def test_flows_of_which_many_are_known_to_be_small_begin_together() -> None:
    concurrency = Concurrency(MOST, 0.0, at_first=24)
    assert concurrency.limit == 24
    assert Concurrency(5, 0.0, at_first=24).limit == 5
    assert concurrency.ended(1.0, 1) == -1
    assert concurrency.limit == 12


def test_where_more_are_not_faster_they_stay_few() -> None:
    concurrency, highest, now = Concurrency(MOST, 0.0), 0, 0.0
    for _ in range(2000):
        now = run(concurrency, lambda _: 1000.0, 1, now)
        highest = max(highest, concurrency.limit)
    assert highest <= 2 * AT_FIRST
    assert concurrency.limit < 2 * AT_FIRST


def test_they_stay_near_what_the_network_takes() -> None:
    concurrency = Concurrency(MOST, 0.0)
    run(concurrency, lambda at_once: 50.0 * min(at_once, 24), 3000)
    assert 18 <= concurrency.limit <= 45


def test_more_are_tried_again_when_the_network_has_become_faster() -> None:
    concurrency = Concurrency(MOST, 0.0)
    now = run(concurrency, lambda _: 1000.0, 200)
    assert concurrency.limit < 2 * AT_FIRST
    run(concurrency, lambda at_once: 50 * at_once, (ROUNDS_BETWEEN + 8) * MOST, now)
    assert concurrency.limit == MOST


def test_the_caller_caps_them() -> None:
    for most in (1, 3, 8, 20):
        concurrency = Concurrency(most, 0.0)
        run(concurrency, lambda at_once: 50 * at_once, 400)
        assert concurrency.limit == most


def test_an_objection_halves_them_and_their_workers_leave() -> None:
    concurrency, now = Concurrency(MOST, 0.0), 0.0
    now = run(concurrency, lambda at_once: 50 * at_once, 400)
    changes = [concurrency.ended(now + 1, 1)]
    assert concurrency.limit == MOST // 2
    changes += [concurrency.ended(now + 1, 1) for _ in range(MOST // 2 - 1)]
    assert changes == [-1] * (MOST // 2)
    assert concurrency.ended(now + 1, 1) == 0


def test_few_stay_where_they_saturate_the_cpu() -> None:
    concurrency, now = Concurrency(MOST, 0.0), 0.0
    for _ in range(20):
        now = run(concurrency, lambda _: 1000.0, 100, now, computed=0.001)
        assert concurrency.limit <= AT_FIRST
    assert concurrency.limit == 1
    # They become more when they wait for the network.
    run(concurrency, lambda at_once: 50 * at_once, 1600, now)
    assert concurrency.limit == MOST


def test_the_others_join_the_scouts_that_wait_for_the_network() -> None:
    concurrency = Concurrency(MOST, 0.0, at_first=SCOUTS)
    assert concurrency.limit == SCOUTS
    assert concurrency.none_has_ended(0.005) == AT_FIRST - SCOUTS
    assert concurrency.limit == AT_FIRST
    assert concurrency.none_has_ended(0.01) == 0
    run(concurrency, lambda at_once: 50 * at_once, 400, 0.005)
    assert concurrency.limit == MOST


def test_the_cpu_that_connections_take_at_first_is_no_reason_for_fewer() -> None:
    concurrency = Concurrency(MOST, 0.0, at_first=SCOUTS)
    concurrency.none_has_ended(0.005)
    now = run(concurrency, lambda _: 400.0, AT_FIRST, 0.005, computed=0.0025)
    assert concurrency.limit > AT_FIRST
    # What the flows themselves take is one.
    for _ in range(20):
        now = run(concurrency, lambda _: 1000.0, 100, now, computed=0.001)
    assert concurrency.limit < AT_FIRST


def test_scouts_stay_alone_where_one_has_ended() -> None:
    concurrency = Concurrency(MOST, 0.0, at_first=SCOUTS)
    concurrency.ended(0.004, 0, 0.003)
    assert concurrency.none_has_ended(0.005) == 0
    assert concurrency.limit == SCOUTS


def test_no_more_join_the_scouts_than_the_caller_allows() -> None:
    concurrency = Concurrency(3, 0.0, at_first=SCOUTS)
    assert concurrency.none_has_ended(0.005) == 1
    assert Concurrency(1, 0.0, at_first=SCOUTS).none_has_ended(0.005) == 0


def test_fewer_do_not_stay_where_they_are_slower() -> None:
    concurrency = Concurrency(MOST, 0.0)
    # Their CPU is that of many cores, as where the work needs no lock of Python's.
    run(concurrency, lambda at_once: 100.0 * min(at_once, AT_FIRST), 3 * AT_FIRST, computed=0.01)
    assert concurrency.limit == AT_FIRST


def test_flows_that_began_beside_more_others_tell_nothing() -> None:
    concurrency = Concurrency(MOST, 0.0)
    changes = [concurrency.ended(number / 1000, 0, 0.001) for number in range(1, AT_FIRST + 1)]
    assert concurrency.limit == AT_FIRST // 2
    # They end at once, as if four were much faster than eight.
    changes += [concurrency.ended(AT_FIRST / 1000, 0, 0.001) for _ in range(AT_FIRST // 2 - 1)]
    assert sum(changes) == -AT_FIRST // 2
    # Eight a second are slower than the thousand of the first round.
    for number in range(1, AT_FIRST + 1):
        assert concurrency.limit == AT_FIRST // 2
        concurrency.ended(number / 8, 0)
    assert concurrency.limit == AT_FIRST


def test_few_ends_say_nothing() -> None:
    concurrency = Concurrency(MOST, 0.0, at_first=1)
    for number in range(1, AT_FIRST):
        assert concurrency.ended(number / 50, 0) == 0
    assert concurrency.ended(AT_FIRST / 50, 0) == 1


def test_one_always_stays() -> None:
    concurrency = Concurrency(MOST, 0.0)
    for objections in range(1, 20):
        concurrency.ended(float(objections), objections)
    assert concurrency.limit == 1


@given(
    most=st.integers(1, 80),
    steps=st.lists(st.tuples(st.floats(0, 10), st.integers(0, 1), st.floats(0, 10)), max_size=300),
)
def test_workers_are_as_many_as_may_run(most: int, steps: list[tuple[float, int, float]]) -> None:
    concurrency = Concurrency(most, 0.0)
    workers, now, objections = concurrency.limit, 0.0, 0
    for seconds, objection, computed in steps:
        now += seconds
        objections += objection
        workers += concurrency.ended(now, objections, computed)
        assert 1 <= concurrency.limit <= most
        assert concurrency.limit <= workers <= most
