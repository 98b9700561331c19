"""The image of the embedded server: what it is built from, as whom it runs, and what its entry point does."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest
from tests.patience import PATIENCE
from tests.platforms.dockerfile import (
    ROOT,
    Instruction,
    entrypoint,
    health_check,
    instructions,
    is_sent,
    only,
    started,
)

from runql_server.http import listening

PROGRAMS: Final = Path(sys.executable).parent

pytestmark = pytest.mark.posix


def free_port() -> int:
    held = listening.bind("127.0.0.1", 0)
    port: int = held.getsockname()[1]
    held.close()
    return port


def run(words: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(PROGRAMS / words[0]), *words[1:]], capture_output=True, text=True, timeout=PATIENCE, check=False
    )


def test_each_source_is_there_and_sent() -> None:
    sources = [
        source
        for each in instructions()
        if each.name == "COPY" and not each.rest.startswith("--from=")
        for source in each.rest.split()[:-1]
    ]
    assert sources[0] == ".ci/requirements/server.txt"
    for source in sources:
        assert (ROOT / source).exists(), source
        assert is_sent(source), source


def test_nothing_else_is_sent() -> None:
    for path in (
        ".git/config",
        ".venv/bin/python",
        "tests/wheel.py",
        ".ci/run",
        ".ci/requirements/project.txt",
    ):
        assert not is_sent(path), path
    for path in (
        "src/runql_server/training/model.py",
        "src/runql/__pycache__/api.cpython-311.pyc",
        "runql-data/x",
    ):
        assert not is_sent(path), path
    for path in (
        "src/runql_server/sample/digits.tar.xz",
        "generated/runql_graphql/wandb.graphql",
        "src/runql/py.typed",
    ):
        assert is_sent(path), path


def test_what_builds_the_wheel_is_sent() -> None:
    """Hatchling reads these files; where one is missing, it fails or leaves something out."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    needed = [
        config["project"]["readme"],
        *config["project"]["license-files"],
        config["tool"]["hatch"]["version"]["path"],
    ]
    needed += config["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert [each for each in needed if not is_sent(each)] == []


def test_everything_is_installed_by_its_hash() -> None:
    installs = [
        each.rest for each in instructions() if " install " in f" {each.rest} " and "pip" in each.rest
    ]
    assert len(installs) == 2
    assert "--require-hashes --requirement server.txt" in installs[0]
    assert "--no-deps --no-build-isolation" in installs[1]


def test_its_python_is_one_that_is_tested() -> None:
    images = [each.rest.split()[0] for each in instructions() if each.name == "FROM"]
    assert len(set(images)) == 1
    named = re.fullmatch(r"python:(3\.\d+)-slim", images[0])
    assert named is not None
    classifiers = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["classifiers"]
    assert f"Programming Language :: Python :: {named[1]}" in classifiers


def test_it_runs_as_a_user_who_owns_the_data_alone() -> None:
    last = [index for index, each in enumerate(instructions()) if each.name == "FROM"][-1]
    final = instructions()[last:]
    assert only("USER") != "root"
    made = next(each.rest for each in final if each.rest.startswith("useradd "))
    assert f"--uid {only('USER')} " in made
    assert Instruction("RUN", "install --directory --owner runql --group runql --mode 0700 /data") in final
    names = [each.name for each in final]
    assert names.index("USER") > max(index for index, name in enumerate(names) if name in {"RUN", "COPY"})
    assert only("VOLUME") == entrypoint()[entrypoint().index("--data-dir") + 1]
    assert only("EXPOSE") == entrypoint()[entrypoint().index("--port") + 1]
    assert f":{only('EXPOSE')}/healthz" in health_check()[-1]


def test_commands_of_the_final_image_are_in_its_base() -> None:
    """Of coreutils and passwd, which each Debian has."""
    last = [index for index, each in enumerate(instructions()) if each.name == "FROM"][-1]
    programs = {each.rest.split()[0] for each in instructions()[last:] if each.name == "RUN"}
    assert programs == {"useradd", "install"}
    assert shutil.which("install") is not None


def test_it_does_not_start_beyond_loopback_without_one_more_option(tmp_path: Path) -> None:
    done = run(started(entrypoint(), port=free_port(), data=tmp_path / "data"))
    assert done.returncode == 1
    assert "give --tls-cert and --tls-key, or --insecure-listen" in done.stderr
    assert not (tmp_path / "data").exists()


def test_it_starts_prints_a_key_is_healthy_and_stops_at_sigterm(tmp_path: Path) -> None:
    port = free_port()
    words = started(entrypoint(), port=port, data=tmp_path / "data")
    check = started(health_check(), port=port, data=tmp_path)
    assert run(check).returncode != 0
    with subprocess.Popen(
        [str(PROGRAMS / words[0]), *words[1:], "--insecure-listen"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as server:
        try:
            assert server.stdout is not None
            printed = ""
            while "shown this once" not in printed:
                line = server.stdout.readline()
                assert line, printed
                printed += line
            assert re.search(r"export WANDB_API_KEY=\w{40}", printed)
            done = run(check)
            assert done.returncode == 0, done.stderr
            key = run([*words[:2], *words[words.index("--data-dir") :], "--new-key", "ada"])
            assert re.fullmatch(r"export WANDB_API_KEY=\w{40}\n", key.stdout), key.stderr
        finally:
            server.terminate()
        assert server.wait(PATIENCE) in {0, -15}
    assert run(check).returncode != 0
