"""Hyperband: stops runs that are not among the best share at given numbers of iterations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from runql_server.errors import RequestError
from runql_server.lenient_json import JsonObject, JsonValue

_MOST_BRACKETS = 32


@dataclass(frozen=True)
class Hyperband:
    """Parameters of Hyperband, as W&B documents it.

    Attributes:
        brackets: ascending numbers of iterations. An iteration is a history row with the sweep's metric.
        eta: one of ``eta`` runs continues after a bracket.
        strict: compare a run at its older brackets again whenever other runs reach them.
    """

    brackets: tuple[int, ...]
    eta: float
    strict: bool

    def stops(self, value: float, others: Sequence[float], *, maximize: bool) -> bool:
        """Decide whether to stop a run: its best value at a bracket is not among the best share of ``others`` and itself."""
        ranked = sorted(_rank(each, maximize=maximize) for each in others)
        kept = max(1, math.ceil(len(ranked) / self.eta))
        return bool(ranked) and _rank(value, maximize=maximize) > ranked[kept - 1]


def _rank(value: float, *, maximize: bool) -> float:
    if math.isnan(value):
        return math.inf
    return -value if maximize else value


def parse(document: JsonValue, metric: str | None) -> Hyperband | None:
    """Parse ``early_terminate``; ``None`` without one.

    Raises:
        RequestError: its type is not hyperband, or its numbers make no brackets.
    """
    if document is None:
        return None
    if not isinstance(document, dict) or document.get("type") != "hyperband":
        kind = document.get("type") if isinstance(document, dict) else document
        raise RequestError(f"config: early_terminate: the embedded server only knows hyperband, not {kind!r}")
    if metric is None:
        raise RequestError("config: early_terminate needs a metric to judge runs by")
    eta = document.get("eta", 3)
    if isinstance(eta, bool) or not isinstance(eta, int | float) or not 1 < eta < math.inf:
        raise RequestError("config: early_terminate.eta must be a number above 1")
    strict = document.get("strict", False)
    if not isinstance(strict, bool):
        raise RequestError("config: early_terminate.strict must be true or false")
    return Hyperband(_brackets(document, eta), eta, strict)


def _brackets(document: JsonObject, eta: float) -> tuple[int, ...]:
    """Compute brackets from ``min_iter`` upwards, or ``s`` brackets from ``max_iter`` downwards."""
    if "min_iter" in document:
        least = _whole(document, "min_iter")
        most = _whole(document, "max_iter") if "max_iter" in document else 2**31
        found = [int(least * eta**power) for power in range(_MOST_BRACKETS) if least * eta**power <= most]
    elif "max_iter" in document:
        most, count = _whole(document, "max_iter"), _whole(document, "s")
        found = [int(most / eta**power) for power in range(min(count, _MOST_BRACKETS), 0, -1)]
    else:
        raise RequestError("config: early_terminate needs min_iter, or max_iter and s")
    brackets = tuple(dict.fromkeys(bracket for bracket in found if bracket >= 1))
    if not brackets:
        raise RequestError("config: early_terminate: these numbers make no bracket")
    return brackets


def _whole(document: JsonObject, name: str) -> int:
    value = document.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise RequestError(f"config: early_terminate.{name} must be a whole number above 0")
    return value
