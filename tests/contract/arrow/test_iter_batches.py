"""`iter_batches` of scans and lists: one schema from the first batch to the last, and the values of the whole table."""

from __future__ import annotations

import pyarrow as pa
import pytest
from tests.contract.arrow.seeding import PAGE, ROWS, WIDENS_AT, seed
from tests.contract.both_clients import Face
from tests.contract.untyped import Untyped, taken

from runql import FrameValueError, JSONValue, MissingExtraError
from runql.frames import extras
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

KEYS = ["loss", "ok"]
TYPES = {"loss": float, "ok": bool}


@pytest.fixture
def seeded(server: RunningServer, project: str) -> RunningServer:
    seed(server, project)
    return server


@pytest.fixture
def runs(face: Face, seeded: RunningServer, project: str) -> Untyped:
    server = seeded
    return face.runs(face.client(server.url, server.api_key), server.entity, project, per_page=2)


@pytest.fixture
def run(face: Face, seeded: RunningServer, project: str) -> Untyped:
    server = seeded
    api = face.api(server.url, server.api_key)
    found = taken(face, api.run(f"{server.entity}/{project}/r1"))
    server.clear()
    return found


def not_installed(_name: str) -> None:
    """`find_spec` where no library is installed."""


def items(face: Face, many: Untyped, limit: int | None = None) -> list[pa.RecordBatch]:
    """The batches, or the first ones."""
    found: Untyped = many
    batches: Untyped = face.items
    return list(batches(found, limit))


def together(batches: list[pa.RecordBatch]) -> pa.Table:
    """The rows of batches, which must all have one schema."""
    assert len(batches) > 1
    assert all(batch.schema.equals(batches[0].schema) for batch in batches)
    return pa.Table.from_batches(batches)


@pytest.mark.parametrize("keys", [None, KEYS], ids=["whole", "keys"])
def test_batches_of_one_run_are_its_table(face: Face, run: Untyped, keys: list[str] | None) -> None:
    scan = run.scan_history(keys, page_size=PAGE)
    assert together(items(face, scan.iter_batches())).equals(taken(face, scan.to_arrow()))


@pytest.mark.parametrize("keys", [None, KEYS], ids=["whole", "keys"])
def test_batches_of_many_runs_are_their_table(face: Face, runs: Untyped, keys: list[str] | None) -> None:
    scan = runs.scan_histories(keys, page_size=PAGE, format="arrow")
    assert together(items(face, scan.iter_batches())).equals(taken(face, scan.collect()))


def test_the_format_and_its_schema_change_no_type(face: Face, runs: Untyped) -> None:
    scan = runs.scan_histories(KEYS, page_size=PAGE, format="pandas", schema={"loss": "float32"})
    found = together(items(face, scan.iter_batches(schema={"ok": str})))
    assert dict(zip(found.schema.names, found.schema.types, strict=True)) == {
        "run_id": pa.string(),
        "_step": pa.int64(),
        "loss": pa.float32(),
        "ok": pa.string(),
    }


def test_a_schema_of_all_keys_passes_rows_on(face: Face, runs: Untyped, server: RunningServer) -> None:
    scan = runs.scan_histories(KEYS, page_size=PAGE, max_concurrency=2, format="arrow")
    whole = taken(face, scan.collect())
    server.clear()
    first = items(face, scan.iter_batches(schema=TYPES), 1)[0]
    # The page, and the windows of its first run that are not in it, two at a time.
    assert len(server.requests) == 2
    server.clear()
    found = together(items(face, scan.iter_batches(schema=TYPES)))
    assert found.equals(whole)
    asked = len(server.requests)
    server.clear()
    assert together(items(face, scan.iter_batches())).equals(whole)
    assert len(server.requests) == asked
    assert first.schema.equals(found.schema)


def test_types_of_the_first_rows_are_kept_or_refused(face: Face, runs: Untyped, run: Untyped) -> None:
    for scan, name in (
        (runs.scan_histories(["loss"], page_size=PAGE, max_concurrency=1), "r0"),
        (run.scan_history(["loss"], page_size=PAGE), "/".join(run.path)),
    ):
        with pytest.raises(
            FrameValueError, match=r"first rows make of type int64: name it in schema"
        ) as caught:
            items(face, scan.iter_batches(infer="first"))
        assert (caught.value.run, caught.value.column) == (name, "loss")
        assert caught.value.value == WIDENS_AT + 0.5
    scan = run.scan_history(["loss", "ok"], page_size=PAGE)
    found = together(items(face, scan.iter_batches(schema={"loss": float}, infer="first")))
    assert found.equals(taken(face, scan.to_arrow()))


def test_a_column_that_comes_later_is_refused(face: Face, run: Untyped) -> None:
    scan = run.scan_history(page_size=PAGE)
    with pytest.raises(FrameValueError, match="a column that they do not have") as caught:
        items(face, scan.iter_batches(schema={"loss": float}, infer="first"))
    assert (caught.value.column, caught.value.value) == ("late", [1.5, None])


@pytest.mark.parametrize(
    ("first", "later"),
    [
        (1, 0.5),
        (0.5, "x"),
        ("x", None),
        (True, 3),
        ({"a": 1}, {"a": 1, "b": 2}),
        ([1], [0.5]),
        (1, 2**63),
        (None, 1),
    ],
)
def test_what_widens(
    first: JSONValue, later: JSONValue, face: Face, server: RunningServer, project: str
) -> None:
    """The types of the first rows are refused where those of all rows are others, and only there."""
    history: list[dict[str, JSONValue]] = [{"_step": 0, "v": first}, {"_step": 1, "v": later}]
    server.seed(project, [SeedRun(name="r", history=history)])
    api = face.api(server.url, server.api_key)
    scan: Untyped = taken(face, api.run(f"{server.entity}/{project}/r")).scan_history(page_size=1)
    whole = taken(face, scan.to_arrow())
    if later is None:
        assert together(items(face, scan.iter_batches(infer="first"))).equals(whole)
        return
    with pytest.raises(FrameValueError):
        items(face, scan.iter_batches(infer="first"))
    assert together(items(face, scan.iter_batches())).equals(whole)


def test_runs_are_rows(face: Face, runs: Untyped, server: RunningServer) -> None:
    batches = items(face, runs.iter_batches())
    assert pa.Table.from_batches(batches).equals(taken(face, runs.to_arrow()))
    assert len(server.requests) == 2


def test_runs_of_known_columns_come_page_by_page(face: Face, runs: Untyped, server: RunningServer) -> None:
    columns = ["id", "config.lr", "tags"]
    first = items(face, runs.iter_batches(columns=columns, schema={"config.lr": float}), 1)[0]
    assert (first.num_rows, len(server.requests)) == (2, 1)
    found = together(items(face, runs.iter_batches(columns=columns, schema={"config.lr": float})))
    assert found.equals(taken(face, runs.to_arrow(columns=columns)))
    assert found.column("config.lr").to_pylist() == [1.0, 0.5, 0.5, 0.5]
    assert len(server.requests) == 2


def test_without_rows_there_are_the_columns(face: Face, server: RunningServer, project: str) -> None:
    server.seed(project, [SeedRun(name="r", history=[])])
    api = face.api(server.url, server.api_key)
    runs: Untyped = taken(face, api.runs(f"{server.entity}/{project}"))
    run: Untyped = taken(face, api.run(f"{server.entity}/{project}/r"))
    for scan in (runs.scan_histories(KEYS), run.scan_history(KEYS)):
        for given in ({}, {"infer": "first"}, {"schema": TYPES}):
            assert items(face, scan.iter_batches(**given)) == []


def test_arguments_are_refused_before_anything_is_sent(
    face: Face, runs: Untyped, server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = runs.scan_histories(KEYS)
    with pytest.raises(ValueError, match="'all' or 'first'"):
        scan.iter_batches(infer="some")
    with pytest.raises(ValueError, match="no column of this frame"):
        scan.iter_batches(schema={"acc": float})
    with pytest.raises(TypeError, match="use bool, int"):
        scan.iter_batches(schema={"loss": object()})
    with pytest.raises(ValueError, match="pivoted"):
        runs.scan_histories(KEYS, pivot=True).iter_batches()
    with pytest.raises(ValueError, match="no column of runs"):
        runs.iter_batches(columns=["nothing"])
    monkeypatch.setattr(extras, "find_spec", not_installed)
    with pytest.raises(MissingExtraError, match="iter_batches"):
        scan.iter_batches()
    with pytest.raises(MissingExtraError, match="iter_batches"):
        runs.iter_batches()
    assert server.requests == []


def test_rows_that_are_kept_count_once(face: Face, runs: Untyped) -> None:
    batches = items(face, runs.scan_histories(page_size=PAGE).iter_batches())
    assert sum(batch.num_rows for batch in batches) == 4 * ROWS
