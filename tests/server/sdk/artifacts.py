"""A script for the official SDK's interpreter: log, use, read, change and delete artifacts, and write the results."""

from __future__ import annotations

import json
import sys
import threading
from datetime import timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# Untyped, and installed only in the environment of the SDK.
wandb: Any = import_module("wandb")

ENTITY, PROJECT = "local", "oracle"
BIG = bytes(range(256)) * 4_000


def snapshot(folder: str) -> dict[str, int]:
    """Return the files below a folder and their sizes."""
    root = Path(folder)
    return {
        str(path.relative_to(root)): path.stat().st_size for path in sorted(root.rglob("*")) if path.is_file()
    }


def about(artifact: Any) -> dict[str, object]:
    """Return the SDK's attributes of a version."""
    return {
        "name": artifact.name,
        "qualified_name": artifact.qualified_name,
        "version": artifact.version,
        "type": artifact.type,
        "aliases": sorted(artifact.aliases),
        "tags": sorted(artifact.tags),
        "description": artifact.description,
        "metadata": artifact.metadata,
        "ttl": artifact.ttl and artifact.ttl.total_seconds(),
        "state": artifact.state,
        "digest": artifact.digest,
        "size": artifact.size,
        "file_count": artifact.file_count,
        "source": [artifact.source_entity, artifact.source_project, artifact.source_name],
        "entries": {
            path: [entry.digest, entry.size, entry.ref] for path, entry in artifact.manifest.entries.items()
        },
    }


def make_files() -> Path:
    """Make a folder to log."""
    data = Path("data")
    (data / "deep" / "er").mkdir(parents=True)
    (data / "a.txt").write_text("first")
    (data / "deep" / "er" / "ünïcode ✓.bin").write_bytes(BIG)
    (data / "same.txt").write_text("first")
    Path("far").mkdir()
    Path("far/steady.txt").write_text("never changed")
    return data


def served(folder: Path) -> str:
    """Serve a folder over HTTP, for references."""
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"


def dataset(data: Path, far: str) -> Any:
    """Make a version with all kinds of contents."""
    artifact = wandb.Artifact(
        "digits",
        type="dataset",
        description="some digits",
        metadata={"rows": 3, "nested": {"a": [1.5, None]}},
    )
    artifact.ttl = timedelta(hours=2)
    artifact.add_dir(str(data))
    artifact.add_file(str(data / "a.txt"), name="renamed/a.txt")
    with artifact.new_file("made.json") as file:
        json.dump({"x": 1}, file)
    artifact.add_reference(f"{far}/steady.txt", name="http.txt")
    artifact.add_reference(Path("far/steady.txt").absolute().as_uri(), name="file.txt")
    return artifact


def picture() -> dict[str, Any]:
    """Make an image to log, if the environment has the SDK's image library."""
    if find_spec("PIL") is None:
        return {}
    return {"image": wandb.Image(import_module("numpy").zeros((4, 5, 3), dtype="uint8"))}


def write(record: dict[str, Any], data: Path, far: str) -> None:
    """Log several versions, a table, an image and files."""
    run = wandb.init(project=PROJECT, name="maker", job_type="make")
    first = run.log_artifact(dataset(data, far), aliases=["latest", "best"], tags=["raw", "year 2024"])
    first.wait()
    record["first"] = about(first)
    again = run.log_artifact(dataset(data, far), aliases=["again"]).wait()
    record["unchanged"] = [again.version, sorted(wandb.Api().artifact(f"{PROJECT}/digits:v0").aliases)]
    (data / "a.txt").write_text("changed")
    second = run.log_artifact(dataset(data, far)).wait()
    record["second"] = [second.version, sorted(second.aliases)]

    run.log({"loss": 0.5})
    table = wandb.Table(columns=["x", "y"], data=[[1, "a"], [2, "b"]])
    run.log({"table": table, "page": wandb.Html("<b>bold</b>"), **picture()})
    Path("saved/in").mkdir(parents=True)
    Path("saved/in/folder.txt").write_text("saved")
    run.save("saved/in/folder.txt", base_path=".")
    pointers = wandb.Artifact("pointers", type="dataset")
    pointers.add_reference("abfs://container/key.bin", name="far.bin", checksum=False)
    record["pointers"] = about(run.log_artifact(pointers).wait())
    model = wandb.Artifact("weights", type="model")
    with model.new_file("w.json") as file:
        json.dump([0.5], file)
    record["linked"] = about(
        run.link_artifact(run.log_artifact(model).wait(), f"{PROJECT}/registered", aliases=["prod"])
    )
    record["maker"] = run.id
    run.finish()

    user = wandb.init(project=PROJECT, name="user")
    used = user.use_artifact("digits:best")
    record["used"] = [used.version, snapshot(used.download(root="used"))]
    user.finish()
    record["user"] = user.id


def read(record: dict[str, Any]) -> None:
    """Read everything back."""
    api = wandb.Api()
    best = api.artifact(f"{ENTITY}/{PROJECT}/digits:best", type="dataset")
    record["best"] = about(best)
    for cached in Path("cache").rglob("*"):
        # The folders stay: the SDK reads the free space of its cache folder.
        if cached.is_file():
            cached.unlink()
    root = best.download(root="best")
    record["downloaded"] = snapshot(root)
    best.verify(root)
    Path("best/a.txt").write_text("tampered")
    try:
        best.verify(root)
        record["verified"] = "wrongly"
    except ValueError as error:
        record["verified"] = type(error).__name__
    record["one_file"] = Path(best.get_entry("made.json").download(root="one")).read_text()
    record["files"] = sorted([file.name, file.size, file.mimetype] for file in best.files(per_page=2))
    record["named_files"] = [file.name for file in best.files(names=["a.txt"])]
    record["versions"] = [
        [each.version, sorted(each.tags)]
        for each in api.artifacts("dataset", f"{PROJECT}/digits", per_page=1)
    ]
    record["tagged"] = [each.version for each in api.artifacts("dataset", f"{PROJECT}/digits", tags="raw")]
    record["types"] = sorted(each.name for each in api.artifact_types(PROJECT))
    record["collections"] = sorted(each.name for each in api.artifact_collections(PROJECT, "dataset"))
    collection = api.artifact_collection("dataset", f"{PROJECT}/digits")
    record["collection"] = [
        collection.name,
        collection.type,
        sorted(collection.aliases),
        collection.is_sequence(),
    ]
    record["exists"] = [
        api.artifact_exists(f"{PROJECT}/digits:best"),
        api.artifact_exists(f"{PROJECT}/digits:v9"),
        api.artifact_collection_exists(f"{PROJECT}/digits", "dataset"),
        api.artifact_collection_exists(f"{PROJECT}/nope", "dataset"),
    ]
    record["used_by"] = [run.id for run in best.used_by()]
    record["logged_by"] = best.logged_by().id
    maker, user = api.run(f"{PROJECT}/{record['maker']}"), api.run(f"{PROJECT}/{record['user']}")
    record["logged"] = sorted(
        each.name.partition(":")[0].removeprefix(f"run-{maker.id}-")
        for each in maker.logged_artifacts(per_page=2)
    )
    record["used_artifacts"] = [each.name for each in user.used_artifacts()]
    record["run_files"] = sorted(
        file.name for file in maker.files() if file.name.startswith(("media", "saved"))
    )
    table = api.artifact(f"{PROJECT}/run-{maker.id}-table:latest").get("table")
    record["table"] = [table.columns, table.data]
    record["summary"] = {
        key: dict(value) for key, value in maker.summary.items() if key in {"image", "table", "page"}
    }
    record["page"] = maker.file(maker.summary["page"]["path"]).download(root="media", replace=True).read()
    registered = api.artifact(f"{PROJECT}/registered:prod")
    record["registered"] = [
        registered.source_name,
        registered.is_link,
        json.loads(Path(registered.download(root="linked"), "w.json").read_text()),
    ]


def change(record: dict[str, Any]) -> None:
    """Change everything that can be changed, read it again, and delete."""
    api = wandb.Api()
    second = api.artifact(f"{PROJECT}/digits:v1")
    second.description, second.metadata["more"], second.ttl = "better", "yes", None
    second.aliases.append("prod")
    second.aliases.append("best")
    second.tags = ["clean"]
    second.save()
    record["changed"] = about(wandb.Api().artifact(f"{PROJECT}/digits:best"))
    second.aliases.remove("prod")
    second.save()
    record["alias_gone"] = sorted(wandb.Api().artifact(f"{PROJECT}/digits:v1").aliases)
    collection = api.artifact_collection("dataset", f"{PROJECT}/digits")
    collection.description, collection.tags, collection.name = "all digits", ["kept"], "numbers"
    collection.save()
    renamed = wandb.Api().artifact_collection("dataset", f"{PROJECT}/numbers")
    record["renamed"] = [renamed.description, list(renamed.tags)]
    draft = api.artifact(f"{PROJECT}/numbers:v1").new_draft()
    with draft.new_file("extra.txt") as file:
        file.write("more")
    draft.remove("made.json")
    run = wandb.init(project=PROJECT)
    third = run.log_artifact(draft).wait()
    record["draft"] = [third.version, sorted(third.manifest.entries)]
    run.log_artifact(third, aliases=None)
    run.finish()
    try:
        wandb.Api().artifact(f"{PROJECT}/numbers:v1").delete()
        record["deleted"] = "wrongly"
    except Exception as error:  # noqa: BLE001 - what it is depends on the version
        record["deleted"] = str(error)
    wandb.Api().artifact(f"{PROJECT}/numbers:v1").delete(delete_aliases=True)
    wandb.Api().artifact(f"{PROJECT}/registered:v0").unlink()
    record["left"] = [each.version for each in wandb.Api().artifacts("dataset", f"{PROJECT}/numbers")]
    record["unlinked"] = wandb.Api().artifact_exists(f"{PROJECT}/registered:v0")
    wandb.Api().artifact_collection("dataset", f"{PROJECT}/numbers").delete()
    record["collections_left"] = [each.name for each in wandb.Api().artifact_collections(PROJECT, "dataset")]


def main(result: Path) -> None:
    """Perform all steps, and write the record to ``result`` even after an error."""
    record: dict[str, Any] = {}
    data = make_files()
    try:
        write(record, data, served(Path("far")))
        read(record)
        change(record)
    finally:
        result.write_text(json.dumps(record, default=str))


main(Path(sys.argv[1]))
