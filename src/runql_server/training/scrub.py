"""Removes API keys and details of the machine from a recorded data directory."""

from __future__ import annotations

import base64
import hashlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any  # what JSON holds

# Fields of wandb-metadata.json to keep; the others describe the machine.
KEPT_METADATA = ("os", "python", "program", "startedAt", "cpu_count")


def scrub(data_dir: Path) -> None:
    """Remove keys and details of the machine, and mark the abandoned run as crashed, as the server would."""
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
        for name, blob in database.execute("SELECT name, blob FROM files").fetchall():
            path = data_dir / "blobs" / blob[:2] / blob
            if name == "wandb-metadata.json":
                size, md5 = _rewritten(path, _kept_metadata)
                database.execute("UPDATE files SET size = ?, md5 = ? WHERE blob = ?", (size, md5, blob))
            elif name != "wandb-summary.json" and not name.startswith(("media/", "report/")):
                database.execute("DELETE FROM files WHERE blob = ?", (blob,))
                path.unlink(missing_ok=True)
        for (blob,) in database.execute(
            "SELECT blob FROM artifact_manifests WHERE blob IS NOT NULL"
        ).fetchall():
            size, md5 = _rewritten(data_dir / "blobs" / blob[:2] / blob, _without_local_paths)
            database.execute(
                "UPDATE artifact_manifests SET size = ?, digest = ? WHERE blob = ?", (size, md5, blob)
            )
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


def _kept_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    known = {**metadata, "program": "train.py", "os": "Linux"}
    return {key: known[key] for key in KEPT_METADATA if key in known}


def _without_local_paths(manifest: dict[str, Any]) -> dict[str, Any]:
    entries = {
        path: {key: value for key, value in entry.items() if key not in {"local_path", "skip_cache"}}
        for path, entry in manifest["contents"].items()
    }
    return {**manifest, "contents": entries}


def _rewritten(path: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> tuple[int, str]:
    """Replace a file's JSON by the changed one, and return its size and MD5."""
    path.write_text(json.dumps(change(json.loads(path.read_text(encoding="utf-8")))), encoding="utf-8")
    content = path.read_bytes()
    return len(content), base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
