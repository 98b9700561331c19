"""A `wandb.Table` as rows and as a frame: of an artifact and of a run, on both faces, and what is no whole table."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.contract.both_clients import Face
from tests.contract.untyped import Untyped, listed, taken

from runql import EntryNotFoundError, JSONValue, LoggedTable, UnreadableTableError
from runql_server.running import RunningServer
from runql_server.seed import SeedRun
from runql_server.seed_artifacts import SeedArtifact


def typed(**types: JSONValue) -> JSONValue:
    return {"wb_type": "typedDict", "params": {"type_map": types}}


def optional(kind: str, **params: JSONValue) -> JSONValue:
    allowed: list[JSONValue] = [{"wb_type": "none"}, {"wb_type": kind, "params": params}]
    return {"wb_type": "union", "params": {"allowed_types": allowed}}


def document(columns: list[JSONValue], data: list[JSONValue], **more: JSONValue) -> bytes:
    table: dict[str, JSONValue] = {"_type": "table", "columns": columns, "data": data, "nrows": len(data)}
    return json.dumps(table | more).encode()


def arrays(values: list[list[float]]) -> bytes:
    """A file of numpy's with one array, called ``a``."""
    file = io.BytesIO()
    np.savez(file, a=np.array(values))
    return file.getvalue()


def artifact_of(face: Face, server: RunningServer, project: str, files: Mapping[str, bytes]) -> Untyped:
    server.seed_artifacts(project, [SeedArtifact(name="tables", type="dataset", files=files)])
    api: Untyped = face.api(server.url, server.api_key)
    return taken(face, api.artifact(f"{server.entity}/{project}/tables:v0"))


def get(
    face: Face, server: RunningServer, project: str, files: Mapping[str, bytes], name: str = "t"
) -> LoggedTable:
    table = taken(face, artifact_of(face, server, project, files).get(name))
    assert isinstance(table, LoggedTable)
    return table


def test_a_table_takes_two_requests_beside_the_manifest(
    face: Face, server: RunningServer, project: str
) -> None:
    artifact = artifact_of(face, server, project, {"t.table.json": document(["a"], [[1], [2]])})
    if face.name == "sync":
        assert len(artifact.entries) == 1
    else:
        assert len(taken(face, artifact.entries)) == 1
    server.clear()
    assert taken(face, artifact.get("t")).to_polars()["a"].to_list() == [1, 2]
    assert len(server.requests) == 2
    assert taken(face, artifact.get("t.table.json")).rows() == [{"a": 1}, {"a": 2}]


def test_columns_without_a_value_have_their_type(face: Face, server: RunningServer, project: str) -> None:
    types = typed(
        n=optional("number"),
        s=optional("string"),
        b=optional("boolean"),
        t=optional("timestamp"),
        i=optional("image-file"),
    )
    rows: list[list[JSONValue]] = [[], [[None, None, None, None, None]]]
    for data in rows:
        files = {"t.table.json": document(["n", "s", "b", "t", "i"], data, column_types=types)}
        frame = get(face, server, f"{project}-{len(data)}", files).to_polars()
        expected = [pl.Float64(), pl.String(), pl.Boolean(), pl.Datetime("ms", "UTC"), pl.Null()]
        assert (frame.dtypes, frame.height) == (expected, len(data))


def test_numbers_that_json_cannot_hold(face: Face, server: RunningServer, project: str) -> None:
    data: list[JSONValue] = [["NaN", "NaN"], ["-Infinity", "x"], [1, None]]
    types = typed(n=optional("number"), s=optional("string"))
    table = get(face, server, project, {"t.table.json": document(["n", "s"], data, column_types=types)})
    assert str(table.to_polars()["n"].to_list()) == "[nan, -inf, 1.0]"
    assert table.to_polars()["s"].to_list() == ["NaN", "x", None]


def test_arrays_beside_the_table(face: Face, server: RunningServer, project: str) -> None:
    place: JSONValue = {"path": "media/side.npz", "key": "a"}
    types = typed(id=optional("number"), big=optional("ndarray", shape=[2], serialization_path=place))
    files = {
        "t.table.json": document(["id", "big"], [[1, None], [2, None]], column_types=types),
        "media/side.npz": arrays([[1.0, 2.0], [3.0, 4.0]]),
    }
    assert get(face, server, project, files).rows() == [
        {"id": 1, "big": [1.0, 2.0]},
        {"id": 2, "big": [3.0, 4.0]},
    ]


def test_parts_and_increments(face: Face, server: RunningServer, project: str) -> None:
    address = "wandb-client-artifact://abc/0.t.table.json"
    files = {
        "parted.partitioned-table.json": b'{"_type": "partitioned-table", "parts_path": "parts"}',
        "parts/0.table.json": document(["a"], [[0]]),
        "parts/1.table.json": document(["a"], [[1]]),
        "0.t.table.json": document(["a"], [[0]], log_mode="INCREMENTAL"),
        "1.t.table.json": document(["a"], [[1]], previous_increments_paths=[address]),
    }
    artifact = artifact_of(face, server, project, files)
    for name in ("parted", "1.t"):
        assert taken(face, artifact.get(name)).data == [[0], [1]]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"<html>", "is not a table"),
        (b"[]", "not a JSON object"),
        (b'{"_type": "joined-table", "table1": "a", "table2": "b", "join_key": "k"}', "joined-table"),
        (document(["a", "b"], [[1, 2], [3]]), "row 1 .* has 1 cells for 2 columns"),
        (document(["a"], [[1]], nrows=5), "has 1 rows of 5"),
        (
            document(["a"], [[1]], previous_increments_paths=["x://y/0.table.json"]),
            "parts .* missing: 0.table.json",
        ),
        (
            document(
                ["a"],
                [[None]],
                column_types=typed(
                    a=optional("ndarray", serialization_path={"path": "gone.npz", "key": "a"})
                ),
            ),
            "arrays .* missing: gone.npz",
        ),
        (
            document(
                ["a"],
                [[None]],
                column_types=typed(
                    a=optional("ndarray", serialization_path={"path": "side.npz", "key": "b"})
                ),
            ),
            "side.npz has no arrays under 'b'",
        ),
        (
            document(
                ["a"],
                [[None]],
                column_types=typed(
                    a=optional("ndarray", serialization_path={"path": "side.npz", "key": "a"})
                ),
            ),
            "has 2 arrays for 1 rows",
        ),
        (b'{"_type": "partitioned-table", "parts_path": "nowhere"}', "has no part"),
    ],
)
def test_what_is_no_whole_table(
    face: Face, server: RunningServer, project: str, content: bytes, what: str
) -> None:
    files = {"t.table.json": content, "side.npz": arrays([[1.0], [2.0]])}
    with pytest.raises(UnreadableTableError, match=what):
        get(face, server, project, files)


def test_columns_of_the_same_name_are_rows_but_no_frame(
    face: Face, server: RunningServer, project: str
) -> None:
    table = get(face, server, project, {"t.table.json": document(["a", "a"], [[1, 2]])})
    assert table.data == [[1, 2]]
    with pytest.raises(UnreadableTableError, match="same name"):
        table.to_polars()


def test_an_entry_that_is_not_there(face: Face, server: RunningServer, project: str) -> None:
    with pytest.raises(EntryNotFoundError):
        get(face, server, project, {"t.table.json": document(["a"], [])}, "other")


@pytest.mark.parametrize(
    ("logged", "what"),
    [
        (None, "'t' of run .* is not a table"),
        (3, "is not a table"),
        ({"_type": "image-file", "path": "media/x.png"}, "is a image-file, not a table"),
        ({"_type": "table-file"}, "is a table-file"),
    ],
)
def test_what_a_run_did_not_log_as_a_table(
    face: Face, server: RunningServer, project: str, logged: JSONValue, what: str
) -> None:
    server.seed(project, [SeedRun(name="r", summary={} if logged is None else {"t": logged})])
    api: Untyped = face.api(server.url, server.api_key)
    (run,) = listed(face, taken(face, api.runs(f"{server.entity}/{project}")))
    server.clear()
    with pytest.raises(UnreadableTableError, match=what):
        taken(face, run.table("t"))
    assert server.requests == []


def test_a_table_of_a_run_takes_two_requests(
    face: Face, server: RunningServer, project: str, tmp_path: Path
) -> None:
    path = "media/table/t_0.table.json"
    value: dict[str, JSONValue] = {"_type": "table-file", "path": path, "nrows": 2}
    server.seed(project, [SeedRun(name="r", summary={"t": value})])
    (tmp_path / path).parent.mkdir(parents=True)
    (tmp_path / path).write_bytes(b'{"columns": ["a", "image"], "data": [[1, "Image"], [2, "Image"]]}')
    api: Untyped = face.api(server.url, server.api_key)
    (run,) = listed(face, taken(face, api.runs(f"{server.entity}/{project}")))
    taken(face, run.upload_file(tmp_path / path, root=tmp_path))
    server.clear()
    assert taken(face, run.table("t")).to_polars()["a"].to_list() == [1, 2]
    assert len(server.requests) == 2
    # A row of the history says which table was logged at its step.
    assert len(taken(face, run.table("t", value))) == 2
    with pytest.raises(UnreadableTableError, match=r"has 2 rows of 3\. .* artifact run-r-t: Artifact\.get"):
        taken(face, run.table("t", {**value, "nrows": 3}))
