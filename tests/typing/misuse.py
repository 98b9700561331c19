"""Mistakes that a checker must see before the program runs; each is one statement of a user's file."""

from __future__ import annotations

HEAD = """\
from dataclasses import dataclass

from runql import Api, AsyncApi, AsyncRun, AsyncRuns, HistoryScan, Run, Runs, Settings, Summary, User
from runql.filters import Filter, config, created_at, state, summary as metric, tags


@dataclass
class Train:
    lr: float


def plain(api: Api, runs: Runs, run: Run, scan: HistoryScan, summary: Summary, user: User, s: Settings) -> None:
"""
AWAITED_HEAD = """

async def awaited(aapi: AsyncApi, aruns: AsyncRuns, arun: AsyncRun) -> None:
"""

STATEMENTS = (
    # a literal that is none of the choices
    'runs.histories(format="csv")',
    'runs.histories(stream="event")',
    'runs.scan_histories(format="csv")',
    'runs.scan_histories(match="some")',
    'runs.scan_histories(format="arrow").collect().to_pandas_frame()',
    'run.history(stream="systems")',
    'run.scan_history(match="none")',
    # a wrong keyword
    'api.runs("entity/project", filter={"state": "finished"})',
    'api.runs("entity/project", page_size=10)',
    "run.scan_history(limit=5)",
    "run.history(sample=5)",
    'Api(key="k")',
    # what is keyword-only, by position
    'Api(None, None, "k", "https://wandb.example.com")',
    'run.scan_history(["loss"], 1000, 0, 10, "any")',
    "run.wait_until_finished(60)",
    # a wrong type
    "api.run(7)",
    'api.runs("entity/project", per_page="50")',
    'api.runs("entity/project", {"created_at": object()})',
    'api.runs("entity/project", {"state": {"finished"}})',
    'api.runs("entity/project", {1: "finished"})',
    'api.runs("entity/project", ["state"])',
    'run.config = {"lr": object()}',
    'run.config = ["lr"]',
    'runs.histories(samples="500")',
    "run.scan_history(keys=[1])",
    "run.scan_history(min_step=0.5)",
    'Api(timeout="30")',
    "run.name = 7",
    "run.tags = [1]",
    "run.update(True)",
    "run.summary.update(3)",
    # a member that is not there
    "summary.loss",
    "runs.history()",
    "run.displayName",
    "run.createdAt",
    "runs.totalCount",
    "run.noSuchThing",
    'run.update_state("finished")',
    "next(run)",
    "run.foo",
    "user.full_name",
    'runs["id"]',
    # a frame or a list, mixed up
    'runs.histories(format="polars").to_frame()',
    "run.history(pandas=False).columns",
    "run.history().lazy()",
    "scan.to_polars().iloc",
    "len(scan)",
    # what may be missing, taken for granted
    "run.name.upper()",
    "run.user.name",
    'run.config["lr"] * 2',
    'summary["loss"] < 0.1',
    # values of a type that was stated
    "run.config_as(Train).lr.upper()",
    "run.config_as(Train).rate",
    'run.config_as("Train")',
    "[each.config.lr for each in runs.typed(summary=Train)]",
    "[each.config.rate for each in runs.typed(config=Train)]",
    "runs.typed()",
    'runs.typed(config=Train, on_invalid="drop")',
    "[row.rate for row in run.scan_history(row=Train)]",
    '[row["lr"] for row in run.scan_history(row=Train)]',
    'run.scan_history(["lr"], row=Train)',
    'run.scan_history(row=Train, match="any")',
    'run.scan_history(on_invalid="skip")',
    # what is read only
    "run.id = 'other'",
    "run.storage_id = 'other'",
    "user.name = 'other'",
    "s.entity = 'other'",
    # a filter that compares two types
    'config("lr", float) < "x"',
    'config("lr", float).eq("x")',
    'api.runs("e/p", config("lr", float) == "x")',
    'config("lr", list)',
    'config("n", int).matches("1")',
    'metric("acc", float).between(0.5)',
    'created_at > "2026-01-01"',
    'state.eq("finishd")',
    'state.is_in("finished", "x")',
    'api.runs("e/p", state == "finishd")',
    'api.runs("e/p", tags == "best")',
    "tags.contains(1)",
    # what is no filter, and what is no order
    'state.eq("failed") & True',
    'state.eq("failed") & {"group": "a"}',
    'api.runs("e/p", config("lr", float))',
    'api.runs("e/p", tags)',
    'api.runs("e/p", order=config("lr", float))',
    'api.runs("e/p", order=state.eq("failed"))',
)
SEEN_BY_PYRIGHT = (
    # mypy lets any object stand for a bool; no checker reports `a and b` outside of a condition
    "if made: pass",
    "if made and made: pass",
    "print(not made)",
    "if config('lr', float) > 0.1: pass",
)
FILTERED_HEAD = """

def filtered(made: Filter) -> None:
"""
AWAITED_STATEMENTS = (
    'await aruns.histories(format="csv")',
    "await arun.scan_history()",
    "arun.history().shape",
    "arun.metadata.get('os')",
    "len(aruns)",
    "for each in aruns: print(each)",
    "aapi.run('e/p/i').name",
    "AsyncRun.create(aapi).name",
    "Run.create(aapi)",
    "arun.summary.update(loss=1).bit_length()",
    "aapi.runs('e/p')[0]",
    "with aapi: pass",
)


def source() -> tuple[str, dict[int, str]]:
    """The user's file, and the statement that stands in each line that must be refused."""
    lines = HEAD.splitlines()
    wrong: dict[int, str] = {}
    for head, statements in (
        ("", STATEMENTS),
        (AWAITED_HEAD, AWAITED_STATEMENTS),
        (FILTERED_HEAD, SEEN_BY_PYRIGHT),
    ):
        lines += head.splitlines()
        for statement in statements:
            lines.append(f"    {statement}")
            wrong[len(lines)] = statement
    return "\n".join(lines) + "\n", wrong
