"""Scans of exported runs: the same rows as from GraphQL in a few requests, whatever is wrong with the files."""

from __future__ import annotations

import json
import math
import random
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict

import httpx
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.contract.both_clients import AnyApi, AnyRun, Face, Row
from tests.contract.export_storage import Rewrite, StorageTransport, pass_on

from runql.resources.history.exports import parts
from runql.resources.history.exports.rows import PORTION
from runql.resources.history.plan import Match
from runql_server.exports.policy import ExportPolicy
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

COUNT = 300


def row(step: int) -> Row:
    values: Row = {
        "_step": step,
        "loss": math.nan if step % 50 == 9 else 1 / (step + 1),
        "nested": {"a": {"b": step}},
        "dotted.name": step,
        "mixed": step if step % 3 else "text",
        "only.null": None,
    }
    return values | ({"rare": step % 2 == 0} if step % 7 == 0 else {})


ROWS = [row(step) for step in range(COUNT)]


@pytest.fixture(autouse=True, params=[True, False], ids=["pyarrow is loaded", "it is not"])
def arrow_is_loaded(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """By this, polars or pyarrow reads the parts of files."""
    monkeypatch.setattr(parts, "arrow_is_loaded", lambda: bool(request.param))


@pytest.fixture(scope="module")
def exporting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with one run in one export, one run in three, and a large one."""
    policy = ExportPolicy(above_rows=0, rows_per_file=20_000, rows_per_group=100)
    with RunningServer(tmp_path_factory.mktemp("exporting"), export_policy=policy) as server:
        server.seed("p", [SeedRun(name="one", history=ROWS)])
        yield server


@pytest.fixture(scope="module")
def large() -> Iterator[RunningServer]:
    """A server with a run of many keys."""
    with seeded("large", keys=80, rows_per_group=4_000) as server:
        yield server


@pytest.fixture(scope="module")
def long() -> Iterator[RunningServer]:
    """A server with a run that comes in portions."""
    with seeded("long", keys=100, rows_per_group=2_000) as server:
        yield server


@contextmanager
def seeded(name: str, *, keys: int, rows_per_group: int) -> Generator[RunningServer]:
    chance = random.Random(name)
    names = [f"k{key}" for key in range(keys)]
    history = ({"_step": step, **{key: chance.random() for key in names}} for step in range(12_000))
    with RunningServer(export_policy=ExportPolicy(above_rows=0, rows_per_group=rows_per_group)) as server:
        server.seed("p", [SeedRun(name=name, history=history)])
        yield server


@pytest.fixture
def resumed(tmp_path: Path) -> Iterator[RunningServer]:
    """A server with a run that was exported in three files, and then logged on."""
    policy = ExportPolicy(above_rows=0, rows_per_file=100, rows_per_group=30)
    with RunningServer(tmp_path / "resumed", export_policy=policy) as server:
        server.seed("p", [SeedRun(name="one", history=ROWS[:250])])
        # Whoever asks first has them written.
        auth = ("api", server.api_key)
        query = '{ project(name: "p") { run(name: "one") { parquetHistory(liveKeys: []) { parquetUrls } } } }'
        httpx.post(f"{server.url}/graphql", json={"query": query}, auth=auth, trust_env=False)
        chunk = {"offset": 250, "content": [json.dumps(each) for each in ROWS[250:]]}
        body = {"files": {"wandb-history.jsonl": chunk}}
        httpx.post(f"{server.url}/files/local/p/one/file_stream", json=body, auth=auth, trust_env=False)
        server.clear()
        yield server


def opened(face: Face, server: RunningServer, storage: StorageTransport, name: str = "one") -> AnyRun:
    api: AnyApi = face.api(server.url, server.api_key, transport=storage)
    run = face.take(api.run(f"{server.entity}/p/{name}"))
    storage.asked.clear()
    storage.sent.clear()
    return run


class Wish(TypedDict, total=False):
    """What a scan is asked for."""

    keys: list[str]
    match: Match
    min_step: int
    max_step: int


WISHES: list[Wish] = [
    {},
    {"keys": ["loss"]},
    {"keys": ["loss", "rare"]},
    {"keys": ["rare", "mixed"], "match": "any"},
    {"keys": ["nested.a.b", "dotted.name"]},
    {"keys": ["nested"], "min_step": 40, "max_step": 260},
    {"min_step": 120, "max_step": 251},
    {"keys": ["never"]},
]


def scanned(face: Face, run: AnyRun, wish: Wish, page_size: int) -> pl.DataFrame:
    return face.take(run.scan_history(page_size=page_size, **wish).to_polars())


def iterated(face: Face, run: AnyRun, wish: Wish, page_size: int) -> list[Row]:
    return face.items(run.scan_history(page_size=page_size, **wish))


def without_nulls(rows: list[Row]) -> str:
    """Rows in a form that compares NaN; a metric that was logged as null is the same as a missing one."""
    return repr([{key: value for key, value in each.items() if value is not None} for each in rows])


@pytest.mark.parametrize("wish", WISHES, ids=str)
def test_exports_give_what_pages_give(wish: Wish, exporting: RunningServer, face: Face) -> None:
    storage = StorageTransport()
    run = opened(face, exporting, storage)
    found = scanned(face, run, wish, 10)
    assert "GET" in storage.asked
    rows = iterated(face, run, wish, 10)
    storage.asked.clear()
    assert_frame_equal(found, scanned(face, run, wish, COUNT), check_exact=True)
    assert without_nulls(rows) == without_nulls(iterated(face, run, wish, COUNT))
    assert storage.asked == ["ScanHistory", "ScanHistory"], "one window is enough, exports are not asked for"


@pytest.mark.parametrize("wish", WISHES, ids=str)
def test_exports_and_live_rows_give_what_pages_give(wish: Wish, resumed: RunningServer, face: Face) -> None:
    storage = StorageTransport()
    run = opened(face, resumed, storage)
    found = scanned(face, run, wish, 20)
    assert "GET" in storage.asked
    assert_frame_equal(found, scanned(face, run, wish, COUNT), check_exact=True)
    assert without_nulls(iterated(face, run, wish, 20)) == without_nulls(iterated(face, run, wish, COUNT))


def test_whole_rows_are_two_requests(exporting: RunningServer, face: Face) -> None:
    storage = StorageTransport()
    run = opened(face, exporting, storage)
    assert scanned(face, run, {}, 10).height == COUNT
    assert storage.asked == ["ScanHistory", "GET"]
    storage.asked.clear()
    assert len(iterated(face, run, {}, 10)) == COUNT
    assert storage.asked == ["ScanHistory", "GET"]


def test_the_first_rows_cost_one_request(exporting: RunningServer, face: Face) -> None:
    storage = StorageTransport()
    run = opened(face, exporting, storage)
    assert face.items(run.scan_history(page_size=10), 9) == ROWS[:9]
    assert storage.asked == ["ScanHistory"]


def test_keys_of_a_large_export_are_a_small_part_of_it(large: RunningServer, face: Face) -> None:
    storage = StorageTransport()
    run = opened(face, large, storage, "large")
    found = scanned(face, run, {"keys": ["k0", "k2"]}, 1_000)
    assert found.height == 12_000
    assert storage.asked.count("GET") <= 4
    (whole,) = [path for path in large.store.blobs.rglob("*") if path.is_file()]
    assert storage.received < whole.stat().st_size / 4
    assert {sent.headers.get("accept-encoding") for sent in storage.sent if sent.method == "GET"} == {
        "identity"
    }
    storage.asked.clear()
    storage.received = 0
    window: Wish = {"keys": ["k0"], "min_step": 8_500, "max_step": 11_000}
    assert scanned(face, run, window, 1_000)["_step"].to_list() == list(range(8_500, 11_000))
    assert storage.asked == ["ScanHistory", "GET", "GET"], "the row group and the end of the file"


def test_rows_of_a_long_run_are_fetched_in_portions(long: RunningServer, face: Face) -> None:
    sizes: list[int] = []
    addresses: list[str] = []

    def expire_in_between(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        if len(sizes) == 2 and not addresses:
            addresses.append(str(request.url))
            return httpx.Response(403, text="<Error/>")
        sizes.append(len(answer.content))
        return answer

    storage = StorageTransport(expire_in_between)
    run = opened(face, long, storage, "long")
    found = face.items(run.scan_history(page_size=100))
    assert [each["_step"] for each in found] == [*range(12_000)]
    assert addresses, "an address expired while the rows were read, and was asked for anew"
    (whole,) = [path for path in long.store.blobs.rglob("*") if path.is_file()]
    assert whole.stat().st_size > 2 * PORTION
    assert max(sizes) <= PORTION
    assert storage.asked.count("GET") <= 8
    assert storage.asked.count("ScanHistory") == 2


def html(_request: httpx.Request, _answer: httpx.Response) -> httpx.Response:
    return httpx.Response(200, text="<html>log in first</html>")


def cut(_request: httpx.Request, answer: httpx.Response) -> httpx.Response:
    return httpx.Response(
        answer.status_code, headers=answer.headers, content=answer.content[: len(answer.content) // 2]
    )


def damaged(_request: httpx.Request, answer: httpx.Response) -> httpx.Response:
    middle = len(answer.content) // 2
    content = b"\xff" * middle + answer.content[middle:]
    return httpx.Response(answer.status_code, headers=answer.headers, content=content)


def refused(status: int) -> Rewrite:
    return lambda _request, _answer: httpx.Response(status, text="<Error/>")


@pytest.mark.parametrize("keys", [None, ["loss"]], ids=["whole", "keys"])
@pytest.mark.parametrize(
    "rewrite",
    [html, cut, damaged, refused(400), refused(403), refused(404), refused(416)],
    ids=["html", "cut", "damaged", "400", "403", "404", "416"],
)
def test_whatever_is_wrong_with_a_file_the_rows_come_from_graphql(
    rewrite: Rewrite, keys: list[str] | None, exporting: RunningServer, face: Face
) -> None:
    storage = StorageTransport(rewrite)
    run = opened(face, exporting, storage)
    found = face.take(run.scan_history(keys, 100).to_polars())
    assert "GET" in storage.asked
    assert_frame_equal(found, face.take(run.scan_history(keys, COUNT).to_polars()), check_exact=True)
    assert len(face.items(run.scan_history(keys, 100))) == COUNT


@pytest.mark.parametrize("status", [400, 403])
def test_an_address_that_has_expired_is_asked_for_anew(
    status: int, exporting: RunningServer, face: Face
) -> None:
    expired: list[str] = []

    def expire_once(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
        expired.append(str(request.url))
        return answer if len(expired) > 1 else httpx.Response(status, text="<Error/>")

    storage = StorageTransport(expire_once)
    run = opened(face, exporting, storage)
    assert scanned(face, run, {}, 10).height == COUNT
    assert storage.asked == ["ScanHistory", "GET", "ScanHistory", "GET"]


def test_a_storage_that_knows_no_ranges_gives_whole_files(exporting: RunningServer, face: Face) -> None:
    whole = httpx.Response(200)

    def ignore(request: httpx.Request, _answer: httpx.Response) -> httpx.Response:
        nonlocal whole
        whole = httpx.get(request.url, trust_env=False)
        return httpx.Response(200, content=whole.content)

    storage = StorageTransport(ignore)
    run = opened(face, exporting, storage)
    assert scanned(face, run, {"keys": ["loss"]}, 10).height == COUNT
    assert storage.asked == ["ScanHistory", "GET"]


def ranged(request: httpx.Request, start: int, stop: int) -> httpx.Response:
    """These bytes of a file, from the storage."""
    found = httpx.get(request.url, headers={"range": f"bytes={start}-{stop - 1}"}, trust_env=False)
    headers = {name: found.headers[name] for name in ("content-range", "etag")}
    return httpx.Response(206, content=found.content, headers=headers)


def ignores_suffixes(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
    """Azure: a range from the end is ignored."""
    if not request.headers.get("range", "").startswith("bytes=-"):
        return answer
    return httpx.Response(200, content=httpx.get(request.url, trust_env=False).content)


def sends_all_as_a_part(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
    if "range" not in request.headers:
        return answer
    content = httpx.get(request.url, trust_env=False).content
    headers = {"content-range": f"bytes 0-{len(content) - 1}/{len(content)}"}
    return httpx.Response(206, content=content, headers=headers)


def sends_the_start(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
    """Another part: the first bytes in place of the last ones."""
    return ranged(request, 0, 1000) if request.headers.get("range", "").startswith("bytes=-") else answer


def sends_other_parts(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
    """The last bytes are right; in place of others come the first ones."""
    asked = request.headers.get("range", "bytes=-")
    return answer if asked.startswith("bytes=-") else ranged(request, 0, 1000)


def refuses_ranges(request: httpx.Request, answer: httpx.Response) -> httpx.Response:
    return httpx.Response(416) if "range" in request.headers else answer


@pytest.mark.parametrize(
    ("rewrite", "gets"),
    [
        (ignores_suffixes, 1),
        (sends_all_as_a_part, 1),
        (sends_the_start, 2),
        (refuses_ranges, 2),
        (sends_other_parts, None),
    ],
)
def test_a_storage_that_sends_other_parts_costs_one_more_request(
    rewrite: Rewrite, gets: int | None, large: RunningServer, face: Face
) -> None:
    storage = StorageTransport(rewrite)
    run = opened(face, large, storage, "large")
    keys = ["k7", "k71"]
    frame = face.take(run.scan_history(keys).to_polars())
    assert storage.asked.count("ScanHistory") == 1
    found = storage.asked.count("GET")
    if gets is None:
        # The tail, the parts that are under way in vain (two keys of three row groups), and the whole file.
        assert 3 <= found <= 8
        assert sum("range" not in sent.headers for sent in storage.sent if sent.method == "GET") == 1
    else:
        assert found == gets
    plain = StorageTransport()
    expected = face.take(opened(face, large, plain, "large").scan_history(keys).to_polars())
    assert_frame_equal(frame, expected, check_exact=True)


@pytest.mark.parametrize(("rewrite", "gets"), [(sends_all_as_a_part, 1), (refuses_ranges, 2)])
def test_whole_rows_of_a_storage_without_ranges_are_fetched_once(
    rewrite: Rewrite, gets: int, large: RunningServer, face: Face
) -> None:
    storage = StorageTransport(rewrite)
    frame = face.take(opened(face, large, storage, "large").scan_history().to_polars())
    assert (frame.height, storage.asked.count("ScanHistory"), storage.asked.count("GET")) == (12_000, 1, gets)


def test_without_pyarrow_files_are_fetched_whole(
    exporting: RunningServer, face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = StorageTransport()
    run = opened(face, exporting, storage)
    expected = scanned(face, run, {"keys": ["loss"]}, 10)
    storage.sent.clear()
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert_frame_equal(scanned(face, run, {"keys": ["loss"]}, 10), expected, check_exact=True)
    assert len(iterated(face, run, {}, 10)) == COUNT
    assert not any("range" in sent.headers for sent in storage.sent)
    assert storage.asked.count("GET") == 3


def test_without_polars_exports_are_not_asked_for(
    exporting: RunningServer, face: Face, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = StorageTransport()
    run = opened(face, exporting, storage)
    monkeypatch.setitem(sys.modules, "polars", None)
    assert len(iterated(face, run, {"keys": ["loss"]}, 100)) == COUNT
    assert set(storage.asked) == {"ScanHistory"}
    asked = [json.loads(sent.content)["variables"]["withExports"] for sent in storage.sent]
    assert not any(asked)


def test_a_storage_elsewhere_never_sees_the_key(exporting: RunningServer, face: Face) -> None:
    storage = StorageTransport(pass_on, host="localhost")
    run = opened(face, exporting, storage)
    assert scanned(face, run, {}, 10).height == COUNT
    assert scanned(face, run, {"keys": ["loss"]}, 10).height == COUNT
    elsewhere = [sent for sent in storage.sent if sent.url.host == "localhost"]
    assert len(elsewhere) == storage.asked.count("GET") == 2
    assert not any("authorization" in sent.headers for sent in elsewhere)
    assert all("authorization" in sent.headers for sent in storage.sent if sent not in elsewhere)
