"""All calls in order: those that only read come first."""

from __future__ import annotations

from tests.conformance.calls.api import API
from tests.conformance.calls.artifact_catalog import CATALOG
from tests.conformance.calls.artifact_writing import ARTIFACT_WRITING
from tests.conformance.calls.artifacts import ARTIFACTS
from tests.conformance.calls.call import Call, Calls
from tests.conformance.calls.files import FILES
from tests.conformance.calls.metrics import METRICS
from tests.conformance.calls.run import RUN
from tests.conformance.calls.runs import RUNS
from tests.conformance.calls.sweeps import SWEEPS
from tests.conformance.calls.writing import WRITING


def _all() -> dict[str, Call]:
    every = Calls()
    for calls in (API, RUNS, RUN, METRICS, FILES, SWEEPS, CATALOG, ARTIFACTS, WRITING, ARTIFACT_WRITING):
        for call in calls.values():
            every.add(call)
    return dict(sorted(every.items(), key=lambda item: item[1].changes is not None))


CALLS = _all()
