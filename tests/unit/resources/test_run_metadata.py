"""Reading a run's metadata through the file door."""

from __future__ import annotations

import pytest
from tests.unit.resources.answers import connection, in_project
from tests.unit.transport.stepping import answered, played

from runql.errors import ProjectNotFoundError, RunNotFoundError
from runql.paths import RunAddress
from runql.resources.runs.record import METADATA, read_metadata
from runql.transport.flow import Download, Send
from runql.transport.wire import Response
from runql_graphql.operations import list_run_files

RUN = RunAddress("e", "p", "r")
ASKED = Send(list_run_files(entity="e", project="p", run="r", names=[METADATA], first=1))
FILE = {
    "id": "f",
    "name": METADATA,
    "url": "https://storage/m.json?signature=1",
    "directUrl": "https://direct/m.json",
    "sizeBytes": 9,
    "updatedAt": "2026-07-01T12:00:00",
}


def listed(*files: object) -> Response:
    page = connection(files)
    return in_project(run={"files": {"pageInfo": page["pageInfo"], "edges": page["edges"]}})


def test_the_file_is_looked_up_by_name_and_downloaded() -> None:
    replies = [listed(FILE), Response(200, b'{"os": "Linux", "gpu_count": 8}')]
    metadata, effects = played(read_metadata(RUN), replies)
    assert metadata == {"os": "Linux", "gpu_count": 8}
    assert effects == [ASKED, Download("https://storage/m.json?signature=1")]


def test_the_direct_url_stands_in_for_a_missing_one() -> None:
    _, effects = played(read_metadata(RUN), [listed({**FILE, "url": None}), Response(200, b"{}")])
    assert effects[1] == Download("https://direct/m.json")


@pytest.mark.parametrize(
    "answer",
    [
        listed(),
        listed({**FILE, "updatedAt": None, "sizeBytes": 0}),
        in_project(run={"files": None}),
    ],
)
def test_a_run_without_the_file_has_no_metadata_and_takes_one_request(answer: Response) -> None:
    metadata, effects = played(read_metadata(RUN), [answer])
    assert metadata is None
    assert effects == [ASKED]


@pytest.mark.parametrize(
    ("data", "error"),
    [({"project": None}, ProjectNotFoundError), ({"project": {"run": None}}, RunNotFoundError)],
)
def test_what_is_absent_is_told_apart(data: object, error: type[Exception]) -> None:
    with pytest.raises(error, match="e/p"):
        played(read_metadata(RUN), [answered(data)])


@pytest.mark.parametrize("content", [b"[1]", b"<html>", b"\xff\xfe"])
def test_a_file_that_is_no_json_object_is_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError, match="JSON"):
        played(read_metadata(RUN), [listed(FILE), Response(200, content)])


def test_text_that_is_no_utf8_is_read_as_far_as_it_goes() -> None:
    replies = [listed(FILE), Response(200, b'{"program": "caf\xe9.py"}')]
    assert played(read_metadata(RUN), replies)[0] == {"program": "caf\ufffd.py"}
