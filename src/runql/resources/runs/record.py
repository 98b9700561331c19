"""The fields of a run that cannot be changed, in the light or the full shape, and the flows that read of it."""

from __future__ import annotations

import json
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Final, TypeVar

from pydantic import ValidationError

from runql.limits import limits_of_client
from runql.paths import RunAddress, quote_part, run_url
from runql.postponed import postponed
from runql.quick_dataclasses import dataclass
from runql.resources.records.absent_fields import require_field, require_requested_field
from runql.resources.records.identity import require_run
from runql.resources.records.run_fields import PROJECT_ID, UNEDITED, project_number, read_run
from runql.resources.records.snake_case import SnakeCaseAttributes
from runql.resources.records.tables import Shown, described
from runql.resources.records.travelling import Travelling
from runql.resources.runs.query import RunQuery, list_full_page
from runql.resources.runs.state import wait_until_ended
from runql.times import as_time
from runql.transport.flow import DEFAULT_CONCURRENCY, Flow, ReadOnce, download, fetch, gather, share_read
from runql.transport.single_flight import SingleFlight
from runql.values import JSONValue, ParsedConfig, as_json, parse_config, parse_object, parse_summary
from runql_graphql.fragments import FullRunFields, RunFields
from runql_graphql.operations import get_history_keys

if TYPE_CHECKING:
    from runql.frames.asked_types import Schema
    from runql.frames.library_types import pandas_types as pd
    from runql.resources.history.plan import HistoryHints, Match, ScanPlan
    from runql.resources.history.sampled import Row, Stream
    from runql.resources.sweeps.page_sweeps import PageSweeps
    from runql.resources.user import User
    from runql_graphql.fragments import SweepFields
else:
    globals().update(postponed("Match PageSweeps Row Schema Stream User pd"))

S = TypeVar("S")
METADATA: Final = "wandb-metadata.json"


@dataclass(eq=False, slots=True)
class ListedPage:
    """A page of runs in the light shape. The first run that is needed in the full shape loads all of them."""

    query: RunQuery
    after: str | None
    runs: list[RunRecord] = field(default_factory=list["RunRecord"])
    _loaded: ReadOnce[None] = field(init=False)

    def __post_init__(self) -> None:
        self._loaded = ReadOnce(self._read)

    def load(self) -> Flow[None]:
        """Read the page again in the full shape, once; one request. A run that has left the page stays light."""
        yield from self._loaded.get()

    def _read(self) -> Flow[None]:
        page = yield from list_full_page(self.query, self.after)
        full = {fields.id: fields for fields in page.nodes}
        for run in self.runs:
            run.take(full.get(run.storage_id))


class RunRecord(Travelling, Shown, SnakeCaseAttributes, ABC):
    """The fields of a run that cannot be changed, and the flows that read of it.

    A run from a list holds what the list selected: the full shape by default, the light one with ``lazy=True``.
    JSON strings (config, summary, system metrics) are parsed when first looked at.
    """

    def __init__(
        self,
        address: RunAddress,
        app_url: str,
        fields: RunFields | FullRunFields | None,
        page: ListedPage | None = None,
    ) -> None:
        self._address = address
        self._app_url = app_url
        self._fields: RunFields | FullRunFields | None = fields
        self._page = page
        self._reads = SingleFlight()

    _STAYS = frozenset({"_own_sweeps", "_page", "_reads", "_sweeps", "summary"})

    def _settle(self) -> None:
        self._page = None
        self._reads = SingleFlight()

    def _token(self) -> tuple[object, ...]:
        fields = self._fields
        return self._path, None if fields is None else fields.model_dump_json()

    def __repr__(self) -> str:
        state = self._fields.state if self._fields else None
        return described("Run", f"{self._path} ({state or 'not found'})")

    @property
    def _path(self) -> str:
        address = self._address
        return f"{address.entity}/{address.project}/{address.run_id}"

    # -- loading ------------------------------------------------------------------------------------------------

    @abstractmethod
    def _light(self) -> RunFields | FullRunFields:
        """The fields in either shape. Without any, it loads them or raises `NotLoadedError`."""

    @abstractmethod
    def _full(self) -> FullRunFields:
        """The fields in the full shape. Without them, it loads them or raises `NotLoadedError`."""

    def take(self, fields: FullRunFields | None) -> None:
        """Replace the fields; None changes nothing."""
        if fields is not None:
            self._fields = fields
            for decoded in ("_config", "_summary", "system_metrics"):
                vars(self).pop(decoded, None)

    @staticmethod
    def load_missing(runs: Sequence[RunRecord]) -> Flow[None]:
        """Read the full shape of the runs that are in the light one, those of a page together."""
        light = [run for run in runs if not run._is_full()]
        yield from gather([run._load(force=False) for run in light], limit=DEFAULT_CONCURRENCY)

    def _load(self, *, force: bool) -> Flow[None]:
        if force:
            yield from self._read()
            return
        if self._page is not None and not self._is_full():
            yield from self._page.load()
        yield from share_read(self._reads, lambda: not self._is_full(), self._read)

    def _is_full(self) -> bool:
        return isinstance(self._fields, FullRunFields)

    def _read(self) -> Flow[None]:
        self.take((yield from read_run(self._address, may_lack=UNEDITED)))

    def _wait(self, timeout: float | None) -> Flow[None]:
        state = yield from wait_until_ended(self._address, timeout=timeout)
        if self._fields is not None:
            self._fields = self._fields.model_copy(update={"state": state})

    # -- history, files and sweep --------------------------------------------------------------------------------

    def _known(self) -> HistoryHints:
        from runql.resources.history.plan import HistoryHints
        from runql.resources.history.window import last_step

        fields = self._fields
        if fields is None:
            return HistoryHints()
        keys = fields.history_keys if isinstance(fields, FullRunFields) else None
        return HistoryHints(last_step(as_json(keys)), fields.history_line_count)

    def _scan_plan(
        self,
        keys: Sequence[str] | None,
        page_size: int,
        min_step: int | None,
        max_step: int | None,
        match: Match,
        max_concurrency: int,
    ) -> ScanPlan:
        from runql.resources.history.plan import ScanPlan

        return ScanPlan.checked(
            self._address,
            keys=keys,
            match=match,
            page_size=page_size,
            min_step=min_step,
            max_step=max_step,
            max_concurrency=max_concurrency,
        )

    def _sample(
        self,
        samples: int,
        keys: Sequence[str] | None,
        x_axis: str,
        *,
        pandas: bool,
        stream: Stream,
        schema: Schema | None = None,
    ) -> Flow[pd.DataFrame | list[Row]]:
        from runql.frames.asked_types import FrameSchema, refuse_schema
        from runql.frames.extras import require
        from runql.frames.table import Table
        from runql.frames.to_pandas import to_pandas
        from runql.resources.history.sampled import SampleOptions, sample_run

        sample = SampleOptions.checked(samples, keys, x_axis, stream)
        if pandas:
            require("pandas", needed_for="Run.history(pandas=True)")
        else:
            refuse_schema(schema, "pandas=False")
        checked = FrameSchema.checked(schema, sample.columns if sample.keys else None, self._path)
        rows = yield from sample_run(self._address, sample)
        return to_pandas(Table.from_rows(rows, requested=sample.columns, schema=checked)) if pandas else rows

    def _find_sweep(self, sweeps: PageSweeps[S] | None, make: Callable[[SweepFields], S]) -> Flow[S | None]:
        if sweeps is not None:
            return (yield from sweeps.of_run(self.sweep_name))
        from runql.resources.sweeps.page_sweeps import PageSweeps, SweepCache

        made = PageSweeps(SweepCache(self.entity, self.project, make))
        # Threads that arrive together share one, so that the sweep is read once.
        own: PageSweeps[S] = vars(self).setdefault("_own_sweeps", made)
        return (yield from own.of_run(self.sweep_name))

    # -- who and where ------------------------------------------------------------------------------------------

    @property
    def entity(self) -> str:
        """The entity that the run was requested from."""
        return self._address.entity

    @property
    def project(self) -> str:
        """The project that the run was requested from."""
        return self._address.project

    @property
    def id(self) -> str:
        """The run's id in URLs; eight characters by default (`name` in W&B's schema)."""
        return self._address.run_id

    @property
    def storage_id(self) -> str:
        """The server's own id, which mutations address (`id` in W&B's schema)."""
        return self._light().id

    @property
    def username(self) -> str:
        """Deprecated: the entity, despite its name."""
        warnings.warn("Run.username is the entity: use Run.entity", DeprecationWarning, stacklevel=2)
        return self.entity

    @property
    def path(self) -> list[str]:
        """Entity, project and run id, each percent-quoted."""
        return [quote_part(part) for part in (self.entity, self.project, self.id)]

    @property
    def url(self) -> str:
        """The run's page in the web app; made from the settings, without a request."""
        return run_url(self._app_url, self.entity, self.project, self.id)

    # -- the light shape ----------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """When it was read: running, pending, preempting, finished, crashed, failed, killed or preempted.

        A plain str, because servers may add states.
        """
        return self._light().state or "not found"

    @property
    def commit(self) -> str | None:
        """The git commit that was logged."""
        return self._light().commit

    @property
    def read_only(self) -> bool | None:
        """Whether this API key may not change the run."""
        return self._light().read_only

    @property
    def created_at(self) -> str:
        """When the run started, ISO 8601; without a zone it is UTC."""
        return self._light().created_at

    @property
    def created_time(self) -> datetime:
        """`created_at` as an aware datetime in UTC.

        Raises:
            UnreadableValueError: the server sent a str that is no time.
        """
        return as_time(self.created_at, f"created_at of run {self._path}")

    @property
    def heartbeat_at(self) -> str | None:
        """When the run last sent a heartbeat, ISO 8601; without a zone it is UTC."""
        return self._light().heartbeat_at

    @property
    def heartbeat_time(self) -> datetime | None:
        """`heartbeat_at` as an aware datetime in UTC.

        None where `heartbeat_at` is None.

        Raises:
            UnreadableValueError: the server sent a str that is no time.
        """
        return as_time(self.heartbeat_at, f"heartbeat_at of run {self._path}")

    @property
    def sweep_name(self) -> str | None:
        """The short id of the sweep that the run belongs to."""
        return self._light().sweep_name

    @property
    def history_line_count(self) -> int | None:
        """Rows in the history when the run was read."""
        return self._light().history_line_count

    @property
    def _project_number(self) -> int | None:
        """The server's number for the project; None while the run is not loaded."""
        return project_number(self._fields) if self._fields else None

    @property
    def project_internal_id(self) -> int:
        """The server's number for the project.

        Raises:
            OutdatedServerError: the server does not know the field.
        """
        return require_field(project_number(self._light()), PROJECT_ID)

    @property
    def user(self) -> User | None:
        """The user who created the run; as a str it is their name."""
        from runql.resources.user import User

        user = self._light().user
        return User(name=user.name, username=user.username) if user else None

    # -- the full shape -----------------------------------------------------------------------------------------

    @cached_property
    def _config(self) -> ParsedConfig:
        with limits_of_client(self):
            return parse_config(self._full().config, f"the config of run {self._path}")

    @property
    def rawconfig(self) -> dict[str, JSONValue]:
        """As `config`, with the SDK's own entries."""
        return {**self._config.internal, **self._config.values}

    @property
    def json_config(self) -> str:
        """The config as the JSON string that the server stores: every key an object with ``value`` and ``desc``.

        `_wandb` comes first; `wandb_version` is not stored again.
        """
        own = {key: value for key, value in self._config.internal.items() if key == "_wandb"}
        entries = {**own, **self._config.values}
        return json.dumps({key: {"value": value, "desc": None} for key, value in entries.items()})

    @cached_property
    def _summary(self) -> dict[str, JSONValue]:
        with limits_of_client(self):
            return parse_summary(self._full().summary_metrics, f"the summary of run {self._path}")

    @property
    def summary_metrics(self) -> dict[str, JSONValue]:
        """The summary as a plain dict."""
        return dict(self._summary)

    @cached_property
    def system_metrics(self) -> dict[str, JSONValue]:
        """The last metrics of the machine.

        Raises:
            OutdatedServerError: the server does not know the field.
        """
        fields = self._full()
        require_requested_field(fields, "system_metrics", "Run.systemMetrics")
        with limits_of_client(self):
            return parse_object(fields.system_metrics, f"the system metrics of run {self._path}")

    @property
    def history_keys(self) -> dict[str, JSONValue] | None:
        """The server's index of the logged metrics: ``keys`` (name to type counts), ``sets``, ``lastStep``.

        None when nothing was logged, or the server has not counted yet.
        """
        keys = as_json(self._full().history_keys)
        return keys if isinstance(keys, dict) else None

    # -- in a notebook ------------------------------------------------------------------------------------------

    def to_html(self, height: int = 420, hidden: bool = False) -> str:
        """Return the HTML of an iframe that shows the run's page.

        Args:
            height: of the iframe, in pixels.
            hidden: hide it behind a button.
        """
        from runql.resources.records.iframe import page_html

        return page_html(self.url, "run", height=height, hidden=hidden)


def read_last_step(run: RunAddress) -> Flow[int]:
    """`historyKeys.lastStep` now, -1 when the server returns none; one request."""
    from runql.resources.history.window import last_step

    response = yield from fetch(get_history_keys(entity=run.entity, project=run.project, run=run.run_id))
    found = require_run(response.project, run.entity, run.project, run.run_id)
    step = last_step(as_json(found.history_keys))
    return -1 if step is None else step


def read_metadata(run: RunAddress) -> Flow[dict[str, JSONValue] | None]:
    """The content of `wandb-metadata.json`; two requests. None when the run has no such file; one request.

    Asked by name, the server returns an entry for a file that does not exist, too; such an entry was never updated.
    """
    from runql.resources.files.record import find_entry

    entry = yield from find_entry(run, METADATA)
    if entry is None or entry.updated_at is None:
        return None
    content = yield from download(entry.url or entry.direct_url)
    return parse_object(content.decode("utf-8", "replace"))


def fields_of(attrs: Mapping[str, object]) -> RunFields | FullRunFields:
    """The fields that a caller gave, named as on the wire; the full shape when ``config`` is among them.

    Raises:
        ValueError: a field that every run has is missing, or one has the wrong type.
    """
    model = FullRunFields if "config" in attrs else RunFields
    try:
        return model.model_validate(dict(attrs))
    except ValidationError as error:
        places = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
        raise ValueError(f"attrs must hold a run's fields as the server names them: {places}") from error
