"""The tables, as numbered migrations; ``PRAGMA user_version`` counts the ones a database has seen."""

from __future__ import annotations

import sqlite3

_FIRST = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE users (
    id INTEGER PRIMARY KEY, username TEXT NOT NULL UNIQUE, name TEXT NOT NULL, email TEXT NOT NULL
);
CREATE TABLE entities (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, user_id INTEGER NOT NULL REFERENCES users
);
CREATE TABLE api_keys (
    id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL REFERENCES users, key_hash TEXT NOT NULL UNIQUE,
    created_at TEXT NOT NULL
);
CREATE TABLE projects (
    id INTEGER PRIMARY KEY AUTOINCREMENT, entity_id INTEGER NOT NULL REFERENCES entities, name TEXT NOT NULL,
    user_id INTEGER NOT NULL REFERENCES users, description TEXT, access TEXT, views TEXT, repo TEXT,
    docker_image TEXT, is_benchmark INTEGER NOT NULL DEFAULT 0, created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
    runs_created INTEGER NOT NULL DEFAULT 0, UNIQUE (entity_id, name)
);
-- The wide texts come last: SQLite reads a row from the left and skips the overflow pages it does not need.
CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT, project_id INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE,
    user_id INTEGER NOT NULL REFERENCES users, name TEXT NOT NULL, display_name TEXT NOT NULL, state TEXT NOT NULL,
    group_name TEXT, job_type TEXT, sweep TEXT, host TEXT, commit_sha TEXT, job_program TEXT,
    created_at TEXT NOT NULL, updated_at TEXT NOT NULL, heartbeat_at TEXT NOT NULL,
    exitcode INTEGER, stop_requested INTEGER NOT NULL DEFAULT 0, description TEXT, notes TEXT,
    config TEXT NOT NULL DEFAULT '{}', summary TEXT NOT NULL DEFAULT '{}', system_metrics TEXT,
    UNIQUE (project_id, name)
);
CREATE TABLE run_tags (
    run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, position INTEGER NOT NULL, tag TEXT NOT NULL,
    PRIMARY KEY (run_id, position)
) WITHOUT ROWID;
-- Config and summary, flattened for filters and order. `number` has no type, so integers and floats stay apart
-- and compare exactly; NaN is stored as NULL and so equals nothing.
CREATE TABLE run_values (
    run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, path TEXT NOT NULL, kind TEXT NOT NULL,
    number, text TEXT, PRIMARY KEY (run_id, path)
) WITHOUT ROWID;
CREATE TABLE history (
    run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, line INTEGER NOT NULL, step NOT NULL,
    text TEXT NOT NULL, PRIMARY KEY (run_id, line)
) WITHOUT ROWID;
CREATE INDEX history_by_step ON history (run_id, step, line);
CREATE TABLE events (
    run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, line INTEGER NOT NULL, text TEXT NOT NULL,
    PRIMARY KEY (run_id, line)
) WITHOUT ROWID;
CREATE TABLE log_lines (
    run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, line INTEGER NOT NULL, text TEXT NOT NULL,
    PRIMARY KEY (run_id, line)
) WITHOUT ROWID;
CREATE TABLE history_keys (run_id INTEGER PRIMARY KEY REFERENCES runs ON DELETE CASCADE, state TEXT NOT NULL);
CREATE TABLE files (
    run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, name TEXT NOT NULL, blob TEXT NOT NULL,
    size INTEGER NOT NULL, md5 TEXT NOT NULL, mimetype TEXT NOT NULL, updated_at TEXT NOT NULL,
    PRIMARY KEY (run_id, name)
);
"""

_SWEEPS = """
CREATE TABLE sweeps (
    id INTEGER PRIMARY KEY AUTOINCREMENT, project_id INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE,
    name TEXT NOT NULL, display_name TEXT, state TEXT NOT NULL, description TEXT, config TEXT NOT NULL,
    controller TEXT, scheduler TEXT, created_at TEXT NOT NULL, updated_at TEXT NOT NULL, UNIQUE (project_id, name)
);
CREATE INDEX runs_by_sweep ON runs (project_id, sweep);
"""

MIGRATIONS = (_FIRST, _SWEEPS)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a database to the newest version; each migration is one transaction."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise RuntimeError(f"the data directory was written by a newer server (version {version})")
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")
