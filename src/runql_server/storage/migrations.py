"""The tables as numbered migrations; ``PRAGMA user_version`` counts the applied ones."""

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

# A version is a row of `artifacts`. It gets its number, and so its name, when a commit makes it a member of its
# sequence. Digests are base64 MD5 strings. Bytes belong to the entity: two versions with the same file share them.
_ARTIFACTS = """
CREATE TABLE artifact_types (
    id INTEGER PRIMARY KEY AUTOINCREMENT, project_id INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE,
    name TEXT NOT NULL, description TEXT, created_at TEXT NOT NULL, UNIQUE (project_id, name)
);
CREATE TABLE artifact_collections (
    id INTEGER PRIMARY KEY AUTOINCREMENT, project_id INTEGER NOT NULL REFERENCES projects ON DELETE CASCADE,
    type_id INTEGER NOT NULL REFERENCES artifact_types, kind TEXT NOT NULL, name TEXT NOT NULL, description TEXT,
    versions_made INTEGER NOT NULL DEFAULT 0, created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
    UNIQUE (project_id, name)
);
CREATE TABLE artifacts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    sequence_id INTEGER NOT NULL REFERENCES artifact_collections ON DELETE CASCADE,
    run_id INTEGER REFERENCES runs ON DELETE SET NULL, user_id INTEGER NOT NULL REFERENCES users,
    state TEXT NOT NULL, digest TEXT NOT NULL, storage_layout TEXT NOT NULL DEFAULT 'V2',
    size INTEGER NOT NULL DEFAULT 0, storage_bytes INTEGER NOT NULL DEFAULT 0, file_count INTEGER NOT NULL DEFAULT 0,
    history_step INTEGER, ttl_seconds INTEGER, created_at TEXT NOT NULL, updated_at TEXT NOT NULL,
    wanted_aliases TEXT NOT NULL DEFAULT '[]', description TEXT, labels TEXT, metadata TEXT
);
CREATE INDEX artifacts_by_digest ON artifacts (sequence_id, digest);
CREATE INDEX artifacts_by_run ON artifacts (run_id);
CREATE TABLE artifact_client_ids (
    client_id TEXT PRIMARY KEY, artifact_id INTEGER REFERENCES artifacts ON DELETE CASCADE,
    collection_id INTEGER REFERENCES artifact_collections ON DELETE CASCADE
);
CREATE INDEX client_ids_by_artifact ON artifact_client_ids (artifact_id);
CREATE INDEX client_ids_by_collection ON artifact_client_ids (collection_id);
CREATE TABLE artifact_memberships (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    collection_id INTEGER NOT NULL REFERENCES artifact_collections ON DELETE CASCADE,
    artifact_id INTEGER NOT NULL REFERENCES artifacts ON DELETE CASCADE, version INTEGER NOT NULL,
    created_at TEXT NOT NULL, UNIQUE (collection_id, version), UNIQUE (artifact_id, collection_id)
);
CREATE TABLE artifact_aliases (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    collection_id INTEGER NOT NULL REFERENCES artifact_collections ON DELETE CASCADE,
    membership_id INTEGER NOT NULL REFERENCES artifact_memberships ON DELETE CASCADE, alias TEXT NOT NULL,
    UNIQUE (collection_id, alias)
);
CREATE INDEX aliases_by_membership ON artifact_aliases (membership_id);
CREATE TABLE artifact_tags (
    id INTEGER PRIMARY KEY AUTOINCREMENT, artifact_id INTEGER NOT NULL REFERENCES artifacts ON DELETE CASCADE,
    name TEXT NOT NULL, category TEXT NOT NULL, attributes TEXT NOT NULL, UNIQUE (artifact_id, name)
);
CREATE TABLE collection_tags (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    collection_id INTEGER NOT NULL REFERENCES artifact_collections ON DELETE CASCADE,
    name TEXT NOT NULL, category TEXT NOT NULL, attributes TEXT NOT NULL, UNIQUE (collection_id, name)
);
CREATE TABLE artifact_manifests (
    id INTEGER PRIMARY KEY AUTOINCREMENT, artifact_id INTEGER NOT NULL REFERENCES artifacts ON DELETE CASCADE,
    kind TEXT NOT NULL, base_id INTEGER, digest TEXT NOT NULL, blob TEXT, size INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL
);
CREATE INDEX manifests_by_artifact ON artifact_manifests (artifact_id);
CREATE TABLE artifact_entries (
    artifact_id INTEGER NOT NULL REFERENCES artifacts ON DELETE CASCADE, path TEXT NOT NULL, digest TEXT NOT NULL,
    ref TEXT, size INTEGER NOT NULL, birth TEXT NOT NULL, PRIMARY KEY (artifact_id, path)
) WITHOUT ROWID;
CREATE INDEX entries_by_digest ON artifact_entries (digest);
-- What a pending version has announced: its bytes are kept until the version is committed or deleted.
CREATE TABLE artifact_uploads (
    artifact_id INTEGER NOT NULL REFERENCES artifacts ON DELETE CASCADE, path TEXT NOT NULL, digest TEXT NOT NULL,
    PRIMARY KEY (artifact_id, path)
) WITHOUT ROWID;
CREATE INDEX uploads_by_digest ON artifact_uploads (digest);
CREATE TABLE artifact_blobs (
    entity_id INTEGER NOT NULL REFERENCES entities, digest TEXT NOT NULL, blob TEXT NOT NULL, size INTEGER NOT NULL,
    PRIMARY KEY (entity_id, digest)
) WITHOUT ROWID;
CREATE TABLE artifact_outputs (
    run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    artifact_id INTEGER NOT NULL REFERENCES artifacts ON DELETE CASCADE, PRIMARY KEY (run_id, artifact_id)
) WITHOUT ROWID;
CREATE INDEX outputs_by_artifact ON artifact_outputs (artifact_id);
CREATE TABLE artifact_inputs (
    run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    artifact_id INTEGER NOT NULL REFERENCES artifacts ON DELETE CASCADE, used_as TEXT NOT NULL,
    PRIMARY KEY (run_id, artifact_id, used_as)
) WITHOUT ROWID;
CREATE INDEX inputs_by_artifact ON artifact_inputs (artifact_id);
"""

# An export is pending while its file is written, then ready, and stale once one of its lines is overwritten. Line
# ranges are half-open; those of a run's ready exports are contiguous from 0.
_EXPORTS = """
CREATE TABLE history_exports (
    id INTEGER PRIMARY KEY AUTOINCREMENT, run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    start_line INTEGER NOT NULL, stop_line INTEGER NOT NULL, state TEXT NOT NULL, blob TEXT NOT NULL,
    created_at TEXT NOT NULL
);
CREATE INDEX exports_by_run ON history_exports (run_id, start_line);
"""

# A trial is a point of a search that an agent received; `run_name` is the id of its run. A bracket holds the best value
# of a run's metric after `iteration` history rows with that metric, NULL for NaN.
_AGENTS = """
CREATE TABLE sweep_agents (
    id INTEGER PRIMARY KEY AUTOINCREMENT, sweep_id INTEGER NOT NULL REFERENCES sweeps ON DELETE CASCADE,
    name TEXT NOT NULL, host TEXT NOT NULL, has_exited INTEGER NOT NULL DEFAULT 0, created_at TEXT NOT NULL,
    heartbeat_at TEXT NOT NULL, UNIQUE (sweep_id, name)
);
CREATE TABLE sweep_trials (
    id INTEGER PRIMARY KEY AUTOINCREMENT, sweep_id INTEGER NOT NULL REFERENCES sweeps ON DELETE CASCADE,
    agent_id INTEGER NOT NULL REFERENCES sweep_agents ON DELETE CASCADE, run_name TEXT NOT NULL,
    state TEXT NOT NULL, stopping INTEGER NOT NULL DEFAULT 0, args TEXT NOT NULL, UNIQUE (sweep_id, run_name)
);
CREATE INDEX trials_by_agent ON sweep_trials (agent_id);
CREATE TABLE sweep_brackets (
    run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, iteration INTEGER NOT NULL, value REAL,
    PRIMARY KEY (run_id, iteration)
) WITHOUT ROWID;
"""

# Rows that a fork copied from its parent, while its process counts lines without them.
_FORKS = "ALTER TABLE runs ADD COLUMN inherited_lines INTEGER NOT NULL DEFAULT 0;"

# Marks the numbers of objects that hold statistics of a metric, as `run_values` does. "/" sorts directly after ".".
_STATISTICS = """
CREATE TEMP TABLE summarized (run_id, path, PRIMARY KEY (run_id, path)) WITHOUT ROWID;
INSERT INTO summarized SELECT whole.run_id, whole.path FROM run_values AS whole WHERE whole.kind = 'map'
    AND NOT EXISTS (
        SELECT 1 FROM run_values AS member WHERE member.run_id = whole.run_id
        AND member.path > whole.path || '.' AND member.path < whole.path || '/'
        AND NOT (member.kind = 'number' AND substr(member.path, length(whole.path) + 2)
                 IN ('best', 'min', 'max', 'last', 'mean', 'first'))
    );
UPDATE run_values SET kind = 'statistic' WHERE EXISTS (
    SELECT 1 FROM summarized WHERE summarized.run_id = run_values.run_id
    AND run_values.path > summarized.path || '.' AND run_values.path < summarized.path || '/'
);
DROP TABLE summarized;
"""

_READ_ONLY_KEYS = "ALTER TABLE api_keys ADD COLUMN read_only INTEGER NOT NULL DEFAULT 0;"

# What pages draw of long histories and events: see `curves`. Chunks of an axis are contiguous from the first line.
_CURVES = """
CREATE TABLE curve_progress (
    run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, stream TEXT NOT NULL, x TEXT NOT NULL,
    chunks INTEGER NOT NULL, revision INTEGER NOT NULL, PRIMARY KEY (run_id, stream, x)
) WITHOUT ROWID;
CREATE TABLE curve_chunks (
    run_id INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE, stream TEXT NOT NULL, x TEXT NOT NULL, key TEXT NOT NULL,
    chunk INTEGER NOT NULL, x_start REAL NOT NULL, x_stop REAL NOT NULL, not_finite INTEGER NOT NULL,
    coarse BLOB NOT NULL, fine BLOB NOT NULL, UNIQUE (run_id, stream, x, key, chunk)
);
"""

BEFORE_STATISTICS = 6
MIGRATIONS = (_FIRST, _SWEEPS, _ARTIFACTS, _EXPORTS, _AGENTS, _FORKS, _STATISTICS, _READ_ONLY_KEYS, _CURVES)


def migrate(connection: sqlite3.Connection) -> None:
    """Migrate a database to the newest version; each migration is one transaction."""
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(MIGRATIONS):
        raise RuntimeError(f"the data directory was written by a newer server (version {version})")
    for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
        connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nPRAGMA user_version = {number};\nCOMMIT;")
