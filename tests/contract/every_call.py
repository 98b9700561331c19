"""Every public call that sends a request, on both clients, for tests of rules that hold for all calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypedDict

from tests.contract.both_clients import Face
from tests.contract.test_sweeps import make_sweep
from tests.contract.untyped import Untyped, listed, taken

from runql import Api, AsyncRun, Run
from runql_server.running import RunningServer
from runql_server.seed import SeedRun
from runql_server.seed_artifacts import SeedArtifact

ROWS: Final = 40
FILE: Final = "notes.txt"


class LossRow(TypedDict):
    """A row that has the metric of every run."""

    loss: float


class NoKeys(TypedDict, total=False):
    """A summary that every run has."""

    nothing: int


@dataclass
class Subjects:
    """Objects on which the calls are made, read before any failure.

    Attributes:
        face: the client of the objects.
        api: the entry point.
        home: path of the project.
        sweep_id: id of a sweep with both runs.
        folder: for files.
    """

    face: Face
    api: Untyped
    home: str
    sweep_id: str
    folder: Path

    def __post_init__(self) -> None:
        face, api = self.face, self.api
        self.run = taken(face, api.run(f"{self.home}/one"))
        self.light_run = listed(face, taken(face, api.runs(self.home, lazy=True, per_page=1)))[0]
        self.project = taken(face, api.project(self.home))
        self.sweep = taken(face, api.sweep(f"{self.home}/{self.sweep_id}"))
        self.file = taken(face, self.run.file(FILE))
        self.artifact = taken(face, api.artifact(f"{self.home}/rows:v1"))
        self.kind = taken(face, api.artifact_type("dataset", self.home))
        self.collection = taken(face, api.artifact_collection("dataset", f"{self.home}/rows"))
        self.upload = self.folder / "up.txt"
        self.upload.write_text("up")

    def take(self, answer: Untyped) -> Untyped:
        """Return or await the result of a call."""
        return taken(self.face, answer)

    def all(self, many: Untyped) -> Untyped:
        """Iterate to the end."""
        return listed(self.face, many)

    def edited(self, subject: Untyped, name: str, value: object) -> Untyped:
        """Return the subject with an unsaved change."""
        setattr(subject, name, value)
        return subject

    def runs(self, **options: Untyped) -> Untyped:
        """Return a list of the project's runs without loaded pages."""
        return self.take(self.api.runs(self.home, **options))

    def create(self) -> Untyped:
        """Create a run."""
        make: Untyped = Run if isinstance(self.api, Api) else AsyncRun
        entity, project = self.home.split("/")
        return self.take(make.create(self.api, run_id="one", project=project, entity=entity))


Call = Callable[[Subjects], Untyped]

READING: Final[dict[str, Call]] = {
    "run": lambda on: on.take(on.api.run(f"{on.home}/one")),
    "run.load": lambda on: on.face.load(on.run, force=True),
    "light run.load": lambda on: on.face.load(on.light_run),
    "run.history": lambda on: on.take(on.run.history(pandas=False)),
    "run.history(keys)": lambda on: on.take(on.run.history(keys=["loss"], pandas=False)),
    "run.history(system)": lambda on: on.take(on.run.history(stream="system", pandas=False)),
    "run.scan_history": lambda on: on.all(on.run.scan_history(page_size=10)),
    "run.scan_history(keys)": lambda on: on.all(on.run.scan_history(keys=["loss"])),
    "run.scan_history.to_polars": lambda on: on.take(on.run.scan_history(page_size=2).to_polars()),
    "run.scan_history(row)": lambda on: on.all(on.run.scan_history(row=LossRow)),
    "run.lastHistoryStep": lambda on: on.take(on.run.lastHistoryStep),
    "run.wait_until_finished": lambda on: on.face.wait(on.run, 0),
    "run.files": lambda on: on.all(on.run.files()),
    "run.files(pattern)": lambda on: on.all(on.run.files(pattern="%.txt")),
    "run.file": lambda on: on.take(on.run.file(FILE)),
    "run.logged_artifacts": lambda on: on.all(on.run.logged_artifacts()),
    "run.used_artifacts": lambda on: on.all(on.run.used_artifacts()),
    "runs": lambda on: on.all(on.runs()),
    "runs(lazy)": lambda on: on.all(on.runs(lazy=True)),
    "runs.typed": lambda on: on.all(on.runs().typed(summary=NoKeys)),
    "runs.length": lambda on: on.take(on.runs().length),
    "runs.first": lambda on: on.take(on.runs().first()),
    "runs.one": lambda on: on.take(on.runs(filters={"name": "one"}).one()),
    "runs.histories": lambda on: on.take(on.runs().histories(format="default")),
    "runs.to_polars": lambda on: on.take(on.runs().to_polars()),
    "runs.scan_histories": lambda on: on.all(on.runs().scan_histories()),
    "sweep of a listed run": lambda on: on.take(on.light_run.sweep),
    "sweep": lambda on: on.take(on.api.sweep(f"{on.home}/{on.sweep_id}")),
    "sweep.runs": lambda on: on.all(on.sweep.runs),
    "project": lambda on: on.take(on.api.project(on.home)),
    "project.runs": lambda on: on.all(on.project.runs()),
    "project.sweeps": lambda on: on.all(on.project.sweeps()),
    "artifact": lambda on: on.take(on.api.artifact(f"{on.home}/rows:v1")),
    "artifact_exists": lambda on: on.take(on.api.artifact_exists(f"{on.home}/rows:v1")),
    "artifacts": lambda on: on.all(on.take(on.api.artifacts("dataset", f"{on.home}/rows"))),
    "artifact_types": lambda on: on.all(on.take(on.api.artifact_types(on.home))),
    "artifact_type": lambda on: on.take(on.api.artifact_type("dataset", on.home)),
    "artifact_collections": lambda on: on.all(on.take(on.api.artifact_collections(on.home, "dataset"))),
    "artifact_collection": lambda on: on.take(on.api.artifact_collection("dataset", f"{on.home}/rows")),
    "type.collections": lambda on: on.all(on.kind.collections()),
    "collection.artifacts": lambda on: on.all(on.collection.artifacts()),
    "artifact.manifest": lambda on: on.take(on.artifact.manifest),
    "project.collections": lambda on: on.all(on.project.collections()),
    "run.console_logs(last)": lambda on: on.all(on.run.console_logs(last=5)),
    "run.console_logs": lambda on: on.all(on.run.console_logs()),
    "artifact.files": lambda on: on.all(on.artifact.files()),
    "artifact.used_by": lambda on: on.take(on.artifact.used_by()),
    "artifact.logged_by": lambda on: on.take(on.artifact.logged_by()),
}
"""Calls that read one object, which the response identifies."""

DOWNLOADING: Final[dict[str, Call]] = {
    "artifact.download": lambda on: on.take(on.artifact.download(on.folder / "artifact")),
    "files.download": lambda on: on.take(on.run.files().download(on.folder / "files")),
}
"""Calls that read a list, and then its items."""

WRITING: Final[dict[str, Call]] = {
    "Run.create": lambda on: on.create(),
    "run.update": lambda on: on.take(on.edited(on.run, "notes", "changed").update()),
    "run.update(if_unchanged)": lambda on: on.take(
        on.edited(on.run, "notes", "again").update(if_unchanged=True)
    ),
    "run.summary.update": lambda on: on.take(on.run.summary.update({"loss": 7})),
    "run.use_artifact": lambda on: on.take(on.run.use_artifact(on.artifact)),
    "run.log_artifact": lambda on: on.take(on.run.log_artifact(on.artifact)),
    "artifact.save": lambda on: on.take(on.edited(on.artifact, "description", "changed").save()),
    "collection.save": lambda on: on.take(on.edited(on.collection, "description", "changed").save()),
    "create_project": lambda on: on.take(on.api.create_project(*reversed(on.home.split("/")))),
}
"""Calls that write, with a response about the written object."""

UNNAMED: Final[dict[str, Call]] = {
    "capabilities": lambda on: on.take(on.api.capabilities()),
    "users": lambda on: on.take(on.api.users("l")),
    "projects": lambda on: on.all(on.take(on.api.projects())),
    "run.upload_file": lambda on: on.take(on.run.upload_file("up.txt", root=on.folder)),
    "file.download": lambda on: on.take(on.file.download(on.folder / "file")),
    "file.delete": lambda on: on.take(on.file.delete()),
    "artifact.save(aliases)": lambda on: on.take(on.edited(on.artifact, "aliases", ["new"]).save()),
    "artifact.delete": lambda on: on.take(on.artifact.delete()),
    "collection.save(tags)": lambda on: on.take(on.edited(on.collection, "tags", ["new"]).save()),
    "collection.delete": lambda on: on.take(on.collection.delete()),
    "run.stop": lambda on: on.take(on.run.stop()),
    "run.update_state": lambda on: on.take(on.run.update_state("failed")),
    "run.delete": lambda on: on.take(on.run.delete()),
}
"""Calls whose responses identify no object."""

EVERY: Final[dict[str, Call]] = READING | DOWNLOADING | WRITING | UNNAMED


def furnish(server: RunningServer, project: str) -> str:
    """Seed all objects of the calls, and return the sweep's id."""
    sweep = make_sweep(server, project)
    rows = [{"loss": 1.0 / (step + 1), "acc": step} for step in range(ROWS)]
    server.seed(
        project,
        [
            SeedRun(name=name, sweep=sweep, config={"name": name}, history=rows, events=[{"cpu": 1}])
            for name in ("one", "two")
        ],
    )
    server.seed_artifacts(
        project,
        [
            SeedArtifact(
                name="rows", files={"a.csv": b"a\n"}, aliases=("old",), logged_by="two", used_by=("two",)
            ),
            SeedArtifact(name="rows", files={"a.csv": b"b\n"}, logged_by="one", used_by=("one",)),
            SeedArtifact(name="others", files={"a.csv": b"c\n"}),
            SeedArtifact(name="net", type="model", files={"w": b"w"}),
        ],
    )
    return sweep
