"""The official SDK, unmodified, logs, uses, reads, changes and deletes artifacts, by the script `artifacts.py`."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any, NamedTuple

import pytest
from tests.server.sdk.runner import NEW, OLD, interpreter_of, run_sdk
from tests.server.seeded_artifacts import hex_of, md5

from runql_server.running import RunningServer

pytestmark = [pytest.mark.oracle, pytest.mark.long]

BIG = bytes(range(256)) * 4_000
BIG_PATH = "deep/er/ünïcode ✓.bin"
FILES = {
    "a.txt": b"first",
    BIG_PATH: BIG,
    "made.json": b'{"x": 1}',
    "renamed/a.txt": b"first",
    "same.txt": b"first",
}
REFERENCE = b"never changed"
SIZES = {**{path: len(content) for path, content in FILES.items()}, "file.txt": 13, "http.txt": 13}


class Done(NamedTuple):
    """What one version of the SDK saw, and what the server received."""

    seen: dict[str, Any]
    puts: Counter[str]
    output: str


@pytest.fixture(
    scope="module", params=[(OLD, "V2"), (NEW, "V2"), (NEW, "V1")], ids=["old-V2", "new-V2", "new-V1"]
)
def done(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Done:
    """One process of the SDK does everything; the tests look at what it wrote down."""
    variable, layout = request.param
    interpreter, folder = interpreter_of(variable), tmp_path_factory.mktemp("sdk")
    more = {"_WANDB_USE_V1_ARTIFACTS": "1"} if layout == "V1" else {}
    with RunningServer(folder / "server") as server:
        ended = run_sdk(
            server, interpreter, "artifacts.py", folder / "work", str(folder / "seen.json"), **more
        )
        assert ended.returncode == 0, ended.stderr
        puts = Counter(
            request.path.rpartition("/")[2]
            for request in server.requests
            if request.method == "PUT" and re.fullmatch(r"/artifact-storage/\d+/[0-9a-f]{32}", request.path)
        )
    return Done(json.loads((folder / "seen.json").read_text()), puts, ended.stdout + ended.stderr)


def test_a_version_is_logged_with_everything_in_it(done: Done) -> None:
    first = done.seen["first"]
    expected = {
        "name": "digits:v0",
        "qualified_name": "local/oracle/digits:v0",
        "version": "v0",
        "type": "dataset",
        "aliases": ["best", "latest"],
        "tags": ["raw", "year 2024"],
        "description": "some digits",
        "metadata": {"rows": 3, "nested": {"a": [1.5, None]}},
        "ttl": 7200,
        "state": "COMMITTED",
        "size": sum(SIZES.values()),
        "file_count": 7,
        "source": ["local", "oracle", "digits:v0"],
    }
    assert {key: first[key] for key in expected} == expected
    stored = {path: [md5(content), len(content), None] for path, content in FILES.items()}
    assert {path: entry for path, entry in first["entries"].items() if entry[2] is None} == stored
    assert first["entries"]["file.txt"][:2] == [md5(REFERENCE), len(REFERENCE)]
    assert first["entries"]["file.txt"][2].startswith("file:///")
    url = first["entries"]["http.txt"][2]
    assert url.startswith("http://127.0.0.1:")
    assert first["entries"]["http.txt"] == [url, len(REFERENCE), url]
    far = "abfs://container/key.bin"
    assert done.seen["pointers"]["entries"]["far.bin"] == [far, 0, far]


def test_unchanged_content_gives_no_new_version_and_a_change_uploads_what_changed(done: Done) -> None:
    assert done.seen["unchanged"] == ["v0", ["again", "best", "latest"]]
    assert done.seen["second"] == ["v1", ["latest"]]
    assert done.puts[hex_of(BIG)] == 1
    assert done.puts[hex_of(b'{"x": 1}')] == 1
    assert 1 <= done.puts[hex_of(b"changed")] <= 2, "it is there under two names"
    assert hex_of(REFERENCE) not in done.puts


def test_a_version_is_used_downloaded_and_verified(done: Done) -> None:
    assert done.seen["used"] == ["v0", SIZES]
    assert done.seen["downloaded"] == SIZES
    assert done.seen["verified"] == "ValueError"
    assert done.seen["one_file"] == '{"x": 1}'
    best = done.seen["best"]
    assert (best["name"], best["version"], best["aliases"]) == ("digits:best", "v0", ["again", "best"])


def test_files_versions_types_and_collections_are_listed(done: Done) -> None:
    seen = done.seen
    assert {name: size for name, size, _ in seen["files"]} == SIZES
    assert [mimetype for name, _, mimetype in seen["files"] if name == "made.json"] == ["application/json"]
    assert seen["named_files"] == ["a.txt"]
    assert seen["versions"] == [["v1", []], ["v0", ["raw", "year 2024"]]]
    assert seen["tagged"] == ["v0"]
    assert seen["types"] == ["dataset", "model", "run_table"]
    assert seen["collections"] == ["digits", "pointers"]
    assert seen["collection"] == ["digits", "dataset", ["again", "best", "latest"], True]
    assert seen["exists"] == [True, False, True, False]


def test_lineage_is_followed_both_ways(done: Done) -> None:
    seen = done.seen
    assert (seen["used_by"], seen["logged_by"]) == ([seen["user"]], seen["maker"])
    assert seen["logged"] == ["digits", "digits", "pointers", "table", "weights"]
    assert seen["used_artifacts"] == ["digits:v0"]


def test_tables_media_and_saved_files_come_back(done: Done) -> None:
    seen = done.seen
    kinds = [name.split("/")[1] for name in seen["run_files"] if name.startswith("media/")]
    assert {"html", "table"} <= set(kinds)
    assert "saved/in/folder.txt" in seen["run_files"]
    assert seen["table"] == [["x", "y"], [[1, "a"], [2, "b"]]]
    assert seen["summary"]["table"]["_type"] == "table-file"
    assert "<b>bold</b>" in seen["page"]
    assert ("image" in seen["summary"]) == ("images" in kinds)


def test_a_link_is_a_version_of_the_portfolio(done: Done) -> None:
    linked = done.seen["linked"]
    assert (linked["name"], linked["aliases"]) == ("registered:v0", ["latest", "prod"])
    assert linked["source"] == ["local", "oracle", "weights:v0"]
    assert done.seen["registered"] == ["weights:v0", True, [0.5]]
    assert done.seen["unlinked"] is False


def test_changes_are_kept(done: Done) -> None:
    changed = done.seen["changed"]
    assert (changed["version"], changed["description"], changed["tags"]) == ("v1", "better", ["clean"])
    assert changed["aliases"] == ["best", "latest", "prod"]
    assert changed["metadata"] == {"rows": 3, "nested": {"a": [1.5, None]}, "more": "yes"}
    assert changed["ttl"] is None
    assert done.seen["alias_gone"] == ["best", "latest"]
    assert done.seen["renamed"] == ["all digits", ["kept"]]


def test_a_draft_of_a_version_becomes_the_next_one(done: Done) -> None:
    version, entries = done.seen["draft"]
    assert version == "v2"
    assert entries == sorted({*SIZES, "extra.txt"} - {"made.json"})
    assert done.puts[hex_of(b"more")] == 1


def test_a_version_with_aliases_is_deleted_only_with_them(done: Done) -> None:
    assert "has aliases (best)" in done.seen["deleted"]
    assert done.seen["left"] == ["v2", "v0"]
    assert done.seen["collections_left"] == ["pointers"]


def test_the_sdk_complains_of_nothing_but_what_the_script_provokes(done: Done) -> None:
    complaints = re.findall(r"(?:WARNING|ERROR) (.*)", done.output)
    expected = (
        "already exists with the same content",
        "skipped verification of 2 refs",
        "Symlinked 1 file",
        "abfs://container/key.bin",
    )
    assert [each for each in complaints if not any(part in each for part in expected)] == []
