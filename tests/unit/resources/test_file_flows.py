"""The flows of a run's files, stepped by hand: what is asked, in which order, and what stops them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.transport.stepping import answered, played, sent

from runql.errors import DeletionRefusedError, UploadRefusedError
from runql.paths import RunAddress
from runql.resources.files.record import delete_file, upload_file
from runql.transport.flow import Gather, Sleep, Upload, gather, sleep
from runql.transport.wire import Response
from runql.values import JSONValue
from runql_graphql.fragments import FileFields

RUN = RunAddress("e", "p", "r")
ENTRY = {"id": "F", "name": "x.txt", "url": "/x", "directUrl": "", "sizeBytes": 0, "updatedAt": None}
PAGE = {"pageInfo": {"endCursor": None, "hasNextPage": False}, "edges": [{"cursor": "c", "node": ENTRY}]}
LISTED = answered({"project": {"run": {"files": PAGE}}})
PLACES = {"runID": "R", "uploadHeaders": ["x-a:b"], "files": [{"name": "x.txt", "uploadUrl": "/put"}]}
MARKS: JSONValue = {
    "cliVersionInfo": {},
    "features": [{"name": "MARK_RUN_FILES_UPLOADED", "isEnabled": True}],
}


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """A local file."""
    path = tmp_path / "x.txt"
    path.write_text("x")
    return path


def test_an_old_server_without_features_is_not_told(local: Path) -> None:
    refused = answered(
        None, status=400, errors=[{"message": 'Cannot query field "features" on type "ServerInfo".'}]
    )
    flow = upload_file(RUN, local, local.parent, None)
    fields, effects = played(
        flow, [answered({"createRunFiles": PLACES}), Response(200, b""), refused, LISTED]
    )
    assert fields.name == "x.txt"
    put = effects[1]
    assert isinstance(put, Upload)
    assert (put.url, put.headers, put.source.size) == ("/put", (("x-a", "b"),), 1)
    assert [sent(effect).name for effect in (effects[0], *effects[2:])] == [
        "CreateRunFiles",
        "GetServerInfo",
        "ListRunFiles",
    ]


def test_a_mark_that_is_refused_is_told(local: Path) -> None:
    replies = [
        answered({"createRunFiles": PLACES}),
        Response(200, b""),
        answered({"serverInfo": MARKS}),
        answered({"markRunFilesUploaded": {"success": False}}),
    ]
    with pytest.raises(UploadRefusedError, match="did not confirm"):
        played(upload_file(RUN, local, local.parent, None), replies)


def test_a_header_without_a_value_is_refused(local: Path) -> None:
    replies = [answered({"createRunFiles": PLACES | {"uploadHeaders": ["x-a"]}})]
    with pytest.raises(UploadRefusedError, match="no value"):
        played(upload_file(RUN, local, local.parent, None), replies)


@pytest.mark.parametrize(
    "header",
    ["x-amz-meta-name: größe", "x-größe: 1", "x-a: b\r\nx-b: c", "x-a: \x00", "x a: b", ": b", "x-a: \udcff"],
)
def test_a_header_that_no_request_can_carry_is_refused_before_the_bytes_are_sent(
    header: str, local: Path
) -> None:
    replies = [answered({"createRunFiles": PLACES | {"uploadHeaders": ["x-a:b", header]}})]
    with pytest.raises(UploadRefusedError, match="no request can carry"):
        played(upload_file(RUN, local, local.parent, None), replies)


def test_deleting_sends_the_project_as_a_number() -> None:
    run = RunAddress("e", "p", "abc")
    deleted = answered({"deleteFiles": {"success": True}})
    _, effects = played(delete_file(run, FileFields.model_validate(ENTRY), 7), [deleted])
    assert sent(effects[0]).variables == {"files": ["F"], "projectId": 7}


@pytest.mark.parametrize("refused", [{"success": False}, None])
def test_a_file_that_was_not_deleted_is_said_so(refused: dict[str, bool] | None) -> None:
    replies = [answered({"deleteFiles": refused})]
    with pytest.raises(DeletionRefusedError, match="did not delete"):
        played(delete_file(RunAddress("e", "p", "abc"), FileFields.model_validate(ENTRY), 7), replies)


def test_gathering_is_one_effect_that_says_how_many_at_once() -> None:
    effect = next(gather([sleep(1.0), sleep(2.0)], limit=3))
    assert isinstance(effect, Gather)
    assert effect.limit == 3
    assert [next(flow) for flow in effect.flows] == [Sleep(1.0), Sleep(2.0)]
