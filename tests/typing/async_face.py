"""What a strictly typed program sees of the awaited classes. Checked, never run."""

from __future__ import annotations

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
    Archive,
    AsyncApi,
    AsyncArtifactTypes,
    AsyncConsoleLogs,
    AsyncFile,
    AsyncFiles,
    AsyncHistoriesScan,
    AsyncHistoryScan,
    AsyncProject,
    AsyncProjectArtifactCollections,
    AsyncProjects,
    AsyncRetryingClient,
    AsyncRun,
    AsyncRuns,
    AsyncSummary,
    AsyncSweep,
    AsyncSweeps,
    AsyncTypedRun,
    AsyncTypedRuns,
    Capabilities,
    ConsoleLogLine,
    HistoryFiles,
    ImportReport,
    JSONValue,
    Limits,
    LoggedTable,
    Settings,
    Traffic,
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


async def use_api(api: AsyncApi) -> None:
    """The entry point."""
    assert_type(await api.run("entity/project/id"), AsyncRun)
    assert_type(await api.runs("entity/project", {"state": "finished"}, "-created_at", 100, False), AsyncRuns)
    assert_type(await api.runs(lazy=True), AsyncRuns)
    assert_type(await api.runs(prefetch=True), AsyncRuns)
    assert_type(await api.viewer, User)
    assert_type(await api.default_entity, str | None)
    assert_type(api.settings, Settings)
    assert_type(api.traffic, Traffic)
    assert_type(api.user_agent, str)
    assert_type(await api.create_run(run_id="id", project="p", entity="e"), AsyncRun)
    assert_type(await api.create_project("p", "e"), AsyncProject)
    assert_type(await api.import_project("folder", "e/p", dry_run=True, progress=False), ImportReport)
    assert_type(await api.from_path("entity/project"), AsyncProject | AsyncRun | AsyncSweep)
    assert_type(api.client, AsyncRetryingClient)
    assert_type(api.with_options(timeout=300, retries=0, deadline=60, limits=Limits(json_depth=9)), AsyncApi)
    assert_type(api.with_options(partial="allow"), AsyncApi)
    assert_type(api.with_key("key"), AsyncApi)
    runs = await api.runs("p")
    assert_type(await runs.split(2, workers=2), list[AsyncRuns])
    assert_type(await runs.scan_histories().with_key("key").split(2), list[AsyncHistoriesScan[pl.DataFrame]])
    assert_type(await api.capabilities(), Capabilities)
    assert_type(api.flush(), None)
    assert_type(await api.close(), None)
    async with AsyncApi(timeout=3, base_url="https://wandb.example.com") as opened:
        assert_type(opened, AsyncApi)


async def use_runs(runs: AsyncRuns) -> None:
    """A list of runs."""
    assert_type(await runs.next(), AsyncRun)
    assert_type(await anext(runs), AsyncRun)
    assert_type(await runs.upgrade_to_full(), None)
    assert_type(await runs[0], AsyncRun)
    assert_type(await runs[1:3], list[AsyncRun])
    assert_type([run async for run in runs], list[AsyncRun])
    assert_type([run.name async for run in runs], list[str | None])
    assert_type(await runs.length, int)
    assert_type(runs.cursor, str | None)
    assert_type(runs.more, bool)
    assert_type(runs.convert_objects(), list[AsyncRun])


async def use_histories(runs: AsyncRuns) -> None:
    """Each format has its type, however it is passed."""
    assert_type(await runs.histories(), list[Row])
    assert_type(await runs.histories(format="default"), list[Row])
    assert_type(await runs.histories(format="pandas"), pd.DataFrame)
    assert_type(await runs.histories(format="polars"), pl.DataFrame)
    assert_type(await runs.histories(10, ["loss"], "_step", "pandas"), pd.DataFrame)
    assert_type(await runs.histories(10, ["loss"], "_step", "polars", "system"), pl.DataFrame)


async def use_run(run: AsyncRun) -> None:
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
    assert_type(run.summary, AsyncSummary)
    assert_type(run.summary_metrics, dict[str, JSONValue])
    assert_type(run.system_metrics, dict[str, JSONValue])
    assert_type(run.history_keys, dict[str, JSONValue] | None)
    assert_type(await run.metadata, dict[str, JSONValue] | None)
    assert_type(await run.lastHistoryStep, int)
    assert_type(run.to_html(300, hidden=True), str)
    assert_type(await run.load(force=True), None)
    assert_type(await run.table("predictions"), LoggedTable)
    assert_type(await run.wait_until_finished(timeout=60), None)


async def use_writing(api: AsyncApi, run: AsyncRun) -> None:
    """What changes a run."""
    assert_type(await AsyncRun.create(api, "id", project="p", entity="e"), AsyncRun)
    run.name = run.display_name = "new"
    run.notes = run.description = run.group = run.job_type = None
    run.tags = ("a", "b")
    run.config = {"lr": 0.1}
    run.summary["seen"] = {1, 2}
    assert_type(run.summary["seen"], JSONValue)
    assert_type(await run.summary.update({"best": 1}, last=b"x"), None)
    assert_type(await run.update(), None)
    assert_type(await run.stop(), None)
    assert_type(await run.update_state("failed"), bool)
    assert_type(await AsyncRun.create(api, state="pending"), AsyncRun)
    assert_type(await run.load_full_data(force=True), None)
    assert_type(await run.download_history_exports("folder", require_complete_history=False), HistoryFiles)
    assert_type(await run.update(if_unchanged=True), None)
    assert_type(await run.save(), None)
    assert_type(await run.delete(delete_artifacts=True), None)


async def use_history(run: AsyncRun, as_pandas: bool) -> None:
    """A frame or rows, by a literal; either of them where the value is not known."""
    assert_type(await run.history(), pd.DataFrame)
    assert_type(await run.history(pandas=True), pd.DataFrame)
    assert_type(await run.history(pandas=False), list[Row])
    assert_type(await run.history(10, ["loss"], "_step", False), list[Row])
    assert_type(await run.history(pandas=as_pandas), pd.DataFrame | list[Row])


async def use_histories_scan(runs: AsyncRuns) -> None:
    """Every row of every run: the format tells what is given."""
    scan = runs.scan_histories(["loss"], 0, 100, match="all", page_size=1000, max_concurrency=4)
    assert_type(scan, AsyncHistoriesScan[pl.DataFrame])
    assert_type(runs.scan_histories(), AsyncHistoriesScan[pl.DataFrame])
    assert_type(runs.scan_histories(format="pandas"), AsyncHistoriesScan[pd.DataFrame])
    assert_type(runs.scan_histories(format="arrow"), AsyncHistoriesScan[pa.Table])
    assert_type(runs.scan_histories(format="default"), AsyncHistoriesScan[list[Row]])
    assert_type(await scan.collect(), pl.DataFrame)
    assert_type([frame async for frame in scan], list[pl.DataFrame])
    assert_type(await scan.sink_parquet("all.parquet"), None)
    assert_type(await scan.sink_parquet("all", partition_by="run_id"), None)
    assert_type([batch async for batch in runs.iter_batches()], list[pa.RecordBatch])


async def use_scan(run: AsyncRun) -> None:
    """Every row, one by one or as a frame."""
    assert_type(await anext(run.scan_history()), Row)
    assert_type(await anext(run.scan_history(), None), Row | None)
    assert_type(run.beta_scan_history(["loss"], use_cache=False), AsyncHistoryScan)
    logs = run.console_logs(per_page=10)
    assert_type(run.console_logs(last=10), AsyncConsoleLogs)
    assert_type(await logs[0], ConsoleLogLine)
    assert_type((await logs[0]).timestamp, datetime | None)
    scan = run.scan_history(["loss"], 1000, 0, 100, match="any")
    assert_type(scan, AsyncHistoryScan)
    assert_type([row["loss"] async for row in scan], list[JSONValue])
    assert_type([row async for row in scan], list[Row])
    assert_type(await scan.to_pandas(), pd.DataFrame)
    assert_type(await scan.to_polars(), pl.DataFrame)
    assert_type(await scan.to_arrow(), pa.Table)
    assert_type([batch async for batch in scan.iter_batches()], list[pa.RecordBatch])


async def use_constructors(settings: Settings) -> None:
    """The documented classes can be made by hand."""
    client = AsyncRetryingClient(settings)
    assert_type(client.settings, Settings)
    assert_type(client.traffic, Traffic)
    assert_type(client.limits, Limits)
    assert_type(AsyncRuns(client, "e", "p", {"tags": {"$in": ["a"]}}, None, 10, True), AsyncRuns)
    assert_type(AsyncRun(client, "e", "p", "id", None, include_sweeps=False), AsyncRun)
    assert_type(await client.close(), None)


async def use_sweep(api: AsyncApi, run: AsyncRun) -> None:
    """Sweeps: alone, of a run, and what they tell."""
    assert_type(await run.sweep, AsyncSweep | None)
    sweep = await api.sweep("entity/project/sweeps/id")
    assert_type(sweep, AsyncSweep)
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
    assert_type(sweep.runs, AsyncRuns)
    assert_type(await sweep.best_run(), AsyncRun | None)
    assert_type(await sweep.best_run("-loss"), AsyncRun | None)
    assert_type(await sweep.load(force=True), None)


async def use_projects_and_users(api: AsyncApi) -> None:
    """Projects with what they hold, and users."""
    projects = await api.projects("entity", per_page=100)
    assert_type(await api.projects("entity"), AsyncProjects)
    assert_type([project.name async for project in projects], list[str])
    project = await api.project("project", "entity")
    assert_type(project, AsyncProject)
    archive = await project.export("folder", files=True, artifacts=True, progress=False)
    assert_type(archive, Archive)
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
    assert_type(project.runs({"state": "finished"}, lazy=True), AsyncRuns)
    assert_type(project.sweeps(per_page=10), AsyncSweeps)
    assert_type(project.owner, User | None)
    assert_type(project.entity_name, str)
    assert_type(project.artifacts_types(10), AsyncArtifactTypes)
    assert_type(project.collections({"name": "x"}, "-name", 10), AsyncProjectArtifactCollections)
    assert_type(await project.sweeps()[0], AsyncSweep)
    assert_type(await project.export("folder", files=True, artifacts=True, progress=False), Archive)
    assert_type(await api.user("ada"), User | None)
    assert_type(await api.users("ada"), list[User])


async def use_files(run: AsyncRun) -> None:
    """A list of files, one file, and what is done with it."""
    files = run.files()
    assert_type(run.files(["a"], 10, pattern=None), AsyncFiles)
    assert_type(await files[0], AsyncFile)
    assert_type(await files.download("root", replace=True, exist_ok=False, max_concurrency=4), list[Path])
    file = await run.file("a")
    assert_type(await run.file("a"), AsyncFile)
    saved = await run.download_history("exports", require_complete=False, max_concurrency=2, progress=None)
    assert_type(await run.download_history(), HistoryFiles)
    assert_type((saved.paths, saved.live_rows, saved.is_complete), tuple[tuple[Path, ...], int, bool])
    assert_type(await run.upload_file(Path("a"), "root", progress=None), AsyncFile)
    assert_type(await file.download(), TextIOWrapper)
    assert_type((file.name, file.size, file.md5), tuple[str, int, str | None])
    assert_type(await file.delete(), None)


async def use_types(runs: AsyncRuns, run: AsyncRun) -> None:
    """Configs, summaries and rows of a user's types."""
    assert_type(run.config_as(Train), Train)
    assert_type(run.summary_as(Scores), Scores)
    both = runs.typed(config=Train, summary=Scores, on_invalid="skip")
    assert_type(runs.typed(config=Train, summary=Scores), AsyncTypedRuns[Train, Scores])
    assert_type(runs.typed(config=Train), AsyncTypedRuns[Train, None])
    assert_type(runs.typed(summary=Scores), AsyncTypedRuns[None, Scores])
    assert_type(both.skipped, list[tuple[AsyncRun, UnexpectedValueError]])
    async for each in both:
        assert_type(each, AsyncTypedRun[Train, Scores])
        assert_type(each.run, AsyncRun)
        assert_type(each.config.lr, float)
        assert_type(each.summary["acc"], float)
    scan = run.scan_history(row=Loss, page_size=10, on_invalid="skip")
    assert_type(scan, AsyncHistoryScan[Loss])
    assert_type(run.scan_history(None, 10, 0, 5, row=Scores), AsyncHistoryScan[Scores])
    assert_type([row.loss async for row in scan], list[float])
    assert_type(scan.skipped, list[tuple[Row, UnexpectedValueError]])
    assert_type(await scan.to_polars(), pl.DataFrame)


async def use_one_item(api: AsyncApi) -> None:
    """The first and the only item of a list."""
    assert_type(await (await api.runs("entity/project", limit=10)).first(), AsyncRun | None)
    assert_type(await (await api.runs("entity/project", progress=True)).first(), AsyncRun | None)
    assert_type(await (await api.runs("entity/project")).one(), AsyncRun)
