"""Tables of both official SDKs become frames: from artifacts with their types, and from a run's files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import pandas as pd
import polars as pl
import pytest
from tests.oracle.log_tables import COLUMNS, ENTITY, FIRST_TIME, PROJECT, SECOND_TIME
from tests.oracle.sdk import VERSIONS, call, interpreter

from runql import Api, Run, UnreadableTableError
from runql_server.running import RunningServer

pytestmark = pytest.mark.oracle

TYPES = {
    "number": pl.Int64(),
    "float": pl.Float64(),
    "string": pl.String(),
    "flag": pl.Boolean(),
    "when": pl.Datetime("ms", "UTC"),
    "list": pl.List(pl.Int64()),
    "object": pl.Struct({"x": pl.Int64(), "y": pl.String()}),
    "nothing": pl.Null(),
}


class Logged(NamedTuple):
    """What was logged: where to read it, and what the SDK's own reader says of it."""

    api: Api
    run: Run
    note: dict[str, Any]  # Any: JSON that the script wrote


@pytest.fixture(scope="module", params=VERSIONS)
def logged(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Logged]:
    python = interpreter(request.param)
    folder = tmp_path_factory.mktemp("sdk")
    with RunningServer() as server:
        call(python, "log_tables.py", str(folder / "note.json"), server=server, folder=folder)
        note = json.loads((folder / "note.json").read_text())
        with Api(base_url=server.url, api_key=server.api_key) as api:
            yield Logged(api, api.run(f"{ENTITY}/{PROJECT}/{note['id']}"), note)


def test_an_artifact_keeps_types_and_media(logged: Logged) -> None:
    table = logged.api.artifact(f"{ENTITY}/{PROJECT}/many:v0").get("folder/mixed")
    assert table.columns == tuple(COLUMNS)
    assert table.column_types["when"] == "timestamp"
    assert table.column_types["image"] == "image-file"
    frame = table.to_polars()
    assert {name: frame.schema[name] for name in TYPES} == TYPES
    assert frame["when"].to_list() == [FIRST_TIME, SECOND_TIME]
    assert frame["float"].to_list() == [1.5, None]
    image = frame["image"].to_list()[0]
    assert (image["_type"], image["caption"], image["width"]) == ("image-file", "black", 4)
    pandas = table.to_pandas()
    assert str(pandas["when"].dtype) == "datetime64[ms, UTC]"
    assert pandas["when"].to_list() == [pd.Timestamp(FIRST_TIME), pd.Timestamp(SECOND_TIME)]
    assert pandas["image"][0] == table.rows()[0]["image"]
    assert table.to_arrow().column("when").to_pylist() == [FIRST_TIME, SECOND_TIME]


def test_arrays_and_parts_are_what_the_sdk_reads(logged: Logged) -> None:
    artifact = logged.api.artifact(f"{ENTITY}/{PROJECT}/many:v0")
    arrays = artifact.get("arrays")
    assert [list(row) for row in arrays.data] == logged.note["arrays"]
    assert arrays.to_polars()["large"].dtype == pl.List(pl.List(pl.Float64()))
    assert [list(row) for row in artifact.get("parted").data] == logged.note["parted"]
    with pytest.raises(UnreadableTableError, match="joined-table"):
        artifact.get("joined")


def test_the_artifact_of_a_logged_table(logged: Logged) -> None:
    table = logged.api.artifact(f"{ENTITY}/{PROJECT}/run-{logged.run.id}-mixed:latest").get(
        "mixed.table.json"
    )
    assert len(table) == 2
    assert table.column_types["number"] == "number"


def test_a_table_of_a_runs_files(logged: Logged) -> None:
    table = logged.run.table("mixed")
    assert table.columns == tuple(COLUMNS)
    assert table.column_types == {}
    assert table.to_polars()["number"].to_list() == [1, 2]
    (row,) = [row for row in logged.run.scan_history() if "mixed" in row]
    value = row["mixed"]
    assert isinstance(value, dict)
    assert logged.run.table("mixed", value).data == table.data


def test_increments(logged: Logged) -> None:
    with pytest.raises(UnreadableTableError, match=f"1 rows of 3.*run-{logged.run.id}-incr-growing"):
        logged.run.table("growing")
    artifact = logged.api.artifact(f"{ENTITY}/{PROJECT}/run-{logged.run.id}-incr-growing:latest")
    (last,) = [name for name in artifact.entries if name.startswith("2-")]
    assert artifact.get(last).to_polars()["place"].to_list() == [0, 1, 2]
