"""The calls of the matrix: every public call that sends a request, with what a test must know about it."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from typing import Final

from tests.contract import every_call
from tests.contract.every_call import FILE, Call, Subjects
from tests.contract.own_queries.test_execute import run_names, runs_of
from tests.contract.untyped import Untyped
from tests.faults.matrix.archives import exported, imported
from tests.faults.matrix.faults import Errors
from tests.faults.matrix.front import Kind

from runql import (
    ArchiveError,
    ArtifactDamagedError,
    DeletionRefusedError,
    DeletionUnconfirmedError,
    HistoryNotExportedError,
    IncompleteHistoriesError,
    IncompleteHistoryError,
    IncompleteUpdateError,
    ManifestError,
    NotFoundError,
    UnreadableTableError,
    UnreadableValueError,
)

TABLE: Final = "scores"
TABLE_FILE: Final = "media/table/scores.table.json"
TABLE_DOCUMENT: Final = json.dumps(
    {"_type": "table", "columns": ["a"], "data": [[1], [2]], "nrows": 2, "ncols": 1}
).encode()


def _quiet(call: Call) -> Call:
    """Make the call without its deprecation warning."""

    def made(on: Subjects) -> Untyped:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return call(on)

    return made


def _on(on: Subjects) -> Untyped:
    """Return the subjects without types: those of the matrix have more objects."""
    return on


def _own(on: Subjects) -> Untyped:
    entity, project = on.home.split("/")
    return run_names(project, entity, 1)


def _sunk(on: Subjects) -> Untyped:
    return on.take(on.runs().scan_histories(format="arrow").sink_parquet(on.folder / "all.parquet"))


_MORE: Final[dict[str, Call]] = {
    "viewer": lambda on: on.take(on.api.viewer),
    "default_entity": lambda on: on.take(on.api.default_entity),
    "from_path(run)": lambda on: on.take(on.api.from_path(f"{on.home}/one")),
    "from_path(project)": lambda on: on.take(on.api.from_path(on.home)),
    "user": lambda on: on.take(on.api.user("local")),
    "artifact_versions": _quiet(
        lambda on: on.all(on.take(on.api.artifact_versions("dataset", f"{on.home}/rows")))
    ),
    "artifact_collection_exists": lambda on: on.take(
        on.api.artifact_collection_exists(f"{on.home}/rows", "dataset")
    ),
    "artifact.collection": lambda on: on.take(on.artifact.collection),
    "artifact.source_collection": lambda on: on.take(on.artifact.source_collection),
    "artifact.entries": lambda on: on.take(on.artifact.entries),
    "artifact.get_entry": lambda on: on.take(on.artifact.get_entry("a.csv")),
    "artifact.get": lambda on: on.take(_on(on).tables.get(TABLE)),
    "artifact.file": lambda on: on.take(on.artifact.file(on.folder / "single")),
    "entry.download": lambda on: on.take(_on(on).entry.download(on.folder / "entry")),
    "artifact file.download": lambda on: on.take(_on(on).artifact_file.download(on.folder / "artifact-file")),
    "artifacts.first": lambda on: on.take(on.take(on.api.artifacts("dataset", f"{on.home}/rows")).first()),
    "artifacts.length": lambda on: on.take(on.take(on.api.artifacts("dataset", f"{on.home}/rows")).length),
    "type.collection": lambda on: on.take(on.kind.collection("rows")),
    "project.artifacts_types": lambda on: on.all(on.project.artifacts_types()),
    "run.load_full_data": lambda on: on.take(on.light_run.load_full_data()),
    "run.metadata": lambda on: on.take(on.run.metadata),
    "run.table": lambda on: on.take(on.run.table(TABLE)),
    "run.beta_scan_history": _quiet(lambda on: on.all(on.run.beta_scan_history())),
    "run.download_history": lambda on: on.take(_on(on).exported.download_history(on.folder / "history")),
    "exported.scan_history": lambda on: on.all(_on(on).exported.scan_history()),
    "exported.scan_history.to_polars": lambda on: on.take(_on(on).exported.scan_history().to_polars()),
    "run.scan_history.to_pandas": lambda on: on.take(on.run.scan_history().to_pandas()),
    "run.scan_history.to_arrow": lambda on: on.take(on.run.scan_history().to_arrow()),
    "runs(paged)": lambda on: on.all(on.runs(per_page=1)),
    "runs(filtered)": lambda on: on.all(on.runs(filters={"config.name": "one"})),
    "runs.histories(polars)": lambda on: on.take(on.runs().histories(format="polars")),
    "runs.histories(keys)": lambda on: on.take(on.runs().histories(keys=["loss"], format="default")),
    "runs.scan_histories.collect": lambda on: on.take(on.runs().scan_histories(format="polars").collect()),
    "runs.scan_histories.sink_parquet": _sunk,
    "runs.scan_histories.split": lambda on: [
        repr(part).replace("Async", "")
        for part in on.take(on.runs().scan_histories(format="polars").split(2))
    ],
    "runs.split": lambda on: [repr(part).replace("Async", "") for part in on.take(on.runs().split(2))],
    "runs.to_pandas": lambda on: on.take(on.runs().to_pandas()),
    "runs.to_arrow": lambda on: on.take(on.runs().to_arrow()),
    "runs.next": lambda on: on.take(on.runs(per_page=1).next()),
    "sweep.load": lambda on: on.face.load(on.sweep, force=True),
    "sweep.best_run": lambda on: on.take(on.sweep.best_run()),
    "sweeps.first": lambda on: on.take(on.project.sweeps().first()),
    "files.length": lambda on: on.take(on.run.files().length),
    "project.export": exported,
    "client.execute": lambda on: on.take(on.api.client.execute(_own(on))),
    "client.pages": lambda on: on.all(on.api.client.pages(_own(on), connection=runs_of)),
}

_MORE_WRITING: Final[dict[str, Call]] = {
    "create_run": lambda on: on.take(
        on.api.create_run(run_id="two", project=on.home.partition("/")[2], entity=on.home.partition("/")[0])
    ),
    "run.save": _quiet(lambda on: on.take(on.edited(on.run, "notes", "saved").save())),
    "run.update(config)": lambda on: on.take(
        on.edited(on.run, "config", {"name": "other", "lr": 1}).update()
    ),
    "run.stop": lambda on: on.take(_on(on).live.stop()),
    "run.update_state": lambda on: on.take(_on(on).live.update_state("failed")),
    "import_project": imported,
    # The version that has other aliases is deleted with them.
    "artifact.delete": lambda on: on.take(on.artifact.delete(delete_aliases=True)),
}

_LOADS: Final = "loads a listed run on the sync client, as light run.load does"
_STREAMS: Final = "passes on the portions of an iteration, which has cells"
EXCLUDED: Final[dict[str, str]] = {
    **{
        f"{name}.{member}": _STREAMS
        for name in ("HistoriesScan", "HistoryScan", "Runs")
        for member in ("__arrow_c_stream__", "iter_batches", "lazy", "to_arrow_reader")
    },
    "Artifact.get_path": "a deprecated name of get_entry, with its code",
    "Artifact.source_artifact": "sends a request for links alone, and the embedded server makes none",
    "Artifact.unlink": "the embedded server makes no links",
    "Artifact.verify": "reads local files; its requests are those of artifact.manifest",
    "Run.download_history_exports": "a deprecated name of download_history, with its code",
    "Run.config": _LOADS,
    "Run.config_as": _LOADS,
    "Run.summary": _LOADS,
    "Run.summary_as": _LOADS,
    "RetryingClient.run": "performs a flow; every call of the matrix goes through it",
}
"""Public members that send requests and are in no cell."""

_HISTORIES: Final[Errors] = (IncompleteHistoriesError, IncompleteHistoryError)
_DELETIONS: Final[Errors] = (DeletionUnconfirmedError, DeletionRefusedError)
_ARTIFACTS: Final[Errors] = (ManifestError, ArtifactDamagedError, UnreadableTableError)
_FETCHING: Final = frozenset(
    {
        *("artifact.manifest", "artifact.entries", "artifact.get_entry", "artifact.get", "artifact.file"),
        *("artifact.download", "entry.download", "artifact file.download", "files.download", "file.download"),
        *("run.metadata", "run.table", "run.download_history"),
        *("exported.scan_history", "exported.scan_history.to_polars", "project.export"),
    }
)
_ONCE_ONLY: Final = frozenset(
    {
        *("file.delete", "run.delete", "artifact.delete", "collection.delete"),
        "run.update_state",
        "collection.save(tags)",
        # The server chooses the id of a sweep, so that a second request would make a second one.
        "import_project",
    }
)


@dataclass(frozen=True)
class Called:
    """One call of the matrix.

    Attributes:
        name: its name.
        make: makes it.
        writes: it changes what the server stores.
        resends: all of its requests may be sent again after a lost response.
        kinds: the requests that it sends.
        errors: what it raises in place of the errors of single requests.
        keeps: it keeps hidden files after a failure, to resume.
    """

    name: str
    make: Call
    writes: bool
    resends: bool
    kinds: frozenset[Kind]
    errors: Errors
    keeps: bool


def _called(name: str, make: Call, *, writes: bool) -> Called:
    kinds: set[Kind] = set()
    if name != "file.download":
        kinds.add("operation")
    if name in _FETCHING:
        kinds.add("storage")
    if name in {"run.upload_file", "import_project"}:
        kinds.add("upload")
    errors: Errors = ()
    if "histor" in name.lower():
        errors += (*_HISTORIES, HistoryNotExportedError)
    if name.endswith("delete"):
        errors += _DELETIONS
    if name.endswith(("delete", "stop")):
        # An error after the deletion was carried out: the object is not there.
        errors += (NotFoundError,)
    if name in {"run.metadata", "run.table"}:
        errors += (UnreadableValueError,)
    if "artifact" in name or name in {"entry.download", "run.table"}:
        errors += _ARTIFACTS
    if "update" in name or "save" in name:
        errors += (IncompleteUpdateError,)
    if name in {"project.export", "import_project"}:
        errors += (ArchiveError, NotFoundError)
    return Called(
        name,
        make,
        writes,
        name not in _ONCE_ONLY,
        frozenset(kinds),
        errors,
        keeps=name.endswith("sink_parquet") or name in {"project.export", "import_project"},
    )


_WRITES: Final = (
    every_call.WRITING.keys()
    | _MORE_WRITING.keys()
    | {
        *(
            "run.upload_file",
            "file.delete",
            "artifact.save(aliases)",
            "artifact.delete",
            "collection.save(tags)",
        ),
        *("collection.delete", "run.stop", "run.update_state", "run.delete"),
    }
)
CALLS: Final[dict[str, Called]] = {
    name: _called(name, make, writes=name in _WRITES)
    for name, make in (every_call.EVERY | _MORE | _MORE_WRITING).items()
}
__all__ = ["CALLS", "EXCLUDED", "FILE", "Called"]
