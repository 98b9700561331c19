"""Read a sample of an application's responses strictly, as `runql drift responses` reads recordings."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime
from itertools import count
from math import floor, isfinite
from pathlib import Path
from typing import Final

from runql.arguments import shown
from runql.callers import level_outside_runql
from runql.drift.approvals import APPROVALS_FILE, approve, read_approvals
from runql.drift.findings import Finding, Report
from runql.drift.responses.strict import Exchange, read_strictly
from runql.drift.schema.sources import known_schema
from runql.errors import SchemaDriftError
from runql.limits import JSONTooDeepError
from runql.transport.observation.schema_drift import OnSchemaDrift, SchemaDrift, SchemaDriftWarning
from runql.values import parse_json

NOT_DECLARED: Final = "response-undeclared-field"
"""An operation of the caller's may be written against another schema: of a field that ours lacks, nothing is known."""


class SampledReader:
    """Reads the first of many responses, and then each that completes another share; threads may share it."""

    def __init__(self, on_drift: OnSchemaDrift, sample: float) -> None:
        """Read the approvals in the working directory, if any; they count as for the command.

        Raises:
            ValueError, TypeError: an option is not valid.
            DriftInputError: the file of approvals is not valid.
        """
        if not (on_drift in ("warn", "raise") or callable(on_drift)):
            raise ValueError(f"strict must be 'warn', 'raise' or a function, not {shown(on_drift)}")
        if isinstance(sample, bool) or not isinstance(sample, int | float):  # pyright: ignore[reportUnnecessaryIsInstance] — callers may be untyped
            raise TypeError(f"sample must be a number, not {shown(sample)}")
        if not isfinite(sample) or not 0 < sample <= 1:
            raise ValueError(
                f"sample must be above 0 and at most 1, not {shown(sample)}: 0.01 reads one in a hundred"
            )
        self._on_drift = on_drift
        self._sample = sample
        self._numbers = count()
        self._told = set[tuple[str, str, str]]()
        path = Path(APPROVALS_FILE)
        self._approvals = read_approvals(path) if path.is_file() else []

    def __call__(self, sent: bytes, received: bytes) -> None:
        """Read a response, if it is one of the sample.

        Raises:
            SchemaDriftError: the response departs from the schema, and the caller wants an error.
        """
        number = next(self._numbers)
        if floor(number * self._sample) == floor((number - 1) * self._sample):
            return
        exchange = _exchange(sent, received)
        if exchange is None:
            return
        found = [
            each
            for each in read_strictly(exchange, known_schema(), shows_values=False)
            if each.rule != NOT_DECLARED
        ]
        today = datetime.now(UTC).date()
        report = approve(Report("", tuple(found), covered=frozenset()), self._approvals, today)
        self._tell([each for each in report.findings if each.approved is None and each in found])

    def _tell(self, found: list[Finding]) -> None:
        drifts = [_drift(each) for each in found]
        if self._on_drift == "raise":
            if drifts:
                raise SchemaDriftError(drifts[0].operation, [each.message for each in drifts])
            return
        for finding, drift in zip(found, drifts, strict=True):
            if not isinstance(self._on_drift, str):
                self._on_drift(drift)
            elif finding.place not in self._told:
                self._told.add(finding.place)
                warnings.warn(SchemaDriftWarning(drift), stacklevel=level_outside_runql())


def _exchange(sent: bytes, received: bytes) -> Exchange | None:
    """Return the exchange; None where the response has no data, which the client reports by itself."""
    try:
        request, response = parse_json(sent), parse_json(received)
    except (ValueError, JSONTooDeepError):
        return None
    if not isinstance(request, dict) or not isinstance(response, dict):
        return None
    data, variables = response.get("data"), request.get("variables")
    if not isinstance(data, dict):
        return None
    return Exchange(
        operation=str(request.get("operationName") or ""),
        document=str(request.get("query") or ""),
        variables=variables if isinstance(variables, dict) else {},
        data=data,
    )


def _drift(finding: Finding) -> SchemaDrift:
    return SchemaDrift(
        finding.uses[0].operation,
        finding.coordinate,
        finding.rule,
        "breaking" if finding.level == "breaking" else "dangerous",
        finding.message,
    )
