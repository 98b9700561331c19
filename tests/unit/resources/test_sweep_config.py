"""A sweep's configuration: JSON, YAML, and the order of runs that it asks for."""

from __future__ import annotations

import math
import sys

import pytest

from runql import JSONValue, MissingExtraError
from runql.resources.sweeps.config import metric_order, parse_sweep_config, run_order

TEXT = """\
method: grid
metric:
  goal: maximize
  name: val/acc
parameters:
  lr:
    values: [1e-5, 1.0e-05, 0.5, -2E+3, .inf]
  code: {value: '008'}
  since: 2026-01-02
  on: yes
  none: null
  7: 2
"""


def test_yaml_is_read_as_the_official_sdk_writes_it() -> None:
    assert parse_sweep_config(TEXT) == {
        "method": "grid",
        "metric": {"goal": "maximize", "name": "val/acc"},
        "parameters": {
            "lr": {"values": [1e-5, 1e-5, 0.5, -2000.0, math.inf]},
            "code": {"value": "008"},
            "since": "2026-01-02",
            "true": True,
            "none": None,
            "7": 2,
        },
    }


@pytest.mark.parametrize("text", ["", "\n", "# nothing"])
def test_an_empty_text_is_an_empty_configuration(text: str) -> None:
    assert parse_sweep_config(text) == {}


def test_json_is_read_without_the_optional_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    assert parse_sweep_config(' {"method": "grid", "n": 12345678901234567890123}') == {
        "method": "grid",
        "n": 12345678901234567890123,
    }
    with pytest.raises(MissingExtraError, match=r"pip install 'runql\[yaml\]'"):
        parse_sweep_config("method: grid")


def test_braces_may_be_yaml_too() -> None:
    assert parse_sweep_config("{method: grid}") == {"method": "grid"}


@pytest.mark.parametrize("text", ["a: [1", "&x [*x]", "? [1, 2]\n: 3", "!!python/object:os.system {}"])
def test_what_cannot_be_read_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="neither JSON nor YAML"):
        parse_sweep_config(text)


def test_a_configuration_is_a_mapping() -> None:
    with pytest.raises(ValueError, match="must be a mapping"):
        parse_sweep_config("- a\n- b")


@pytest.mark.parametrize(
    ("metric", "order"),
    [
        ({"name": "loss"}, "+summary_metrics.loss"),
        ({"name": "loss", "goal": "minimize"}, "+summary_metrics.loss"),
        ({"name": "val/acc", "goal": "maximize"}, "-summary_metrics.val/acc"),
        ({"name": "val.loss"}, "+summary_metrics.val.loss"),
        ({"name": "-x"}, "+summary_metrics.-x"),
        ({"name": "-x", "goal": "maximize"}, "-summary_metrics.-x"),
        ({"name": ""}, None),
        ({"goal": "maximize"}, None),
        ("loss", None),
        (None, None),
    ],
)
def test_the_best_by_the_metric_comes_first(metric: JSONValue, order: str | None) -> None:
    assert metric_order({"metric": metric}) == order


@pytest.mark.parametrize(
    ("asked", "order"),
    [
        ("loss", "-summary_metrics.loss"),
        ("+loss", "+summary_metrics.loss"),
        ("+summary_metrics.loss", "+summary_metrics.loss"),
        ("config.lr.value", "-config.lr.value"),
        ("created_at", "-created_at"),
        ("+name", "+name"),
    ],
)
def test_an_order_names_a_metric_or_a_column(asked: str, order: str) -> None:
    assert run_order(asked) == order
