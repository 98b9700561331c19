"""What a strictly typed program sees of `Api`, `Runs`, `Run` and what they give. Checked, never run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from io import TextIOWrapper
from pathlib import Path
from typing import TypedDict, assert_type

import pandas as pd
import polars as pl
import pyarrow as pa
from pydantic import BaseModel

from runql import (
    Api,
    Archive,
    ArtifactTypes,
    Capabilities,
    ConsoleLogLine,
    ConsoleLogs,
    File,
    Files,
    HistoriesScan,
    HistoryFiles,
    HistoryScan,
    ImportReport,
    JSONValue,
    Limits,
    LoggedTable,
    Project,
    ProjectArtifactCollections,
    Projects,
    RetryingClient,
    RetryPolicy,
    Run,
    Runs,
    Settings,
    Summary,
    Sweep,
    Sweeps,
    Traffic,
    TypedRun,
    TypedRuns,
    UnexpectedValueError,
    User,
)

Row = dict[str, JSONValue]


@dataclass
class Train:
    """A user's config."""

    lr: float


class Scores(TypedDict):
    """A user's summary."""

    acc: float


class Loss(BaseModel):
    """A user's row."""

    loss: float


def use_api(api: Api) -> None:
    """The entry point."""
    assert_type(api.run("entity/project/id"), Run)
    assert_type(api.runs("entity/project", {"state": "finished"}, "-created_at", 100, False), Runs)
    assert_type(api.runs(lazy=True), Runs)
    assert_type(api.runs(prefetch=True), Runs)
    assert_type(api.viewer, User)
    assert_type(api.default_entity, str | None)
    assert_type(api.settings, Settings)
    assert_type(api.traffic, Traffic)
    assert_type(api.user_agent, str)
    assert_type(api.create_run(run_id="id", project="p", entity="e"), Run)
    assert_type(api.create_project("p", "e"), Project)
    assert_type(api.import_project("folder", "e/p", dry_run=True, progress=False), ImportReport)
    report = api.import_project(Path("folder"), "p")
    assert_type(report.project, str)
    assert_type(report.counts, dict[str, int])
    assert_type(report.notes, list[str])
    assert_type(report.left_out, list[str])
    assert_type(report.is_dry_run, bool)
    assert_type(api.from_path("entity/project"), Project | Run | Sweep)
    assert_type(api.client, RetryingClient)
    assert_type(api.with_options(timeout=300, retries=0, deadline=60, limits=Limits(json_depth=9)), Api)
    assert_type(api.with_options(partial="allow"), Api)
    assert_type(api.with_key("key"), Api)
    assert_type(api.runs("p").split(2, workers=2), list[Runs])
    assert_type(api.runs("p").scan_histories().with_key("key").split(2), list[HistoriesScan[pl.DataFrame]])
    assert_type(api.capabilities(), Capabilities)
    assert_type(api.flush(), None)
    assert_type(api.close(), None)
    with Api(timeout=3, api_key="k" * 40, base_url="https://wandb.example.com") as opened:
        assert_type(opened, Api)


def use_runs(runs: Runs) -> None:
    """A list of runs."""
    assert_type(runs.next(), Run)
    assert_type(next(runs), Run)
    assert_type(runs.upgrade_to_full(), None)
    assert_type(runs[0], Run)
    assert_type(runs[-1], Run)
    assert_type(runs[1:3], list[Run])
    assert_type(list(runs), list[Run])
    assert_type([run.name for run in runs], list[str | None])
    assert_type(len(runs), int)
    assert_type(runs.length, int)
    assert_type(runs.cursor, str | None)
    assert_type(runs.more, bool)
    assert_type(runs.convert_objects(), list[Run])
    assert_type(runs.index(runs[0]), int)
    assert_type(runs.count(runs[0]), int)


def use_histories(runs: Runs) -> None:
    """Each format has its type, however it is passed."""
    assert_type(runs.histories(), list[Row])
    assert_type(runs.histories(samples=10, keys=["loss"], stream="system"), list[Row])
    assert_type(runs.histories(format="default"), list[Row])
    assert_type(runs.histories(format="pandas"), pd.DataFrame)
    assert_type(runs.histories(format="polars"), pl.DataFrame)
    assert_type(runs.histories(10, ["loss"], "_step", "default"), list[Row])
    assert_type(runs.histories(10, ["loss"], "_step", "pandas"), pd.DataFrame)
    assert_type(runs.histories(10, ["loss"], "_step", "polars", "system"), pl.DataFrame)


def use_run(run: Run) -> None:
    """Everything that a run tells."""
    assert_type(run.id, str)
    assert_type(run.storage_id, str)
    assert_type(run.entity, str)
    assert_type(run.project, str)
    assert_type(run.project_internal_id, int)
    assert_type(run.name, str | None)
    assert_type(run.display_name, str | None)
    assert_type(run.username, str)
    assert_type(run.path, list[str])
    assert_type(run.url, str)
    assert_type(run.state, str)
    assert_type(run.tags, list[str])
    assert_type(run.group, str | None)
    assert_type(run.job_type, str | None)
    assert_type(run.notes, str | None)
    assert_type(run.description, str | None)
    assert_type(run.commit, str | None)
    assert_type(run.read_only, bool | None)
    assert_type(run.created_at, str)
    assert_type(run.created_time, datetime)
    assert_type(run.heartbeat_at, str | None)
    assert_type(run.heartbeat_time, datetime | None)
    assert_type(run.sweep_name, str | None)
    assert_type(run.history_line_count, int | None)
    assert_type(run.user, User | None)
    assert_type(run.config, dict[str, JSONValue])
    assert_type(run.rawconfig, dict[str, JSONValue])
    assert_type(run.json_config, str)
    assert_type(run.summary, Summary)
    assert_type(run.summary_metrics, dict[str, JSONValue])
    assert_type(run.system_metrics, dict[str, JSONValue])
    assert_type(run.history_keys, dict[str, JSONValue] | None)
    assert_type(run.metadata, dict[str, JSONValue] | None)
    assert_type(run.lastHistoryStep, int)
    assert_type(run.to_html(300, hidden=True), str)
    assert_type(run.load(force=True), None)
    assert_type(run.table("predictions"), LoggedTable)
    assert_type(run.wait_until_finished(timeout=60), None)


def use_writing(api: Api, run: Run) -> None:
    """What changes a run."""
    assert_type(Run.create(api), Run)
    assert_type(Run.create(api, "id", project="p", entity="e"), Run)
    run.name = run.display_name = "new"
    run.notes = run.description = run.group = run.job_type = None
    run.tags = ("a", "b")
    run.tags.append("c")
    run.config = {"lr": 0.1}
    run.config["layers"] = [1, 2]
    run.summary["loss"] = 0.1
    run.summary["seen"] = {1, 2}
    del run.summary["loss"]
    assert_type(run.summary.update({"best": 1}, last=b"x"), None)
    assert_type(run.summary.update([("best", 1)]), None)
    assert_type(run.update(), None)
    assert_type(run.stop(), None)
    assert_type(run.update_state("failed"), bool)
    assert_type(Run.create(api, state="pending"), Run)
    assert_type(run.load_full_data(force=True), None)
    assert_type(run.download_history_exports("folder", require_complete_history=False), HistoryFiles)
    assert_type(run.update(if_unchanged=True), None)
    assert_type(run.save(), None)
    assert_type(run.delete(delete_artifacts=True), None)


def use_history(run: Run, as_pandas: bool) -> None:
    """A frame or rows, by a literal; either of them where the value is not known."""
    assert_type(run.history(), pd.DataFrame)
    assert_type(run.history(samples=10, keys=["loss"], x_axis="epoch", stream="system"), pd.DataFrame)
    assert_type(run.history(pandas=True), pd.DataFrame)
    assert_type(run.history(pandas=False), list[Row])
    assert_type(run.history(10, ["loss"], "_step", True), pd.DataFrame)
    assert_type(run.history(10, ["loss"], "_step", False), list[Row])
    assert_type(run.history(pandas=as_pandas), pd.DataFrame | list[Row])


def use_scan(run: Run) -> None:
    """Every row, one by one or as a frame."""
    assert_type(next(run.scan_history()), Row)
    assert_type(next(run.scan_history(), None), Row | None)
    assert_type(run.beta_scan_history(["loss"], use_cache=False), HistoryScan)
    logs = run.console_logs(per_page=10)
    assert_type(run.console_logs(last=10), ConsoleLogs)
    assert_type(logs[0], ConsoleLogLine)
    assert_type(logs[0].timestamp, datetime | None)
    scan = run.scan_history(["loss"], 1000, 0, 100, match="any")
    assert_type(scan, HistoryScan)
    assert_type(run.scan_history(keys=("loss", "accuracy"), page_size=10), HistoryScan)
    assert_type([row["loss"] for row in scan], list[JSONValue])
    assert_type(list(scan), list[Row])
    assert_type(scan.to_pandas(), pd.DataFrame)
    assert_type(scan.to_polars(), pl.DataFrame)
    assert_type(scan.to_arrow(), pa.Table)
    assert_type(list(scan.iter_batches(schema={"loss": float})), list[pa.RecordBatch])
    assert_type(scan.lazy(schema={"loss": float}), pl.LazyFrame)


def use_histories_scan(runs: Runs) -> None:
    """Every row of every run: the format tells what is given."""
    scan = runs.scan_histories(["loss"], 0, 100, match="all", page_size=1000, max_concurrency=4)
    assert_type(scan, HistoriesScan[pl.DataFrame])
    assert_type(runs.scan_histories(), HistoriesScan[pl.DataFrame])
    assert_type(runs.scan_histories(format="polars", pivot=True), HistoriesScan[pl.DataFrame])
    assert_type(runs.scan_histories(format="pandas"), HistoriesScan[pd.DataFrame])
    assert_type(runs.scan_histories(format="arrow"), HistoriesScan[pa.Table])
    assert_type(runs.scan_histories(keys=("loss",), format="default"), HistoriesScan[list[Row]])
    assert_type(scan.collect(), pl.DataFrame)
    assert_type(runs.scan_histories(format="default").collect(), list[Row])
    assert_type(list(scan), list[pl.DataFrame])
    assert_type(scan.sink_parquet("all.parquet"), None)
    assert_type(scan.sink_parquet("all", partition_by=["run_id"]), None)
    assert_type(scan.to_arrow_reader(infer="first"), pa.RecordBatchReader)
    assert_type(scan.stream_error, BaseException | None)
    assert_type(list(runs.iter_batches(columns=["id"])), list[pa.RecordBatch])
    assert_type(scan.lazy(run_columns=["state"], run_schema={"config.lr": float}), pl.LazyFrame)
    assert_type(runs.lazy(columns=["id"], schema={"summary.loss": float}), pl.LazyFrame)


def use_values(summary: Summary, user: User, traffic: Traffic, settings: Settings) -> None:
    """The small values."""
    assert_type(summary["loss"], JSONValue)
    assert_type(summary.get("loss"), JSONValue | None)
    assert_type(len(summary), int)
    assert_type(dict(summary), dict[str, JSONValue])
    assert_type(user.name, str)
    assert_type(user.username, str | None)
    assert_type(user.email, str | None)
    assert_type(user.entity, str | None)
    assert_type(user.admin, bool | None)
    assert_type(user.teams, tuple[str, ...])
    assert_type(traffic.requests, int)
    assert_type(traffic.bytes_sent, int)
    assert_type(traffic.bytes_received, int)
    assert_type(traffic.retries, int)
    assert_type(traffic.waited_seconds, float)
    assert_type(traffic.rate_limited, int)
    assert_type(settings.base_url, str)
    assert_type(settings.app_url, str)
    assert_type(settings.graphql_url, str)
    assert_type(settings.entity, str | None)
    assert_type(settings.project, str | None)
    assert_type(settings.timeout, float)
    assert_type(settings.allow_insecure, bool)
    assert_type(settings.api_key.get_secret_value(), str)


def use_constructors(settings: Settings) -> None:
    """The documented classes can be made by hand."""
    client = RetryingClient(settings, retry=RetryPolicy(max_attempts=2))
    assert_type(client.settings, Settings)
    assert_type(client.traffic, Traffic)
    assert_type(client.limits, Limits)
    assert_type(Runs(client, "e", "p", {"tags": {"$in": ["a"]}}, None, 10, True), Runs)
    assert_type(Run(client, "e", "p", "id", {"id": "x"}, include_sweeps=False), Run)
    assert_type(client.close(), None)


def use_sweep(api: Api, run: Run) -> None:
    """Sweeps: alone, of a run, and what they tell."""
    assert_type(run.sweep, Sweep | None)
    sweep = api.sweep("entity/project/sweeps/id")
    assert_type(sweep, Sweep)
    assert_type(sweep.id, str)
    assert_type(sweep.storage_id, str)
    assert_type(sweep.entity, str)
    assert_type(sweep.project, str)
    assert_type(sweep.name, str)
    assert_type(sweep.display_name, str | None)
    assert_type(sweep.path, list[str])
    assert_type(sweep.url, str)
    assert_type(sweep.state, str)
    assert_type(sweep.method, str)
    assert_type(sweep.description, str | None)
    assert_type(sweep.config, dict[str, JSONValue])
    assert_type(sweep.order, str | None)
    assert_type(sweep.run_count, int)
    assert_type(sweep.expected_run_count, int | None)
    assert_type(sweep.run_count_expected, int | None)
    assert_type(sweep.best_loss, float | None)
    assert_type(sweep.created_at, str)
    assert_type(sweep.created_time, datetime)
    assert_type(sweep.updated_at, str | None)
    assert_type(sweep.updated_time, datetime | None)
    assert_type(sweep.runs, Runs)
    assert_type(sweep.best_run(), Run | None)
    assert_type(sweep.best_run("-loss"), Run | None)
    assert_type(sweep.load(force=True), None)


def use_projects_and_users(api: Api) -> None:
    """Projects with what they hold, and users."""
    projects = api.projects("entity", per_page=100)
    assert_type(api.projects("entity"), Projects)
    assert_type([project.name for project in projects], list[str])
    project = api.project("project", "entity")
    assert_type(project, Project)
    archive = project.export("folder", files=True, artifacts=True, progress=False)
    assert_type(archive, Archive)
    assert_type(Archive("folder").folder, Path)
    assert_type(archive.source, str)
    assert_type(archive.counts, dict[str, int])
    assert_type(archive.problems, list[str])
    assert_type(archive.verify(), None)
    assert_type(project.id, str)
    assert_type(project.entity, str)
    assert_type(project.path, list[str])
    assert_type(project.url, str)
    assert_type(project.created_at, str)
    assert_type(project.created_time, datetime)
    assert_type(project.updated_at, str | None)
    assert_type(project.updated_time, datetime | None)
    assert_type(project.description, str | None)
    assert_type(project.access, str | None)
    assert_type(project.is_benchmark, bool)
    assert_type(project.runs({"state": "finished"}, lazy=True), Runs)
    assert_type(project.sweeps(per_page=10), Sweeps)
    assert_type(project.owner, User | None)
    assert_type(project.entity_name, str)
    assert_type(project.artifacts_types(10), ArtifactTypes)
    assert_type(project.collections({"name": "x"}, "-name", 10), ProjectArtifactCollections)
    assert_type(project.sweeps()[0], Sweep)
    assert_type(project.export("folder", files=True, artifacts=True, progress=False), Archive)
    assert_type(api.user("ada"), User | None)
    assert_type(api.users("ada"), list[User])


def use_files(run: Run) -> None:
    """A list of files, one file, and what is done with it."""
    files = run.files()
    assert_type(run.files(["a"], 10, pattern=None), Files)
    assert_type(files[0], File)
    assert_type(files.download("root", replace=True, exist_ok=False, max_concurrency=4), list[Path])
    file = run.file("a")
    assert_type(run.file("a"), File)
    saved = run.download_history("exports", require_complete=False, max_concurrency=2, progress=None)
    assert_type(run.download_history(), HistoryFiles)
    assert_type((saved.paths, saved.live_rows, saved.is_complete), tuple[tuple[Path, ...], int, bool])
    assert_type(run.upload_file(Path("a"), "root", progress=None), File)
    assert_type(file.download(), TextIOWrapper)
    assert_type((file.name, file.size, file.md5), tuple[str, int, str | None])
    assert_type(file.delete(), None)


def use_types(runs: Runs, run: Run) -> None:
    """Configs, summaries and rows of a user's types."""
    assert_type(run.config_as(Train), Train)
    assert_type(run.summary_as(Scores), Scores)
    both = runs.typed(config=Train, summary=Scores, on_invalid="skip")
    assert_type(runs.typed(config=Train, summary=Scores), TypedRuns[Train, Scores])
    assert_type(runs.typed(config=Train), TypedRuns[Train, None])
    assert_type(runs.typed(summary=Scores), TypedRuns[None, Scores])
    assert_type(both.skipped, list[tuple[Run, UnexpectedValueError]])
    for each in both:
        assert_type(each, TypedRun[Train, Scores])
        assert_type(each.run, Run)
        assert_type(each.config.lr, float)
        assert_type(each.summary["acc"], float)
    scan = run.scan_history(row=Loss, page_size=10, on_invalid="skip")
    assert_type(scan, HistoryScan[Loss])
    assert_type(run.scan_history(None, 10, 0, 5, row=Scores), HistoryScan[Scores])
    assert_type([row.loss for row in scan], list[float])
    assert_type(scan.skipped, list[tuple[Row, UnexpectedValueError]])
    assert_type(scan.to_polars(), pl.DataFrame)


def use_one_item(api: Api) -> None:
    """The first and the only item of a list."""
    assert_type(api.runs("entity/project", limit=10).first(), Run | None)
    assert_type(api.runs("entity/project", progress=print).first(), Run | None)
    assert_type(api.runs("entity/project").one(), Run)
    runs: Sequence[Run] = api.runs("entity/project")
    assert_type(runs[0], Run)
