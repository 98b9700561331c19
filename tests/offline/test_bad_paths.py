"""Paths that cannot be read as they are: each message names the path and what is wrong."""

from __future__ import annotations

import gzip
import json
import os
import warnings
from pathlib import Path

import pytest
from tests.offline import writing

import runql
from runql_server.offline import folder, framing
from runql_server.offline.framing import BLOCK

ROWS = [writing.run("abc"), writing.row(a=1)]


def problems_of(path: Path) -> tuple[str, ...]:
    """What `runql.open` warns of."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with runql.open(path, follow=False) as opened:
            assert [str(each.message) for each in said] == list(opened.problems)
            return opened.problems


def test_a_record_that_is_cut_at_the_border_of_a_block_is_named(tmp_path: Path) -> None:
    long = writing.row(text="t" * 2 * BLOCK)
    path = writing.write(tmp_path, [*ROWS, long, writing.exit_record()])
    path.write_bytes(path.read_bytes()[:BLOCK])
    os.utime(path, (0, 0))
    assert problems_of(path) == (
        f"{path}: the file ends inside a record (at byte {BLOCK}); what is whole before it was read",
    )


def test_a_wrong_number_in_the_header_is_named(tmp_path: Path) -> None:
    path = writing.write(tmp_path, ROWS)
    path.write_bytes(b":W&B\x00\x00\x00" + path.read_bytes()[7:])
    with pytest.raises(
        runql.LocalFileError, match=r"is no \.wandb file: it does not begin with ':W&B' and W&B's number"
    ):
        runql.open(path)


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = writing.write(tmp_path, ROWS)

    def refuse(*_: object) -> object:
        raise PermissionError(13, "Permission denied", str(path))

    # By the call, because root may read every file.
    monkeypatch.setattr(framing, "_Chunks", refuse)
    with pytest.raises(runql.LocalFileError, match=f"{path}: cannot be read: Permission denied"):
        runql.open(path)


def test_a_folder_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> object:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(folder, "_below", refuse)
    with pytest.raises(runql.LocalFileError, match=f"{tmp_path}: cannot be read: Permission denied"):
        runql.open(tmp_path)


def test_links_to_folders_elsewhere_are_not_followed(tmp_path: Path) -> None:
    writing.write(tmp_path / "wandb", ROWS)
    elsewhere = writing.write(tmp_path / "elsewhere", [writing.run("other")], name="other")
    (tmp_path / "wandb" / "offline-run-20260101_000000-other").symlink_to(elsewhere.parent)
    with runql.open(tmp_path / "wandb", follow=False) as opened:
        assert opened.paths == ("local/p/abc",)


def test_saved_files_are_links_to_elsewhere_and_broken_ones_are_said(tmp_path: Path) -> None:
    # The SDK makes such links for `run.save`, and sync follows them.
    source = tmp_path / "source.txt"
    source.write_text("saved")
    saved = {"files": {"files": [{"path": "link.txt"}, {"path": "broken.txt"}]}}
    path = writing.write(tmp_path / "wandb", [*ROWS, writing.record(saved), writing.exit_record()])
    (path.parent / "files").mkdir()
    (path.parent / "files" / "link.txt").symlink_to(source)
    (path.parent / "files" / "broken.txt").symlink_to(tmp_path / "none")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        opened = runql.open(tmp_path / "wandb", follow=False)
    with opened:
        assert [file.name for file in opened.api.run("abc").files() if "txt" in file.name] == ["link.txt"]
        assert opened.problems == (f"{path}: file broken.txt is not there",)


def test_a_folder_with_500_runs_is_read_whole(tmp_path: Path) -> None:
    for number in range(500):
        name = f"r{number:03}"
        writing.write(tmp_path, [writing.run(name), writing.row(a=number), writing.exit_record()], name=name)
    with runql.open(tmp_path, follow=False) as opened:
        assert len(opened.paths) == len(opened.api.runs()) == 500
        assert opened.api.run("r499").summary["_step"] == 0
        assert opened.problems == ()


LISTS = {
    "gone": (None, "is gone: the SDK deletes it after an upload"),
    "not gzipped": (b"{}", "cannot be read: Not a gzipped file"),
    "cut": (
        gzip.compress(json.dumps({"path": "a"}).encode() * 1_000)[:-9],
        "cannot be read: Compressed file ended",
    ),
    "no JSON": (gzip.compress(b"{\n"), "cannot be read: a line is not valid JSON"),
    "no bytes": (gzip.compress(b'{"path": "a", "digest": "d"}'), "was left out"),
    "a size below 0": (
        gzip.compress(b'{"path": "a", "digest": "d", "ref": "s3://a/b", "size": -1}'),
        "'a' has the size -1, which no file has",
    ),
}


@pytest.mark.parametrize("name", LISTS)
def test_an_artifact_with_a_damaged_list_of_files_is_left_out_and_said(tmp_path: Path, name: str) -> None:
    content, message = LISTS[name]
    listed = tmp_path / "list.gz"
    if content is not None:
        listed.write_bytes(content)
    artifact = {
        "artifact": {
            "name": "data",
            "type": "dataset",
            "digest": "d",
            "manifest": {"version": 1, "manifest_file_path": str(listed)},
        }
    }
    path = writing.write(tmp_path, [*ROWS, writing.record(artifact), writing.exit_record()])
    (said,) = problems_of(path)
    assert said.startswith(f"{path}: artifact data was left out")
    assert message in said
