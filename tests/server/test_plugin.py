"""The pytest plugin: pytest finds it, its import is cheap, and each test has its own server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

USER_TEST = """
import os, urllib.request, json

def ask(server, text):
    request = urllib.request.Request(
        os.environ["WANDB_BASE_URL"] + "/graphql",
        json.dumps({"query": text}).encode(),
        {"Authorization": "Bearer " + os.environ["WANDB_API_KEY"]},
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["data"]

def test_one(wandb_server):
    ask(wandb_server, 'mutation { upsertBucket(input: {name: "r", modelName: "p"}) { inserted } }')
    assert ask(wandb_server, '{ project(name: "p") { runCount } }') == {"project": {"runCount": 1}}
    assert [request.path for request in wandb_server.requests] == ["/graphql", "/graphql"]

def test_each_test_has_an_empty_server(wandb_server):
    assert ask(wandb_server, '{ project(name: "p") { runCount } }') == {"project": None}

def test_a_test_that_does_not_ask_has_none():
    assert "WANDB_BASE_URL" not in os.environ
"""


def run(*command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("WANDB", "PYTEST"))}
    environment |= {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    }
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_users_get_a_fresh_server_for_each_test(tmp_path: Path) -> None:
    (tmp_path / "test_user.py").write_text(USER_TEST)
    done = run("-m", "pytest", "-q", "-W", "error", "-p", "runql_server.testing", folder=tmp_path)
    assert "3 passed" in done.stdout, done.stdout + done.stderr


def test_the_plugin_imports_no_server(tmp_path: Path) -> None:
    heavy = ("starlette", "ariadne", "graphql", "uvicorn", "sqlite3", "runql")
    code = f"import sys, runql_server.testing; print([name for name in {heavy!r} if name in sys.modules])"
    assert run("-c", code, folder=tmp_path).stdout.strip() == "[]"


def test_without_the_extra_a_fixture_names_it(tmp_path: Path) -> None:
    # None in sys.modules makes an import fail as if the library were not installed.
    (tmp_path / "conftest.py").write_text(
        "import sys\nsys.modules['uvicorn'] = sys.modules['starlette'] = None\n"
    )
    (tmp_path / "test_user.py").write_text(
        "def test_one(wandb_server): ...\n\ndef test_two(sample_server): ...\n\ndef test_three(): ...\n"
    )
    done = run("-m", "pytest", "-q", "-p", "runql_server.testing", folder=tmp_path)
    assert "1 passed, 2 errors" in done.stdout, done.stdout + done.stderr
    for fixture in ("wandb_server", "sample_server"):
        assert f"the fixture {fixture} needs " in done.stdout
    assert done.stdout.count("pip install 'runql[server]'") >= 2
    assert "Traceback" not in done.stdout
