"""`python -m runql_server.training.record`: train the grid under both official SDKs on a fresh server, and pack it."""

# ruff: noqa: T201 - what the command says

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from runql_server.running import RunningServer
from runql_server.sample import ARCHIVE
from runql_server.training.digits import grid

SCRIPT = "runql_server.training.log_runs"
SOURCE = Path(__file__).parents[2]
# What the SDK notes of the machine and nobody needs; the rest of wandb-metadata.json is kept.
KEPT_METADATA = ("os", "python", "program", "startedAt", "cpu_count")
MACHINE = re.compile(r"\.venv|site-packages|/home/|/root|/work|/tmp/|https?://")


def main() -> None:
    """Record and pack; prints the size.

    Needs RUNQL_WANDB_OLD and RUNQL_WANDB_NEW: interpreters that have the SDK and scikit-learn.
    """
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "data"
        with RunningServer(data_dir) as server:
            for variable, run_ids in _shares().items():
                _log(server, os.environ[variable], run_ids, Path(folder))
        _scrub(data_dir)
        _pack(data_dir)
    print(f"{ARCHIVE.name}: {ARCHIVE.stat().st_size / 1e6:.2f} MB")


def _shares() -> dict[str, list[str]]:
    """The scikit-learn family is logged by the older SDK, the others by the newer."""
    old = [plan.run_id for plan in grid() if plan.family == "sgd"]
    new = [plan.run_id for plan in grid() if plan.family != "sgd"]
    return {"RUNQL_WANDB_OLD": old, "RUNQL_WANDB_NEW": new}


def _log(server: RunningServer, interpreter: str, run_ids: list[str], folder: Path) -> None:
    environment = {
        **os.environ,
        "WANDB_BASE_URL": server.url,
        "WANDB_API_KEY": server.api_key,
        "WANDB_ERROR_REPORTING": "false",
        "WANDB_DISABLE_GIT": "true",
        "WANDB_DISABLE_CODE": "true",
        "WANDB_HOST": "trainer",
        "WANDB_DIR": str(folder),
        "PYTHONPATH": str(SOURCE),
    }
    for run_id in run_ids:
        print(run_id, flush=True)
        done = subprocess.run([interpreter, "-m", SCRIPT, run_id], env=environment, cwd=folder, check=False)
        if done.returncode != (1 if run_id in {"crashed", "running"} else 0):
            sys.exit(f"{run_id} ended with {done.returncode}")


def _scrub(data_dir: Path) -> None:
    """Take out the keys and what names the machine; say of the run that went away what the server would say."""
    database = sqlite3.connect(data_dir / "runql.sqlite3")
    with database:
        database.execute("DELETE FROM api_keys")
        database.execute("DELETE FROM settings WHERE name = 'signing_secret'")
        database.execute("DELETE FROM log_lines")
        database.execute("UPDATE runs SET host = 'trainer', job_program = NULL")
        database.execute("UPDATE runs SET state = 'crashed' WHERE name = 'crashed'")
        for number, config in database.execute("SELECT id, config FROM runs").fetchall():
            database.execute("UPDATE runs SET config = ? WHERE id = ?", (_without_machine(config), number))
        database.execute("DELETE FROM run_values WHERE path LIKE 'config._wandb%'")
        kept = {"wandb-metadata.json", "wandb-summary.json"}
        for name, blob in database.execute("SELECT name, blob FROM files").fetchall():
            path = data_dir / "blobs" / blob[:2] / blob
            if name in kept:
                _rewrite(database, name, path, blob)
            else:
                database.execute("DELETE FROM files WHERE blob = ?", (blob,))
                path.unlink(missing_ok=True)
    database.execute("VACUUM")
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()


def _without_machine(config: str) -> str:
    parsed = json.loads(config)
    internal = parsed.get("_wandb", {}).get("value", {})
    parsed["_wandb"] = {
        "value": {key: internal[key] for key in ("cli_version", "python_version") if key in internal}
    }
    return json.dumps(parsed)


def _rewrite(database: sqlite3.Connection, name: str, path: Path, blob: str) -> None:
    if name == "wandb-metadata.json":
        metadata = json.loads(path.read_text())
        metadata |= {"program": "train.py", "os": "Linux"}
        path.write_text(
            json.dumps({key: metadata[key] for key in KEPT_METADATA if key in metadata}, indent=2)
        )
    content = path.read_bytes()
    md5 = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
    database.execute("UPDATE files SET size = ?, md5 = ? WHERE blob = ?", (len(content), md5, blob))


def _pack(data_dir: Path) -> None:
    for path in (data_dir / "runql.sqlite3", *(data_dir / "blobs").glob("*/*")):
        found = MACHINE.search(path.read_bytes().decode("utf-8", "replace"))
        if found:
            sys.exit(f"{path.name} still names the machine: {found.group()!r}")
    with tarfile.open(ARCHIVE, "w:xz", preset=9) as archive:
        archive.add(data_dir / "runql.sqlite3", "runql.sqlite3", filter=_nameless)
        archive.add(data_dir / "blobs", "blobs", filter=_nameless)


def _nameless(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    return member


if __name__ == "__main__":
    main()
