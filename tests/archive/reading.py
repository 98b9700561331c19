"""Reads every member of a project's runs, sweeps and artifacts by the public API, as plain values that compare."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Final

from runql import Api, Artifact, JSONValue, Run

EVENTS: Final = 10_000
LEFT_OUT: Final = frozenset({"id", "created_at", "heartbeat_at"})
"""What differs after an import: ids of rows, and times. docs/archives.md lists it."""


def read_project(api: Api, path: str) -> dict[str, object]:
    """Everything in the project, by a name for each thing. Sweeps go by their names, as their ids differ."""
    project = api.project(path)
    sweeps = {sweep.id: sweep.name for sweep in project.sweeps()}
    found: dict[str, object] = {
        f"sweep {sweep.name}": [
            sweep.state,
            sweep.method,
            plain(sweep.config),
            sweep.best_loss,
            sweep.expected_run_count,
            sorted(run.id for run in sweep.runs),
        ]
        for sweep in project.sweeps()
    }
    order: list[str] = []
    for run in project.runs():
        order.append(run.id)
        found |= _run(run, sweeps)
    found["order of runs"] = order
    for kind in project.artifacts_types():
        for collection in kind.collections():
            found[f"collection {collection.name}"] = [
                collection.type,
                collection.description,
                sorted(collection.tags),
                sorted(collection.aliases),
                collection.is_sequence(),
            ]
            for version in collection.artifacts():
                found[f"artifact {collection.name}:{version.version}"] = _artifact(version)
    return found


def plain(value: object) -> str:
    """A value that compares: NaN equals NaN, 1 differs from 1.0, the order of keys does not count."""
    return json.dumps(value, sort_keys=True)


def _run(run: Run, sweeps: dict[str, str]) -> dict[str, object]:
    name = f"run {run.id}"
    found: dict[str, object] = {
        f"{name} fields": [
            run.name,
            run.state,
            run.tags,
            run.group,
            run.job_type,
            run.commit,
            run.description,
            run.notes,
            sweeps.get(run.sweep_name or "", run.sweep_name),
            run.history_line_count,
        ],
        f"{name} config": plain(run.config),
        f"{name} raw config": plain(run.rawconfig),
        f"{name} summary": plain(run.summary_metrics),
        f"{name} system metrics": plain(run.system_metrics),
        f"{name} history keys": plain(run.history_keys),
        f"{name} history": [plain(row) for row in run.scan_history()],
        f"{name} sampled": [plain(row) for row in _rows(run, "default")],
        f"{name} events": [plain(row) for row in _rows(run, "system")],
        f"{name} console": [
            (line.number, str(line.timestamp), line.level, line.label, line.content)
            for line in run.console_logs()
        ],
        f"{name} logged": sorted(version.name for version in run.logged_artifacts()),
        f"{name} used": sorted(version.name for version in run.used_artifacts()),
    }
    for file in run.files():
        found[f"{name} file {file.name}"] = (file.size, file.md5, file.mimetype)
    return found


def _rows(run: Run, stream: str) -> list[dict[str, JSONValue]]:
    rows = run.history(EVENTS, pandas=False, stream="system" if stream == "system" else "default")
    assert isinstance(rows, list)
    return rows


def _artifact(version: Artifact) -> list[object]:
    creator = version.logged_by()
    return [
        version.type,
        sorted(version.aliases),
        sorted(version.tags),
        version.description,
        plain(version.metadata),
        version.digest,
        version.size,
        version.file_count,
        str(version.ttl),
        version.history_step,
        None if creator is None else creator.id,
        sorted(run.id for run in version.used_by()),
        {
            path: (entry.digest, entry.size, entry.ref, plain(dict(entry.extra)))
            for path, entry in version.manifest.entries.items()
        },
    ]


def digests(folder: Path) -> dict[str, str]:
    """The digests of the files of an archive, and its manifest without what changes from call to call."""
    found = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
        and path.name not in {"manifest.json", ".export.jsonl"}
        and not path.name.startswith(".import")
    }
    manifest = json.loads((folder / "manifest.json").read_bytes())
    del manifest["exported_at"], manifest["source"]
    return found | {"manifest": json.dumps(manifest, sort_keys=True)}
