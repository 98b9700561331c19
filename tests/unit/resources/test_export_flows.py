"""The flows around exports stepped by hand: when they are asked for, and what their answers lead to."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.unit.resources.history_server import RunOnServer, on_the_wire, planned
from tests.unit.transport.stepping import answered, sent, served

from runql.frames.to_polars import to_polars
from runql.paths import RunAddress
from runql.resources.history.exports import files as export_files
from runql.resources.history.exports import parts as export_parts
from runql.resources.history.exports.listing import ExportListing, list_exports
from runql.resources.history.exports.rows import ExportRows
from runql.resources.history.plan import HistoryHints, ScanPlan
from runql.resources.history.sampled import Row
from runql.resources.history.scan import read_live_rows, scan_table
from runql.transport.byte_ranges import ByteRange
from runql.transport.flow import Download, Effect, Offload
from runql.transport.sample_limits import SampleLimits
from runql.transport.wire import Response

ROWS: list[Row] = [{"_step": step, "loss": step / 2} for step in range(40)]
HINTS = HistoryHints(39, 40)


def parquet(steps: Sequence[int]) -> bytes:
    out = io.BytesIO()
    table = pa.table({"_step": pa.array(list(steps)), "loss": pa.array([step / 2 for step in steps])})
    with pq.ParquetWriter(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


class ExportingServer:
    """A run on a server that also lists its files.

    Attributes:
        run: what GraphQL returns.
        files: by URL, what storage holds.
        live: the steps that are in no file.
        asked: of each request, whether exports were asked for; files by their URL.
        sizes: bytes of each answer of the storage.
        replaced: by URL, what storage holds from the second request for the file on.
    """

    def __init__(self, files: dict[str, Sequence[int]], live: Sequence[int] = (), **of_run: object) -> None:
        self.run = RunOnServer(ROWS)
        self.files = {url: parquet(steps) for url, steps in files.items()}
        self.live = live
        self.count: object = of_run.get("count", len(ROWS))
        self.broken_at = of_run.get("broken_at")
        self.asked: list[bool | str] = []
        self.sizes: list[int] = []
        self.replaced: dict[str, bytes] = {}

    def stored(self, url: str, part: ByteRange | None) -> Response:
        content = self.files[url]
        self.files[url] = self.replaced.get(url, content)
        if part is None:
            return Response(200, content)
        start = max(0, len(content) + part.start) if part.start < 0 else part.start
        stop = len(content) if part.stop is None else min(part.stop, len(content))
        span = f"bytes {start}-{stop - 1}/{len(content)}"
        self.sizes.append(stop - start)
        etag = str(hash(content))
        return Response(206, content[start:stop], {"content-range": span, "etag": etag})

    def answer(self, effect: Effect) -> Response | None:
        if isinstance(effect, Offload):
            effect.work()
            return None
        if isinstance(effect, Download):
            self.asked.append(effect.url)
            if effect.url == self.broken_at and self.asked.count(effect.url) > 1:
                return Response(404, b"<Error/>")
            return self.stored(effect.url, effect.part)
        wants = on_the_wire(sent(effect))["withExports"]
        self.asked.append(wants)
        data = json.loads(self.run.answer(effect).content)["data"]
        data["project"]["run"]["historyLineCount"] = self.count
        if wants:
            live = [{"_step": step} for step in self.live]
            data["project"]["run"]["parquetHistory"] = {"parquetUrls": [*self.files], "liveData": live}
        return answered(data)


def steps_of(server: ExportingServer, plan: ScanPlan, hints: HistoryHints = HINTS) -> list[int]:
    return to_polars(served(scan_table(plan, hints, SampleLimits()), server.answer))["_step"].to_list()


def test_exports_are_asked_for_with_the_first_of_several_windows() -> None:
    server = ExportingServer({"/a": range(25), "/b": range(25, 40)})
    assert steps_of(server, planned()) == [*range(40)]
    assert server.asked == [True, "/a", "/b"]


@pytest.mark.parametrize(
    ("plan", "hints"),
    [
        (planned(page_size=40), HINTS),
        (planned(min_step=5, max_step=15), HINTS),
        (planned(), HistoryHints(39, 10)),
    ],
    ids=["all in one", "bounded", "few rows"],
)
def test_one_window_asks_for_none(plan: ScanPlan, hints: HistoryHints) -> None:
    server = ExportingServer({"/a": range(40)})
    steps_of(server, plan, hints)
    assert server.asked[0] is False


def test_without_exports_no_request_is_added() -> None:
    server = ExportingServer({}, live=range(40))
    assert steps_of(server, planned()) == [*range(40)]
    assert server.asked.count(True) == 1
    assert len(server.asked) <= 5


def test_an_old_server_that_knows_none_is_asked_without() -> None:
    server = RunOnServer(ROWS)
    refused: list[Effect] = []

    def answer(effect: Effect) -> Response:
        if on_the_wire(sent(effect))["withExports"]:
            refused.append(effect)
            return answered(None, errors=[{"message": 'Cannot query field "parquetHistory" on type "Run".'}])
        return server.answer(effect)

    found = to_polars(served(scan_table(planned(), HINTS, SampleLimits()), answer))
    assert found["_step"].to_list() == [*range(40)]
    assert len(refused) == 1


@pytest.mark.parametrize("match", ["all", "any"])
def test_files_that_overlap_give_each_step_once(match: str) -> None:
    server = ExportingServer({"/a": range(30), "/b": range(10, 40)})
    assert steps_of(server, planned()) == [*range(40)]
    assert steps_of(server, planned(keys=["loss"], match=match)) == [*range(40)]
    assert server.asked == [True, "/a", "/b"] * 2


def test_live_rows_come_from_graphql() -> None:
    server = ExportingServer({"/a": range(30)}, live=range(30, 40))
    assert steps_of(server, planned()) == [*range(40)]
    assert server.asked[:2] == [True, "/a"]
    assert server.asked[2:] == [False] * len(server.asked[2:])
    assert 1 <= len(server.asked[2:]) <= 2


def test_live_rows_beyond_the_bounds_are_not_asked_for() -> None:
    server = ExportingServer({"/a": range(30)}, live=range(30, 40))
    assert steps_of(server, planned(max_step=25)) == [*range(25)]
    assert server.asked == [True, "/a"]


@pytest.mark.parametrize(
    ("files", "live", "count"),
    [
        ({"/a": range(35)}, (), 40),
        ({"/a": range(20), "/b": range(30, 40)}, (), 40),
        ({"/a": [*range(40), 39]}, (), 41),
        ({"/a": range(40)}, [5], 41),
        ({"/a": range(40), "/b": range(40)}, (), 41),
        ({"/a": range(30), "/b": range(20, 40)}, (), None),
    ],
    ids=[
        *("rows missing", "a file missing", "a step twice", "a live step is exported too"),
        *("unlike overlap", "overlap without a count"),
    ],
)
def test_files_that_do_not_add_up_are_left_alone(
    files: dict[str, Sequence[int]], live: Sequence[int], count: int | None
) -> None:
    server = ExportingServer(files, live, count=count)
    found = steps_of(server, planned(), HistoryHints(39, count))
    assert sorted(set(found)) == [*range(40)]
    assert server.asked[-1] is False or server.asked == [True, "/a"]


def iterated(server: ExportingServer, plan: ScanPlan) -> tuple[list[int], ScanPlan | None]:
    """The steps that come from exports, and what is left to be read."""
    listing = ExportListing(tuple(server.files), [{"_step": step} for step in server.live], len(ROWS))
    exports = ExportRows(plan, listing, partial(read_live_rows, HINTS, SampleLimits()))
    steps: list[int] = []
    while (some := served(exports.next_rows(), server.answer)) is not None:
        for part in some:
            for each in part:
                step = each["_step"]
                assert isinstance(step, int)
                steps.append(step)
    return steps, exports.plan


def test_files_are_read_one_row_group_after_the_other() -> None:
    server = ExportingServer({"/late": range(25, 40), "/early": range(25)})
    assert iterated(server, planned()) == ([*range(40)], None)
    assert server.asked == ["/late", "/early"], "each file's end holds all of it"


def test_live_rows_behind_the_files_are_left_to_windows() -> None:
    server = ExportingServer({"/a": range(30)}, live=range(30, 40))
    steps, left = iterated(server, planned())
    assert steps == [*range(30)]
    assert left is not None
    assert (left.min_step, left.max_step) == (30, 40)
    steps, left = iterated(server, planned(max_step=30))
    assert (steps, left) == ([*range(30)], None)


@pytest.mark.parametrize(
    ("files", "live"),
    [
        ({"/a": range(30), "/b": range(20, 40)}, ()),
        ({"/a": range(0, 40, 2), "/b": range(1, 40, 2)}, ()),
        ({"/a": [*range(20), *range(30, 40)]}, range(20, 30)),
    ],
    ids=["overlap", "interleaved", "live rows in between"],
)
def test_what_does_not_come_in_order_is_read_as_a_whole(
    files: dict[str, Sequence[int]], live: Sequence[int]
) -> None:
    assert iterated(ExportingServer(files, live), planned()) == ([*range(40)], None)


def with_text(steps: Sequence[int], rows_per_group: int | None = None) -> bytes:
    """An export whose rows take 160 kB each."""
    text = pa.array([f"{step:08}" * 20_000 + "x" * step for step in steps])
    out = io.BytesIO()
    loss = pa.array([step / 2 for step in steps])
    table = pa.table({"_step": pa.array(list(steps)), "text": text, "loss": loss})
    with pq.ParquetWriter(out, table.schema, compression="none", use_dictionary=False) as writer:
        writer.write_table(table, row_group_size=rows_per_group)
    return out.getvalue()


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> int:
    """The most bytes of files that are fetched before they are read."""
    most = 1_000_000
    monkeypatch.setattr(export_files, "MOST_BYTES_IN_MEMORY", most)
    monkeypatch.setattr(export_parts, "MOST_BYTES_IN_MEMORY", most)
    return most


ALL, SOME = planned(), planned(min_step=12, max_step=33)


@pytest.mark.parametrize(
    ("plan", "requests"),
    [
        # Its beginning, its end, and each of the row groups.
        (ALL, 1 + 1 + 5),
        (SOME, 1 + 1 + 3),
        # Its end, and each of the row groups; what lies between small columns is fetched along with them.
        (replace(ALL, keys=("text",)), 1 + 5),
        (replace(SOME, keys=("text",)), 1 + 3),
        (replace(ALL, keys=("loss",)), 1 + 5),
        (replace(SOME, keys=("loss",)), 1 + 3),
    ],
)
def test_large_files_are_read_portion_by_portion(plan: ScanPlan, requests: int, little_memory: int) -> None:
    server = ExportingServer({"/a": range(25), "/small": range(25, 40)})
    server.files["/a"] = with_text(range(25), rows_per_group=5)
    server.files["/small"] = with_text(range(25, 26), rows_per_group=5)
    server.count = 26
    found = to_polars(served(scan_table(plan, HINTS, SampleLimits()), server.answer))
    assert found["_step"].to_list() == [*range(26)][plan.min_step : plan.max_step]
    if "text" in found.columns:
        assert all(len(text) == 160_000 + step for step, text in found.select("_step", "text").iter_rows())
    assert max(server.sizes) <= little_memory
    assert server.asked.count("/a") == requests


def test_large_files_that_overlap_give_each_step_once(little_memory: int) -> None:
    server = ExportingServer({"/a": range(25), "/b": range(5, 40)})
    server.files = {
        "/a": with_text(range(25), rows_per_group=5),
        "/b": with_text(range(5, 40), rows_per_group=5),
    }
    assert steps_of(server, planned()) == [*range(40)]
    assert steps_of(server, planned(min_step=3, max_step=30)) == [*range(3, 30)]
    assert max(server.sizes) <= little_memory


def test_a_beginning_of_another_file_is_not_mixed_with_the_rest(little_memory: int) -> None:
    server = ExportingServer({"/a": range(40)})
    server.files["/a"] = with_text(range(40), rows_per_group=5)
    server.replaced = {"/a": with_text(range(1, 41), rows_per_group=5)}
    found = to_polars(served(scan_table(planned(), HINTS, SampleLimits()), server.answer))
    assert found["_step"].to_list() == [*range(1, 41)], "the file that is there now"
    assert all(len(text) == 160_000 + step for step, text in found.select("_step", "text").iter_rows())


def test_rows_behind_a_file_that_breaks_are_left_to_windows() -> None:
    # The second file is larger than what is fetched of its end, and not there any more when the rest is due.
    steps = [*range(20, 40)]
    server = ExportingServer({"/a": range(20), "/b": steps}, broken_at="/b")
    server.files["/b"] = with_text(steps)
    found, left = iterated(server, planned())
    assert left is not None
    assert found == [*range(left.min_step)], "what was given, and what is left, is the history"
    assert left.min_step <= 20


def test_files_without_a_count_are_read_when_each_step_is_there_once() -> None:
    server = ExportingServer({"/a": range(25), "/b": range(25, 40)}, count=None)
    assert steps_of(server, planned(), HistoryHints(39, None)) == [*range(40)]
    assert server.asked == [True, "/a", "/b"]


def test_a_row_without_a_step_leaves_exports_alone() -> None:
    exports: dict[str, object] = {"parquetUrls": ["/a"], "liveData": [dict[str, object]()]}
    data = {"project": {"run": {"historyLineCount": 1, "parquetHistory": exports}}}
    assert served(list_exports(RunAddress("e", "p", "r")), lambda _effect: answered(data)) is None


def test_a_listing_tells_steps_in_order() -> None:
    live = [{"_step": 7.0}, {"_step": 3}]
    exports = {"parquetUrls": ["/a"], "liveData": live}
    data: object = {
        "project": {"run": {"historyLineCount": 9, "historyKeys": {"keys": {}}, "parquetHistory": exports}}
    }
    found = served(list_exports(RunAddress("e", "p", "r"), with_keys=True), lambda _effect: answered(data))
    assert found == ExportListing(("/a",), b'[{"_step":7.0},{"_step":3}]', 9, {"keys": {}})
    assert found is not None
    assert (found.live_count, found.live_steps) == (2, [3, 7])


@pytest.mark.parametrize("keys", [None, ["text"]])
def test_many_small_files_are_a_request_each_and_large_ones_are_not_kept(
    keys: list[str] | None, little_memory: int
) -> None:
    """Each of eight files that are fetched at once may have an eighth of the memory; of the ninth no beginning is kept."""
    server = ExportingServer({f"/{step}": range(1) for step in range(20)})
    server.files = {f"/large{step}": with_text([step]) for step in range(20, 40)}
    server.files |= {f"/{step}": parquet([step]) for step in range(20)}
    plan = planned(keys=keys)
    found = to_polars(served(scan_table(plan, HINTS, SampleLimits()), server.answer))
    assert found["_step"].to_list() == [*range(0 if keys is None else 20, 40)]
    assert found["text"].drop_nulls().str.len_bytes().to_list() == [160_000 + step for step in range(20, 40)]
    assert all(server.asked.count(f"/{step}") == 1 for step in range(20))
    counts = [server.asked.count(f"/large{step}") for step in range(20, 40)]
    assert counts == ([2] * 8 + [3] * 12 if keys is None else [2] * 20)
