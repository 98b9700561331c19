"""A project that is hard to take along: names, values, files, artifacts and links of every odd kind."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

from runql import Api
from runql.transport.flow import Flow, fetch
from runql_graphql.input_types import LinkArtifactInput, UpsertSweepInput
from runql_graphql.operations import create_sweep, link_artifact
from runql_server.lenient_json import JsonInput
from runql_server.running import RunningServer
from runql_server.seed import SeedRun
from runql_server.seed_artifacts import SeedArtifact, SeedReference

PROJECT = "hostile"
PATH = f"local/{PROJECT}"
LONG = 5_300
"""Rows of the run that is scanned alone."""
SCRIPT = "</script><script>alert(1)</script>\u202e\x07"
BEGUN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FILES = {
    "naïve ✓.txt": b"\x00\xff",
    "deep/er/empty": b"",
    "CON.txt": b"a device",
    "trailing dot.": b"dot",
    "colon:and*star?.txt": b"windows",
    "Case.txt": b"upper",
    "case.txt": b"lower",
    "..hidden": b"dots",
    ".dotted": b"hidden",
    "a" * 180 + ".bin": bytes(range(256)) * 40,
}
ODD_VALUES: dict[str, JsonInput] = {
    "nan": math.nan,
    "inf": math.inf,
    "-inf": -math.inf,
    "big": 2**63,
    "huge": -(10**40),
    "most": 2**63 - 1,
    "tiny": 5e-324,
    "minus zero": -0.0,
    "whole": 1.0,
    "none": None,
    "nested": {"a": [1, None, {"b": 2.5, "": "x"}], "nan": [math.nan]},
    "media": {"_type": "image-file", "path": "media/dot.png", "size": 3},
    "list": [],
    "text": SCRIPT,
    "half": "\ud83d",
    "": "no name",
    "#run": "as the archive names its own column",
    "#rest": {"x": 1},
    "run_id": "as frames name theirs",
    "a.b": 1,
    "größe": "grün",
    "on": True,
}


def rows() -> list[dict[str, JsonInput]]:
    """Rows with keys that come and go and change their type."""
    return [
        {"_step": 0, "loss": 1, **ODD_VALUES},
        {"_step": 1, "loss": 0.5, "nan": 1.5, "text": 7, "on": None},
        {"_step": 7, "loss": "not a number"},
        {"_step": 8},
        {"_step": 2_000, "loss": 0.25, "big": 3},
    ]


def seed(server: RunningServer, folder: Path) -> None:
    """Fill the project; ``folder`` takes files meanwhile."""
    with Api(base_url=server.url, api_key=server.api_key) as api:
        api.create_project(PROJECT)
        sweep = api.client.run(_create_sweep())
        server.seed(PROJECT, _runs(sweep))
        for name, content in FILES.items():
            path = folder / "upload" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        run = api.run(f"{PATH}/odd")
        for name in FILES:
            run.upload_file(folder / "upload" / name, folder / "upload")
        api.run(f"{PATH}/Ünïcode ✓").upload_file(folder / "upload" / "Case.txt", folder / "upload")
        server.seed_artifacts(PROJECT, _artifacts())
        first = api.artifact(f"{PATH}/digits:first")
        api.client.run(_link(first.id))
        collection = first.collection
        collection.description = f"all digits {SCRIPT}"
        collection.tags = ["kept"]
        collection.save()


def _create_sweep() -> Flow[str]:
    config = (
        "method: grid\nmetric: {name: loss, goal: minimize}\nparameters: {lr: {values: [1.0e-05, 0.5]}}\n"
    )
    wanted = UpsertSweepInput(
        entityName="local", projectName=PROJECT, config=config, displayName=f"größe {SCRIPT}", description="d"
    )
    made = (yield from fetch(create_sweep(input=wanted))).upsert_sweep
    assert made
    assert made.sweep
    return made.sweep.name


def _link(artifact: str) -> Flow[None]:
    wanted = LinkArtifactInput(
        artifactID=artifact,
        artifactPortfolioName="shelf",
        entityName="local",
        projectName=PROJECT,
        aliases=[],
    )
    yield from fetch(link_artifact(input=wanted))


def _runs(sweep: str) -> list[SeedRun]:
    def at(minutes: int) -> datetime:
        return BEGUN + timedelta(minutes=minutes)

    deep: JsonInput = {"x": {"y": [1, None, {"z": "ü"}]}, "nan": math.nan}
    return [
        SeedRun(
            name="odd",
            display_name=f"größe {SCRIPT}",
            config={"lr": 0.1 + 0.2, "deep": deep, "big": 2**63 + 1, "dotted.key": 1, "": 0},
            summary={"best": 1 / 3, "deep": deep, "limit": math.inf, "text": SCRIPT},
            tags=("grün", "a", SCRIPT),
            group="gruppe",
            job_type="train",
            host="höst",
            notes=f"two\nlines {SCRIPT}",
            sweep=sweep,
            created_at=at(0),
            history=rows(),
            events=[
                {"_timestamp": 1.5 + i, "_runtime": i, "system.cpu": i / 3, "system.note": SCRIPT}
                for i in range(5)
            ],
            log=(
                "2026-01-02T03:04:05.123456789 first grün ✓",
                f"ERROR 2026-01-02T03:04:06.5 {SCRIPT}",
                "without a time",
                "",
            ),
        ),
        SeedRun(
            name="long", created_at=at(1), history=({"loss": i / 7, "n": i} for i in range(LONG)), sweep=sweep
        ),
        SeedRun(name="empty", created_at=at(2)),
        SeedRun(name="Ünïcode ✓", created_at=at(3), state="failed", history=[{"x": 1}]),
        SeedRun(name="con", created_at=at(4), state="killed", history=[{"x": float(i)} for i in range(3)]),
        SeedRun(name="CASE", created_at=at(5), state="crashed"),
        SeedRun(name="case", created_at=at(6), state="pending"),
    ]


def _artifacts() -> list[SeedArtifact]:
    digits = {
        "train.csv": b"1,2,3\n" * 50,
        "deep/er/test.csv": b"4,5\n",
        "again.csv": b"4,5\n",
        "naïve ✓.txt": b"\x00\xff",
    }
    return [
        SeedArtifact(
            name="digits", files={"train.csv": digits["train.csv"]}, aliases=("first",), logged_by="odd"
        ),
        SeedArtifact(
            name="digits",
            files=digits,
            references={
                "far.bin": SeedReference(uri="s3://bucket/far.bin", digest="etag-1", size=700),
                "unknown": SeedReference(uri="https://example.org/x"),
            },
            aliases=("best", "prod"),
            tags=("clean", "year 2024"),
            description=f"all of it {SCRIPT}",
            metadata={"rows": 1797, "nested": {"a": [1, None], "text": SCRIPT}},
            ttl_seconds=3600,
            logged_by="odd",
            used_by=("Ünïcode ✓", "con"),
        ),
        # The same files as the first version: not the same version.
        SeedArtifact(name="digits", files={"train.csv": digits["train.csv"]}),
        SeedArtifact(
            name="weights", type="model", files={"w.json": b"[1]"}, logged_by="long", storage_layout="V1"
        ),
    ]
