"""Configuration of a sweep: search method, metric, parameters and limits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from random import Random

import yaml  # type: ignore[import-untyped]  # its stubs are a package of their own

from runql_server import lenient_json
from runql_server.errors import RequestError
from runql_server.lenient_json import JsonObject, JsonValue
from runql_server.sweeps import early_stopping, parameters
from runql_server.sweeps.early_stopping import Hyperband
from runql_server.sweeps.parameters import Group

METHODS = ("grid", "random")


@dataclass(frozen=True)
class Search:
    """A validated configuration, from which agents receive points."""

    method: str
    space: Group
    early_stopping: Hyperband | None

    @property
    def points(self) -> int | None:
        """Return the number of points, ``None`` for a random search."""
        return self.space.points if self.method == "grid" else None

    def point(self, index: int) -> JsonObject:
        """Return the values of one point of a grid."""
        return self.space.point(index)

    def draw(self, seed: str) -> JsonObject:
        """Draw the values of a random point; they depend only on the seed."""
        return self.space.draw(Random(seed))  # noqa: S311 - no secret depends on it


@dataclass(frozen=True)
class SweepConfig:
    """A stored configuration; only ``search`` validates it."""

    document: JsonObject

    @property
    def method(self) -> str:
        """Search method; an older database may hold configurations without one."""
        method = self.document.get("method")
        return method if isinstance(method, str) else ""

    @property
    def metric(self) -> str | None:
        """Name of the summary value that the search optimizes."""
        metric = self.document.get("metric")
        name = metric.get("name") if isinstance(metric, dict) else None
        return name if isinstance(name, str) and name else None

    @property
    def maximize(self) -> bool:
        """Whether higher values of the metric are better."""
        metric = self.document.get("metric")
        return isinstance(metric, dict) and metric.get("goal") == "maximize"

    @property
    def run_cap(self) -> int | None:
        """Limit of the number of runs."""
        cap = self.document.get("run_cap")
        return cap if isinstance(cap, int) and not isinstance(cap, bool) else None

    @property
    def program(self) -> str:
        """Program that agents run."""
        program = self.document.get("program")
        return program if isinstance(program, str) else ""

    @property
    def expected_runs(self) -> int | None:
        """Number of runs of the whole search, ``None`` if it is unlimited."""
        try:
            points = self.search.points
        except RequestError:
            points = None
        return min((limit for limit in (points, self.run_cap) if limit is not None), default=None)

    @cached_property
    def search(self) -> Search:
        """Validated search.

        Raises:
            RequestError: an entry is not valid; the message names it.
        """
        if self.method not in METHODS:
            known = " and ".join(METHODS)
            given = f"method {self.method!r} is not supported" if self.method else "a method is needed"
            raise RequestError(f"config: {given}: the embedded server searches by {known}")
        self._check_entries()
        space = parameters.group(self.document.get("parameters", {}))
        if self.method == "grid":
            for name, parameter in space.parameters.items():
                if not parameter.points:
                    raise RequestError(
                        f"config: parameters.{name}: a grid needs values, or the distribution int_uniform or q_uniform"
                    )
        return Search(
            self.method, space, early_stopping.parse(self.document.get("early_terminate"), self.metric)
        )

    @property
    def warnings(self) -> list[str]:
        """Warnings about harmless oddities."""
        found = (
            []
            if self.document.get("parameters")
            else ["'parameters' are missing: each run gets an empty config"]
        )
        return [*found, *(f"unknown entry {name!r}" for name in self.document if name not in _ENTRIES)]

    def _check_entries(self) -> None:
        document = self.document
        metric, cap, command = (document.get(name) for name in ("metric", "run_cap", "command"))
        if metric is not None and self.metric is None:
            raise RequestError("config: metric needs a name")
        goal = metric.get("goal", "minimize") if isinstance(metric, dict) else "minimize"
        if goal not in ("minimize", "maximize"):
            raise RequestError(f"config: metric.goal must be minimize or maximize, not {goal!r}")
        if cap is not None and (self.run_cap is None or self.run_cap < 1):
            raise RequestError("config: run_cap must be a whole number above 0")
        if command is not None and not isinstance(command, list):
            raise RequestError("config: command must be a list")


_ENTRIES = {
    "command",
    "controller",
    "description",
    "early_terminate",
    "entity",
    "imports",
    "job",
    "method",
    "metric",
    "name",
    "parameters",
    "program",
    "project",
    "run_cap",
}


def parse(text: str) -> SweepConfig:
    """Parse the YAML string of a configuration.

    Raises:
        RequestError: it is not YAML, or not a mapping.
    """
    try:
        # A detour through JSON turns types that only YAML has (dates, sets, bytes) into strings.
        document: JsonValue = lenient_json.parse(json.dumps(yaml.safe_load(text), default=str), what="config")
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise RequestError(f"config: not YAML: {error}") from error
    if not isinstance(document, dict):
        raise RequestError("config: a sweep's configuration must be a mapping")
    return SweepConfig(document)
