"""Paths that commands take: what each names, and those that name nothing."""

from __future__ import annotations

import pytest

from runql.cli.console.failures import AskedWronglyError
from runql.cli.reading.columns import RUNS
from runql.cli.reading.orders import OrderError, server_order
from runql.cli.reading.places import parse_place
from runql.errors import PathError


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("team", "entity"),
        ("team/", "entity"),
        ("team/p", "project"),
        ("https://wandb.ai/team/p", "project"),
        ("https://wandb.ai/team/p/workspace", "project"),
        ("team/p/r1", "run"),
        ("team/p/runs/r1", "run"),
        ("https://wandb.ai/team/p/runs/r1?nw=x", "run"),
        ("team/p/sweeps/s1", "sweep"),
        ("https://wandb.ai/team/p/sweeps/s1", "sweep"),
        ("team/p/model:v3", "artifact"),
        ("p/model:latest", "artifact"),
        ("model:best", "artifact"),
        ("https://wandb.ai/team/p/artifacts/model/mlp/v3", "artifact"),
    ],
)
def test_a_path_says_what_it_names(path: str, kind: str) -> None:
    assert parse_place(path).kind == kind


@pytest.mark.parametrize("path", ["", "/", " team", "te\x1bam", "a/b/c/d/e", "team/p/reports/x/y", "a//b"])
def test_what_names_nothing_is_refused(path: str) -> None:
    with pytest.raises(PathError):
        parse_place(path)


@pytest.mark.parametrize(
    ("order", "sent"),
    [
        ("-summary.train/loss", "-summary_metrics.train/loss"),
        ("-summary_metrics.acc", "-summary_metrics.acc"),
        ("config.lr", "+config.lr.value"),
        ("+config.opt.lr.value", "+config.opt.lr.value"),
        ("name", "+display_name"),
        ("-id", "-name"),
        ("-user", "-username"),
        ("created_at", "+created_at"),
    ],
)
def test_orders_are_sent_in_the_spelling_of_the_server(order: str, sent: str) -> None:
    assert server_order(order) == sent


@pytest.mark.parametrize("order", ["", "-", "loss", "config.", "-summary", "history_line_count"])
def test_an_order_that_runs_do_not_have_is_refused(order: str) -> None:
    with pytest.raises(OrderError, match=r"--order cannot be read at column [12]: there is no order by"):
        server_order(order)


@pytest.mark.parametrize(("order", "column"), [("loss", 1), ("-loss", 2), ("+löss.x", 2), ("-", 2)])
def test_an_order_that_cannot_be_read_has_a_caret_below_it(order: str, column: int) -> None:
    with pytest.raises(OrderError) as caught:
        server_order(order)
    assert caught.value.below(80) == [f"  {order}", " " * (column + 1) + "^"]


def test_columns_are_kept_once_and_in_order() -> None:
    assert RUNS.select(["state, id,state", "summary_metrics.a.b"]).names == ("state", "id", "summary.a.b")
    assert RUNS.select(["config.*", "id"]).fixed is None
    assert RUNS.select(None).names == tuple(RUNS.usual)
    for unknown in ("stat", "id.x", "config.", "history"):
        with pytest.raises(AskedWronglyError, match="there is no column"):
            RUNS.select([unknown])
