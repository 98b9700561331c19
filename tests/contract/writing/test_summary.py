"""Changing a summary: in memory by assigning, on the server by `update`."""

from __future__ import annotations

import math
from datetime import date
from enum import Enum

import numpy as np
import pytest
from tests.contract.both_clients import AnyRun, Face
from tests.contract.writing.stored_run import SUMMARY, again

from runql_server.running import RunningServer


class Colour(Enum):
    """An enum to store."""

    RED = 7


def test_assigning_and_deleting_change_memory_only(
    run: AnyRun, server: RunningServer, path: str, face: Face
) -> None:
    summary = run.summary
    summary[" acc "] = 0.9
    summary["deep"] = {"x": {"y": 2}}
    del summary["loss"]
    assert dict(again(server, path).summary) == SUMMARY
    assert len(server.requests) == 1, "ours, to look"
    expected = {key: value for key, value in SUMMARY.items() if key != "loss"} | {
        "deep": {"x": {"y": 2}},
        "acc": 0.9,
    }
    assert dict(summary) == run.summary_metrics == expected
    face.take(summary.update())
    assert dict(again(server, path).summary) == expected


def test_values_inside_change_the_summary(run: AnyRun, server: RunningServer, path: str, face: Face) -> None:
    deep = run.summary["deep"]
    assert isinstance(deep, dict)
    inner = deep["x"]
    assert isinstance(inner, dict)
    inner["y"] = 5
    face.take(run.update())
    inner["z"] = 6
    face.take(run.update())
    assert again(server, path).summary["deep"] == {"x": {"y": 5, "z": 6}}


def test_update_writes_everything_by_one_request(
    run: AnyRun, server: RunningServer, path: str, face: Face
) -> None:
    run.notes = "not yet"
    run.summary["loss"] = 0.25
    face.take(run.summary.update({"deep": {"new": 1}, " best ": 2}, last=3))
    assert len(server.requests) == 1
    stored = again(server, path)
    assert dict(stored.summary) == SUMMARY | {"loss": 0.25, "deep": {"new": 1}, "best": 2, "last": 3}
    assert stored.notes == "n"


def test_every_kind_of_value_is_stored(run: AnyRun, server: RunningServer, path: str, face: Face) -> None:
    given: dict[str, object] = {
        "scalar": np.float32(0.5),
        "int": np.int64(2**60),
        "flag": np.bool_(True),
        "single": np.array([[3]]),
        "small": np.arange(6).reshape(2, 3),
        "day": date(2026, 7, 1),
        "bytes": "é".encode(),
        "set": {3, 1, 2},
        "enum": Colour.RED,
        "tuple": (1, [2.5, None]),
        "function": test_every_kind_of_value_is_stored,
        "nan": math.nan,
        "infinite": [math.inf, -math.inf],
        "text": "größe ✓ \ud800",
    }
    face.take(run.summary.update(given))
    stored = again(server, path).summary
    expected = {
        "scalar": 0.5,
        "int": 2**60,
        "flag": True,
        "single": 3,
        "small": [[0, 1, 2], [3, 4, 5]],
        "day": "2026-07-01",
        "bytes": "é",
        "set": [1, 2, 3],
        "enum": "RED",
        "tuple": [1, [2.5, None]],
        "function": f"{__name__}.test_every_kind_of_value_is_stored",
        "nan": math.nan,
        "infinite": [math.inf, -math.inf],
        "text": "größe ✓ \ud800",
    }
    assert repr({key: stored[key] for key in given}) == repr(expected)
    assert repr(dict(run.summary)) == repr(dict(stored))


def test_a_large_array_is_refused_and_leaves_the_summary_alone(
    run: AnyRun, server: RunningServer, face: Face
) -> None:
    with pytest.raises(ValueError, match=r"summary\['big'\] has 33 elements.*wandb\.h5"):
        face.take(run.summary.update({"ok": 1, "big": np.zeros(33)}))
    assert dict(run.summary) == SUMMARY
    assert len(server.requests) == 0
