"""Reads of many runs with ``partial="allow"``: the result lacks the runs that fail, as a whole, and one warning names them."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import polars as pl
import pytest
from tests.unit.resources.histories_server import ListOnServer, dense, planned_list
from tests.unit.resources.test_histories import WHOLE, Histories, logged_by, names
from tests.unit.resources.test_hopeless_reads import DOWN, failing
from tests.unit.transport.patient_driver import PatientDriver
from tests.unit.transport.stepping import sent, served

from runql import PartialResultWarning
from runql.errors import (
    ConnectionFailedError,
    DeadlineExceededError,
    IncompleteHistoriesError,
    RunqlError,
    ServerFailureError,
)
from runql.frames.row_readers import RowReader
from runql.partial_results import PartialReads, checked_partial
from runql.resources.runs.adaptive_pages import HOPELESS
from runql.resources.runs.histories.collect import NAMES, read_histories, sink_histories
from runql.resources.runs.histories.page import HistoriesPlan
from runql.resources.runs.histories.sampled import rows_of, sample_runs
from runql.resources.runs.histories.scan import BatchStream
from runql.resources.runs.query import RunQuery
from runql.transport.flow import Effect, Flow
from runql.transport.sample_limits import SampleLimits
from runql.transport.wire import Response

T = TypeVar("T")
LONG = 55


def allowing(read: Callable[[], T]) -> tuple[T, list[PartialResultWarning]]:
    """Read with partial results allowed; return the result and what was warned of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with PartialReads():
            result = read()
    found: list[PartialResultWarning] = []
    for each in caught:
        assert isinstance(each.message, PartialResultWarning)
        assert each.filename == __file__
        found.append(each.message)
    return result, found


def sampled(per_page: int = 50) -> Flow[list[dict[str, object]]]:
    batches = yield from sample_runs(RunQuery("e", "p", per_page=per_page), WHOLE)
    return [dict(row) for row in rows_of(batches)]


def listed(heavy: list[str] | None = None) -> ListOnServer:
    """Nine runs, and a long one among them."""
    runs = {name: dense(3) for name in names(9)}
    runs["run4"] = dense(LONG)
    return ListOnServer(runs, heavy=heavy or [])


PLAN = planned_list(per_page=2, page_size=10, max_concurrency=2)


def sink(server: ListOnServer, target: Path, plan: HistoriesPlan = PLAN) -> None:
    served(sink_histories(plan, RowReader(), target, "https://server"), server.answer)


def heights(target: Path) -> dict[str, int]:
    frame = pl.read_parquet(target)
    return dict(frame.group_by("run_id", maintain_order=True).len().iter_rows())


def test_sampled_rows_of_497_runs_and_a_report_of_three() -> None:
    run_ids, heavy = names(500), ["run7", "run250", "run499"]
    server = Histories(run_ids, heavy=heavy)
    rows, (warning,) = allowing(lambda: served(sampled(), server.answer))
    assert rows == logged_by(*(run for run in run_ids if run not in heavy))
    assert warning.failed == tuple(heavy)
    assert [*warning.reasons] == heavy
    assert all("the server failed (503)" in reason for reason in warning.reasons.values())
    assert warning.not_requested == ()
    assert "lacks 3 run(s), run7, run250, run499: the server failed (503)" in str(warning)
    raising = Histories(run_ids, heavy=heavy)
    with pytest.raises(IncompleteHistoriesError):
        served(sampled(), raising.answer)
    assert (server.sizes, server.light) == (raising.sizes, raising.light)


def test_no_warning_where_all_is_read() -> None:
    rows, found = allowing(lambda: served(sampled(), Histories(names(9)).answer))
    assert (rows, found) == (logged_by(*names(9)), [])


def test_without_the_option_it_raises() -> None:
    def read() -> object:
        with PartialReads("raise"):
            return served(sampled(), Histories(names(9), heavy=["run3"]).answer)

    with pytest.raises(IncompleteHistoriesError):
        allowing(read)


def test_a_result_without_any_run_stays_an_error() -> None:
    for flow in (sampled(), read_histories(planned_list(), RowReader())):
        with pytest.raises(IncompleteHistoriesError):
            allowing(partial(PatientDriver(failing(names(3), DOWN)).run, flow))


def test_runs_after_a_hopeless_streak_are_reported_as_not_requested() -> None:
    run_ids = names(200)
    server = Histories(run_ids, heavy=run_ids[100:], refusal=DOWN)
    rows, (warning,) = allowing(lambda: PatientDriver(server.answer).run(sampled()))
    assert rows == logged_by(*run_ids[:100])
    assert warning.failed == tuple(run_ids[100:])
    assert warning.not_requested == tuple(run_ids[100 + HOPELESS :])
    assert f"{100 - HOPELESS} were not requested" in str(warning)


def test_a_deadline_stays_an_error() -> None:
    driver = PatientDriver(Histories(names(200)).answer, took=1, deadline=2.5)
    with pytest.raises(IncompleteHistoriesError, match="the list ended early") as caught:
        allowing(lambda: driver.run(sampled()))
    assert isinstance(caught.value.__cause__, DeadlineExceededError)


def test_a_list_that_ends_early_stays_an_error() -> None:
    count = iter(range(100))

    def answer(effect: Effect) -> Response | RunqlError:
        broken = next(count) >= 2
        return ConnectionFailedError("cut") if broken else Histories(names(200)).answer(effect)

    with pytest.raises(IncompleteHistoriesError, match="the list ended early: cut"):
        allowing(lambda: served(sampled(), answer))


def test_a_scan_lacks_a_long_run_as_a_whole() -> None:
    server = listed(["run4"])
    part, (warning,) = allowing(lambda: served(read_histories(PLAN, RowReader()), server.answer))
    rows = [row for batch in part.batches for row in batch.to_rows()]
    assert [*dict.fromkeys(row["run_id"] for row in rows)] == [run for run in names(9) if run != "run4"]
    assert [run.name for run in part.ended] == [run for run in names(9) if run != "run4"]
    assert warning.failed == ("run4",)


def half_read(server: ListOnServer) -> Callable[[Effect], Response | RunqlError | None]:
    """The long run fails after its first windows."""
    count = iter(range(100))

    def answer(effect: Effect) -> Response | RunqlError | None:
        if getattr(effect, "operation", None) is None or sent(effect).name != "ScanHistory":
            return server.answer(effect)
        return server.answer(effect) if next(count) < 2 else DOWN

    return answer


def test_a_scan_lacks_a_run_that_fails_half_way() -> None:
    part, (warning,) = allowing(lambda: served(read_histories(PLAN, RowReader()), half_read(listed())))
    rows = [row for batch in part.batches for row in batch.to_rows()]
    assert "run4" not in [row["run_id"] for row in rows]
    assert len(rows) == 3 * 8
    assert warning.failed == ("run4",)


def test_a_file_lacks_a_run_that_fails_half_way(tmp_path: Path) -> None:
    target = tmp_path / "all.parquet"
    answer = half_read(listed())
    _, (warning,) = allowing(
        lambda: served(sink_histories(PLAN, RowReader(), target, "https://server"), answer)
    )
    assert heights(target) == {run: 3 for run in names(9) if run != "run4"}
    assert warning.failed == ("run4",)
    assert [*tmp_path.iterdir()] == [target]


def iterated(answer: Callable[[Effect], Response | RunqlError | None]) -> list[str]:
    """The runs of all frames."""
    stream = BatchStream(PLAN, RowReader(), SampleLimits())
    found: list[str] = []
    while (batches := served(stream.next_batches(), answer)) is not None:
        found += [str(row["run_id"]) for batch in batches for row in batch.to_rows()]
    return [*dict.fromkeys(found)]


def test_frames_lack_a_run_and_the_end_warns() -> None:
    found, (warning,) = allowing(lambda: iterated(listed(["run2"]).answer))
    assert found == [run for run in names(9) if run != "run2"]
    assert warning.failed == ("run2",)


def test_a_run_whose_first_rows_were_returned_stays_an_error() -> None:
    with pytest.raises(IncompleteHistoriesError, match="run4") as caught:
        allowing(lambda: iterated(half_read(listed())))
    assert caught.value.failed == ("run4",)


def test_a_file_of_the_runs_that_can_be_read(tmp_path: Path) -> None:
    target = tmp_path / "all.parquet"
    server = listed(["run7"])
    _, (warning,) = allowing(lambda: sink(server, target))
    assert [*heights(target)] == [run for run in names(9) if run != "run7"]
    assert warning.failed == ("run7",)
    assert [*tmp_path.iterdir()] == [target]
    server.heavy = ()
    _, found = allowing(lambda: sink(server, target))
    assert found == []
    assert [*heights(target)] == names(9)


def test_a_file_that_is_resumed_lacks_a_changed_run_that_fails_now(tmp_path: Path) -> None:
    target = tmp_path / "all.parquet"
    server = listed(["run7"])
    with pytest.raises(IncompleteHistoriesError):
        sink(server, target)
    server.runs["run1"] = dense(5)
    server.heavy = ["run1"]
    _, (warning,) = allowing(lambda: sink(server, target))
    assert [*heights(target)] == [run for run in names(9) if run != "run1"]
    assert warning.failed == ("run1",)


def test_a_file_that_is_resumed_in_several_groups_warns_once(tmp_path: Path) -> None:
    target = tmp_path / "all.parquet"
    run_ids = names(NAMES + 20)
    server = ListOnServer({run: dense(1) for run in run_ids})
    plan = planned_list(per_page=NAMES, page_size=100)
    server.heavy = run_ids[1:]
    with pytest.raises(IncompleteHistoriesError):
        sink(server, target, plan)
    server.heavy = heavy = [run_ids[3], run_ids[-1]]
    _, (warning,) = allowing(lambda: sink(server, target, plan))
    assert warning.failed == tuple(heavy)
    assert [*heights(target)] == [run for run in run_ids if run not in heavy]


def test_no_warning_where_the_file_cannot_be_written(tmp_path: Path) -> None:
    target = tmp_path / "all.parquet"
    target.mkdir()
    with pytest.raises(RunqlError, match="cannot write"):
        allowing(lambda: sink(listed(["run7"]), target))


def test_a_list_that_fails_stays_an_error() -> None:
    with pytest.raises(ServerFailureError):
        allowing(lambda: served(sampled(), lambda _: DOWN))


def test_the_warning_shows_no_key_and_can_be_pickled() -> None:
    run_ids = ["run0", "KEYrun"]
    server = Histories(run_ids, heavy=run_ids[1:], refusal=Response(503, b'{"error": "bad\\n\\u001b KEY"}'))
    with (
        pytest.warns(PartialResultWarning) as caught,
        PartialReads(redact=lambda shown: shown.replace("KEY", "***")),
    ):
        served(sampled(), server.answer)
    (warning,) = [each.message for each in caught]
    assert isinstance(warning, PartialResultWarning)
    assert warning.failed == ("***run",)
    assert "KEY" not in repr((str(warning), vars(warning), warning.args))
    assert str(warning).isprintable()
    assert "***" in warning.reasons["***run"]
    copy = pickle.loads(pickle.dumps(warning))
    assert (str(copy), vars(copy)) == (str(warning), vars(warning))


@pytest.mark.parametrize("value", ["", "allowed", None, True, 1])
def test_another_value_of_the_option_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="partial must be 'raise' or 'allow', not"):
        checked_partial(value)
