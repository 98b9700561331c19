"""The commands `runql export`, `import`, `copy` and `verify`."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.archive import hostile
from tests.archive.conftest import api_of
from tests.archive.reading import digests, read_project
from tests.cli.invoking import Done

from runql import Archive
from runql_server.running import RunningServer
from runql_server.seed import SeedRun


def test_export_verify_and_import(
    source: RunningServer, target: RunningServer, archive: Archive, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    done = Done("export", hostile.PATH, str(folder), "--files", "--artifacts", server=source)
    assert (done.code, done.stdout) == (0, "")
    assert "7 runs" in done.stderr
    assert digests(folder) == digests(archive.folder)
    done = Done("verify", str(folder), server=None)
    assert done.code == 0
    assert "is whole" in done.stderr
    done = Done("import", str(folder), "local/back", "--to", target.url, "--dry-run", server=target)
    assert done.code == 0
    assert "would write" in done.stderr
    assert [request.operation for request in target.requests] == ["GetProject"]
    done = Done("import", str(folder), "local/back", "--to", target.url, server=target)
    assert done.code == 0
    assert "wrote" in done.stderr
    with api_of(source) as api, api_of(target) as other:
        assert read_project(other, "local/back") == read_project(api, hostile.PATH)


@pytest.mark.parametrize("keeps", [True, False])
def test_copy_sends_each_key_to_its_own_server(
    source: RunningServer, target: RunningServer, tmp_path: Path, keeps: bool
) -> None:
    kept = tmp_path / "kept"
    more = ("--dir", str(kept)) if keeps else ()
    arguments = ("copy", hostile.PATH, "local/back", "--to", target.url, *more)
    netrc = {"NETRC": str(tmp_path / "none"), "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    refused = Done(*arguments, server=source, env=netrc)
    assert refused.code == 2
    assert "set RUNQL_TO_API_KEY, or add its machine to netrc" in refused.stderr
    assert target.requests == []
    done = Done(*arguments, server=source, env={**netrc, "RUNQL_TO_API_KEY": target.api_key})
    assert done.code == 0, done.stderr
    with api_of(target) as other:
        assert other.project("local/back").runs().length == 7
    assert kept.exists() == keeps
    assert not list(tmp_path.glob("runql-copy-*"))


def test_copy_takes_the_key_of_the_other_server_from_netrc(
    source: RunningServer, target: RunningServer, tmp_path: Path
) -> None:
    machine = target.url.removeprefix("http://")
    (tmp_path / "netrc").write_text(f"machine {machine} login user password {target.api_key}\n")
    env = {"NETRC": str(tmp_path / "netrc"), "HOME": str(tmp_path)}
    done = Done("copy", hostile.PATH, "local/back", "--to", target.url, server=source, env=env)
    assert done.code == 0, done.stderr


def test_copy_within_a_server_needs_one_key(target: RunningServer, tmp_path: Path) -> None:
    target.seed("p", [SeedRun(name="a", history=[{"x": 1}])])
    env = {"NETRC": str(tmp_path / "none"), "HOME": str(tmp_path)}
    done = Done("copy", "local/p", "local/q", "--to", target.url, server=target, env=env)
    assert done.code == 0, done.stderr
    with api_of(target) as api:
        assert [dict(row) for row in api.run("local/q/a").scan_history()] == [{"_step": 0, "x": 1}]


def test_what_is_wrong_is_said(source: RunningServer, archive: Archive, tmp_path: Path) -> None:
    for arguments, code, message in (
        (("export", "local", str(tmp_path / "a")), 2, "is no project"),
        (("export", "local/none", str(tmp_path / "a")), 1, "project local/none does not exist"),
        (("verify", str(tmp_path)), 1, "holds no archive"),
        (("import", str(tmp_path), "local/p", "--to", source.url), 1, "holds no archive"),
    ):
        done = Done(*arguments, server=source)
        assert (done.code, done.stdout) == (code, "")
        assert message in done.stderr
    folder = shutil.copytree(archive.folder, tmp_path / "cut")
    (folder / "runs.parquet").write_bytes(b"PAR1")
    done = Done("verify", str(folder), server=None)
    assert done.code == 1
    assert "runs.parquet (it has 4 bytes" in done.stderr


def test_what_could_not_be_read_ends_with_code_1(
    target: RunningServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runql.archive import extras

    monkeypatch.setattr(extras, "EVENTS", 3)
    target.seed("p", [SeedRun(name="busy", events=[{"system.cpu": i} for i in range(5)])])
    folder = tmp_path / "out"
    done = Done("export", "local/p", str(folder), server=target)
    assert done.code == 1
    assert "not read: the system metrics of run busy: the server returns a sample of 3 rows" in done.stderr
    done = Done("import", str(folder), "local/q", "--to", target.url, server=target)
    assert done.code == 1
    assert "left out: the archive lacks it: the system metrics of run busy" in done.stderr
    monkeypatch.setattr(extras, "EVENTS", 30)
    done = Done("export", "local/p", str(folder), server=target)
    assert done.code == 0
    assert "not read" not in done.stderr
