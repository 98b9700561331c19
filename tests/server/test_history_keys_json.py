"""History keys are strict JSON, because the newest SDK parses them strictly."""

from __future__ import annotations

import json
import math

import pytest

from runql_server.runs.history_keys import HistoryKeys


def refuse(token: str) -> float:
    raise ValueError(f"{token} is not JSON")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_spelled_out(value: float) -> None:
    keys = HistoryKeys()
    keys.fold({"loss": value, "nested": {"deep": value}}, 0)
    text = keys.to_string()
    document = json.loads(text, parse_constant=refuse)
    assert (
        document["keys"]["loss"]["previousValue"]
        == {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    )
    assert HistoryKeys.from_string(text).to_string() == text
