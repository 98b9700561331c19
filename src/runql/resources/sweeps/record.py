"""The fields of a sweep, and the flows that read of it."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property

from pydantic import ValidationError

from runql.errors import UnorderedError
from runql.paths import quote_part, sweep_url
from runql.resources.records.iframe import page_html
from runql.resources.records.snake_case import SnakeCaseAttributes
from runql.resources.records.tables import NOT_READ, Contents, Shown, described, readable
from runql.resources.records.travelling import Travelling
from runql.resources.runs.query import RunQuery, checked_missing
from runql.resources.sweeps.best_run import find_best
from runql.resources.sweeps.config import metric_order, parse_sweep_config, run_order
from runql.resources.sweeps.lookup import read_sweep
from runql.times import as_time
from runql.transport.flow import Flow, share_read
from runql.transport.single_flight import SingleFlight
from runql.values import JSONValue, Missing
from runql_graphql.fragments import FullRunFields, SweepFields

NEWEST_FIRST = "-created_at"


class SweepRecord(Travelling, Shown, SnakeCaseAttributes, ABC):
    """The part of `Sweep` and `AsyncSweep` that both share: its fields, which need no request once they are loaded."""

    def __init__(
        self, entity: str, project: str, sweep_id: str, app_url: str, fields: SweepFields | None
    ) -> None:
        self._entity = entity
        self._project = project
        self._sweep_id = sweep_id
        self._app_url = app_url
        self._fields = fields
        self._reads = SingleFlight()

    _STAYS = frozenset({"_reads"})

    def _settle(self) -> None:
        self._reads = SingleFlight()

    def __repr__(self) -> str:
        state = self._fields.state if self._fields else "not loaded"
        return described("Sweep", f"{self._entity}/{self._project}/{self._sweep_id} ({state})")

    @abstractmethod
    def _loaded(self) -> SweepFields:
        """The fields. Without any, it loads them or raises `NotLoadedError`."""

    def _load(self, *, force: bool) -> Flow[None]:
        if force:
            yield from self._read()
        else:
            yield from share_read(self._reads, lambda: self._fields is None, self._read)

    def _read(self) -> Flow[None]:
        self._fields = yield from read_sweep(self._entity, self._project, self._sweep_id)
        vars(self).pop("_config", None)

    @property
    def _filters(self) -> dict[str, JSONValue]:
        return {"$and": [{"sweep": self._sweep_id}]}

    def _best(self, order: str | None, missing: Missing) -> Flow[FullRunFields | None]:
        wanted = self.order or NEWEST_FIRST if order is None else run_order(order)
        query = RunQuery.checked(self._entity, self._project, self._filters, wanted, 1)
        return self._found(query, strict=checked_missing(missing))

    def _found(self, query: RunQuery, *, strict: bool) -> Flow[FullRunFields | None]:
        best = yield from find_best(query)
        if best is None and strict:
            raise UnorderedError(f"{self._entity}/{self._project}", query.order, "the runs")
        return best

    def to_html(self, height: int = 420, hidden: bool = False) -> str:
        """Return the HTML of an iframe that shows the sweep's page.

        Args:
            height: of the iframe, in pixels.
            hidden: hide it behind a button.
        """
        return page_html(self.url, "sweep", height=height, hidden=hidden)

    def _contents(self) -> Contents:
        if self._fields is None:
            return Contents({"id": self.id, "state": NOT_READ}, url=self.url)
        config = readable(lambda: self._config)
        names = ("id", "state", "method", "run_count", "best_loss", "expected_run_count", "created_at")
        fields = {name: getattr(self, name) for name in names}
        name = self.display_name if isinstance(config, str) else self.name
        return Contents({"name": name or self.id, **fields}, {"config": config}, self.url)

    @property
    def username(self) -> str:
        """Deprecated: the entity, despite its name."""
        warnings.warn("Sweep.username is the entity: use Sweep.entity", DeprecationWarning, stacklevel=2)
        return self._entity

    @property
    def entity(self) -> str:
        """The entity that the sweep was requested from."""
        return self._entity

    @property
    def project(self) -> str:
        """The project that the sweep was requested from."""
        return self._project

    @property
    def id(self) -> str:
        """The sweep's id in URLs (`name` in W&B's schema)."""
        return self._sweep_id

    @property
    def storage_id(self) -> str:
        """The server's own id (`id` in W&B's schema)."""
        return self._loaded().id

    @property
    def display_name(self) -> str | None:
        """The name that a user gave it in the web app."""
        return self._loaded().display_name

    @property
    def name(self) -> str:
        """The name that people see: `display_name`, else the ``name`` in the configuration, else the id."""
        configured = None if self.display_name else self.config.get("name")
        return self.display_name or (configured if isinstance(configured, str) else "") or self._sweep_id

    @property
    def path(self) -> list[str]:
        """Entity, project and sweep id, each percent-quoted."""
        return [quote_part(part) for part in (self._entity, self._project, self._sweep_id)]

    @property
    def url(self) -> str:
        """The sweep's page in the web app; made from the settings, without a request."""
        return sweep_url(self._app_url, self._entity, self._project, self._sweep_id)

    @property
    def state(self) -> str:
        """The state when it was read, as the server writes it: PENDING, RUNNING, PAUSED, FINISHED or CANCELED, for example."""
        return self._loaded().state

    @property
    def method(self) -> str:
        """The search method, such as ``grid``, ``random`` or ``bayes``."""
        return self._loaded().method

    @property
    def description(self) -> str | None:
        """A description by a user."""
        return self._loaded().description

    @cached_property
    def _config(self) -> dict[str, JSONValue]:
        return parse_sweep_config(self._loaded().config)

    @property
    def config(self) -> dict[str, JSONValue]:
        """The configuration.

        Raises:
            MissingExtraError: it is YAML, as the official SDK writes it, and PyYAML is not installed.
        """
        return dict(self._config)

    @property
    def order(self) -> str | None:
        """The order of runs by the configured metric, the best first; None without a metric.

        Servers list runs that lack the metric first or last, and sort infinities in. `Sweep.best_run` skips both.
        """
        return metric_order(self._config)

    @property
    def expected_run_count(self) -> int | None:
        """How many runs the search makes; None when it has no end."""
        return self._loaded().run_count_expected

    @property
    def run_count_expected(self) -> int | None:
        """The same as `expected_run_count`, under the server's word."""
        return self.expected_run_count

    @property
    def run_count(self) -> int:
        """How many runs it had when it was read."""
        return self._loaded().run_count

    @property
    def best_loss(self) -> float | None:
        """The best value of the configured metric when it was read.

        None when there is no metric, no run has a finite value of it, or the server does not say.
        """
        return self._loaded().best_loss

    @property
    def created_at(self) -> str:
        """When it was made, ISO 8601; without a zone it is UTC."""
        return self._loaded().created_at

    @property
    def created_time(self) -> datetime:
        """`created_at` as an aware datetime in UTC.

        Raises:
            UnreadableValueError: the server sent a str that is no time.
        """
        return as_time(
            self.created_at, f"created_at of sweep {self._entity}/{self._project}/{self._sweep_id}"
        )

    @property
    def updated_at(self) -> str | None:
        """When it was last changed, ISO 8601; without a zone it is UTC."""
        return self._loaded().updated_at

    @property
    def updated_time(self) -> datetime | None:
        """`updated_at` as an aware datetime in UTC.

        None where `updated_at` is None.

        Raises:
            UnreadableValueError: the server sent a str that is no time.
        """
        return as_time(
            self.updated_at, f"updated_at of sweep {self._entity}/{self._project}/{self._sweep_id}"
        )


def sweep_fields(attrs: Mapping[str, object]) -> SweepFields:
    """The fields that a caller gave, named as on the wire.

    Raises:
        ValueError: a field that every sweep has is missing, or one has the wrong type.
    """
    try:
        return SweepFields.model_validate(dict(attrs))
    except ValidationError as error:
        places = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
        raise ValueError(f"attrs must hold a sweep's fields as the server names them: {places}") from error
