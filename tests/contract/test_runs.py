"""The list of runs: pages, counts, indexes, slices, the light and the full shape."""

from __future__ import annotations

import pytest
from tests.contract.both_clients import AnyApi, AnyRuns, Face
from tests.contract.sample_facts import LEAST_RUNS, SHORT_FAMILY
from tests.contract.world import World

from runql import NotLoadedError, Runs

PER_PAGE = 4


@pytest.fixture
def runs(api: AnyApi, face: Face, world: World) -> AnyRuns:
    filters = SHORT_FAMILY if world.is_sample else None
    return face.take(api.runs(world.path, filters, per_page=PER_PAGE, lazy=True))


def pages(count: int) -> int:
    return -(-count // PER_PAGE)


def test_every_run_comes_once_a_request_a_page_and_again_without_a_request(
    runs: AnyRuns, api: AnyApi, face: Face
) -> None:
    first = face.items(runs)
    assert api.traffic.requests == pages(len(first))
    assert len({run.storage_id for run in first}) == len(first) == face.take(runs.length)
    again = face.items(runs)
    assert all(run is same for run, same in zip(first, again, strict=True))
    assert api.traffic.requests == pages(len(first))


def test_one_page_may_hold_them_all(api: AnyApi, face: Face, sampled: World) -> None:
    runs = face.take(api.runs(sampled.path, per_page=1000, lazy=True))
    assert len(face.items(runs)) == face.take(runs.length) >= LEAST_RUNS
    assert not runs.more
    assert api.traffic.requests == 1


def test_reading_goes_only_as_far_as_is_looked_at(runs: AnyRuns, api: AnyApi, face: Face) -> None:
    face.items(runs, 2)
    assert api.traffic.requests == 1
    face.items(runs, PER_PAGE)
    assert api.traffic.requests == 1
    face.items(runs, PER_PAGE + 1)
    assert api.traffic.requests == 2


def test_length_sends_the_first_page_and_keeps_it(runs: AnyRuns, api: AnyApi, face: Face) -> None:
    count = face.take(runs.length)
    assert count >= face.take(runs.length) > PER_PAGE
    face.items(runs, PER_PAGE)
    assert api.traffic.requests == 1


def test_cursor_and_more_follow_the_pages(runs: AnyRuns, api: AnyApi, face: Face) -> None:
    assert (runs.cursor, runs.more, runs.convert_objects()) == (None, True, [])
    face.take(runs[0])
    first = runs.cursor
    assert first
    assert runs.more
    assert [run.id for run in runs.convert_objects()] == [run.id for run in face.items(runs, PER_PAGE)]
    everything = face.items(runs)
    assert not runs.more
    assert runs.cursor not in (None, first)
    newest = runs.convert_objects()
    assert [run.id for run in newest] == [run.id for run in everything[-len(newest) :]]
    assert api.traffic.requests == pages(len(everything))


def test_an_index_reads_up_to_its_page_and_a_negative_one_everything(
    runs: AnyRuns, api: AnyApi, face: Face
) -> None:
    assert face.take(runs[PER_PAGE - 1]).id
    assert api.traffic.requests == 1
    assert face.take(runs[PER_PAGE]).id
    assert api.traffic.requests == 2
    last = face.take(runs[-1])
    everything = face.items(runs)
    assert last is everything[-1]
    assert face.take(runs[-len(everything)]) is everything[0]
    for beyond in (len(everything), -len(everything) - 1):
        with pytest.raises(IndexError):
            face.take(runs[beyond])


@pytest.mark.parametrize(
    ("part", "requests"),
    [
        (slice(1, 3), 1),
        (slice(None, PER_PAGE), 1),
        (slice(PER_PAGE - 1, PER_PAGE + 1), 2),
        (slice(0, 0), 0),
        (slice(-3, None), None),
        (slice(None, None, -1), None),
        (slice(1, None, 4), None),
    ],
    ids=["inside", "page", "border", "empty", "end", "backwards", "steps"],
)
def test_a_slice_is_the_lists_and_reads_no_further_than_needed(
    part: slice, requests: int | None, runs: AnyRuns, api: AnyApi, face: Face
) -> None:
    found = face.take(runs[part])
    sent = api.traffic.requests
    everything = face.items(runs)
    assert [run.id for run in found] == [run.id for run in everything[part]]
    assert sent == (pages(len(everything)) if requests is None else requests)


def test_the_size_of_pages_does_not_change_what_they_hold(api: AnyApi, face: Face, world: World) -> None:
    newest = [
        [
            run.id
            for run in face.items(
                face.take(api.runs(world.path, order="-created_at", per_page=size, lazy=True)), 6
            )
        ]
        for size in (1, 4, 6)
    ]
    assert newest[0] == newest[1] == newest[2]
    assert api.traffic.requests == 6 + 2 + 1


def test_a_listed_run_has_config_and_summary_without_a_further_request(
    api: AnyApi, face: Face, world: World
) -> None:
    runs = face.items(face.take(api.runs(world.path, per_page=3)), 3)
    assert all(run.config and run.summary and run.history_keys for run in runs)
    assert api.traffic.requests == 1


def test_a_lazy_page_is_completed_by_one_request_for_all_its_runs(
    api: AnyApi, face: Face, world: World
) -> None:
    lazy = face.items(face.take(api.runs(world.path, per_page=2, lazy=True)), 2)
    assert all(run.name and run.state and run.created_at for run in lazy)
    assert api.traffic.requests == 1
    face.load(lazy[1])
    configs = [dict(run.config) for run in lazy]
    assert api.traffic.requests == 2
    full = face.items(face.take(api.runs(world.path, per_page=2)), 2)
    assert configs == [run.config for run in full]
    assert [dict(run.summary) for run in lazy] == [dict(run.summary) for run in full]


def test_what_a_lazy_run_lacks_is_asked_for_or_refused(api: AnyApi, face: Face, world: World) -> None:
    run = face.items(face.take(api.runs(world.path, per_page=2, lazy=True)), 1)[0]
    if face.name == "async":
        with pytest.raises(NotLoadedError, match=r"await run\.load\(\)"):
            run.config  # noqa: B018 - looking at it is the test
        face.load(run)
    assert run.config
    assert run.summary
    assert api.traffic.requests == 2


def test_an_empty_list_is_no_error(api: AnyApi, face: Face, world: World) -> None:
    runs = face.take(api.runs(world.path, {"display_name": "no run is called this"}))
    assert face.items(runs) == []
    assert face.take(runs.length) == 0
    assert not runs.more
    assert face.take(runs[:3]) == []
    assert api.traffic.requests == 1


def test_len_is_the_length_where_nothing_is_awaited(runs: AnyRuns, face: Face, world: World) -> None:
    assert f"Runs {world.path}" in repr(runs)
    length = face.take(runs.length)
    if isinstance(runs, Runs):
        assert len(runs) == length
    assert len(face.items(runs)) == length
