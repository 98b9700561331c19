"""What is known of a run: its fields in the light or the full shape, read where they lie."""

from __future__ import annotations

import json
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from pydantic import ValidationError

from runql.paths import quote_part, run_url
from runql.resources.records.absent_fields import asked, present
from runql.resources.records.identity import require_run
from runql.resources.records.run_fields import PROJECT_ID, project_number, read_run
from runql.resources.records.snake_case import SnakeCaseAttributes
from runql.resources.runs.query import RunQuery, list_full_page
from runql.resources.runs.state import wait_until_ended
from runql.transport.flow import Flow, ReadOnce, fetch, share_read
from runql.transport.single_flight import SingleFlight
from runql.values import JSONValue, ParsedConfig, as_json, parse_config, parse_object, parse_summary
from runql_graphql.fragments import FullRunFields, RunFields
from runql_graphql.operations import get_history_keys

if TYPE_CHECKING:
    from runql.resources.history.plan import Known
    from runql.resources.user import User


@dataclass(eq=False, slots=True)
class ListedPage:
    """A page of runs listed in the light shape: when one of them is needed in full, all of them are read at once."""

    query: RunQuery
    after: str | None
    runs: list[RunRecord] = field(default_factory=list["RunRecord"])
    _loaded: ReadOnce[None] = field(init=False)

    def __post_init__(self) -> None:
        self._loaded = ReadOnce(self._read)

    def load(self) -> Flow[None]:
        """Read the page again in the full shape, once; one request. A run that has left the page meanwhile stays light."""
        yield from self._loaded.get()

    def _read(self) -> Flow[None]:
        page = yield from list_full_page(self.query, self.after)
        full = {fields.id: fields for fields in page.nodes}
        for run in self.runs:
            run.take(full.get(run.storage_id))


class RunRecord(SnakeCaseAttributes, ABC):
    """The part of `Run` and `AsyncRun` that needs no request once the run is loaded.

    A run from a list holds what the list asked for: everything by default, the light shape with ``lazy=True``. The
    JSON texts (config, summary, system metrics) are decoded when first looked at.
    """

    def __init__(
        self,
        entity: str,
        project: str,
        run_id: str,
        app_url: str,
        fields: RunFields | FullRunFields | None,
        page: ListedPage | None = None,
    ) -> None:
        self._entity = entity
        self._project = project
        self._run_id = run_id
        self._app_url = app_url
        self._fields: RunFields | FullRunFields | None = fields
        self._page = page
        self._reads = SingleFlight()

    def __repr__(self) -> str:
        state = self._fields.state if self._fields else None
        return f"<Run {self._entity}/{self._project}/{self._run_id} ({state or 'not found'})>"

    @property
    def _named(self) -> str:
        return f"run {self._entity}/{self._project}/{self._run_id}"

    @abstractmethod
    def _light(self) -> RunFields | FullRunFields:
        """The fields in whichever shape is here, loaded or refused when there are none."""

    @abstractmethod
    def _full(self) -> FullRunFields:
        """The fields in the full shape, loaded or refused when they are not here."""

    def take(self, fields: FullRunFields | None) -> None:
        """Replace what is known of the run; None changes nothing."""
        if fields is not None:
            self._fields = fields
            for decoded in ("_config", "_summary", "system_metrics"):
                vars(self).pop(decoded, None)

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
        self.take((yield from read_run(self._entity, self._project, self._run_id)))

    def _wait(self, timeout: float | None) -> Flow[None]:
        state = yield from wait_until_ended(self._entity, self._project, self._run_id, timeout=timeout)
        if self._fields is not None:
            self._fields = self._fields.model_copy(update={"state": state})

    def _known(self) -> Known:
        from runql.resources.history.plan import Known
        from runql.resources.history.window import last_step

        fields = self._fields
        if fields is None:
            return Known()
        keys = fields.history_keys if isinstance(fields, FullRunFields) else None
        return Known(last_step(as_json(keys)), fields.history_line_count)

    # -- who and where ------------------------------------------------------------------------------------------

    @property
    def entity(self) -> str:
        """The entity the run was asked for with."""
        return self._entity

    @property
    def project(self) -> str:
        """The project the run was asked for with."""
        return self._project

    @property
    def id(self) -> str:
        """The run's id in URLs; eight characters by default (`Run.name` on the wire)."""
        return self._run_id

    @property
    def storage_id(self) -> str:
        """The server's own id, which mutations address (`Run.id` on the wire)."""
        return self._light().id

    @property
    def name(self) -> str | None:
        """The name that people see; not unique (`Run.displayName` on the wire)."""
        return self._light().display_name

    @property
    def display_name(self) -> str | None:
        """The same as `name`, under the server's word."""
        return self._light().display_name

    @property
    def username(self) -> str:
        """Deprecated: the entity, despite its name."""
        warnings.warn("Run.username is the entity: use Run.entity", DeprecationWarning, stacklevel=2)
        return self._entity

    @property
    def path(self) -> list[str]:
        """Entity, project and run id, each percent-quoted."""
        return [quote_part(part) for part in (self._entity, self._project, self._run_id)]

    @property
    def url(self) -> str:
        """The run's page in the web app; made from the settings, without a request."""
        return run_url(self._app_url, self._entity, self._project, self._run_id)

    # -- the light shape ----------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """When it was read: running, pending, preempting, finished, crashed, failed, killed or preempted.

        A plain text, because servers may add states.
        """
        return self._light().state or "not found"

    @property
    def tags(self) -> list[str]:
        """Tags, in the server's order."""
        return list(self._light().tags or [])

    @property
    def group(self) -> str | None:
        """The group that the run belongs to."""
        return self._light().group

    @property
    def job_type(self) -> str | None:
        """What kind of job it was, such as ``train``."""
        return self._light().job_type

    @property
    def notes(self) -> str | None:
        """Notes about the run."""
        return self._light().notes

    @property
    def description(self) -> str | None:
        """An older place for notes."""
        return self._light().description

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
    def heartbeat_at(self) -> str | None:
        """When the run last gave a sign of life, ISO 8601; without a zone it is UTC."""
        return self._light().heartbeat_at

    @property
    def sweep_name(self) -> str | None:
        """The short id of the sweep that the run belongs to."""
        return self._light().sweep_name

    @property
    def history_line_count(self) -> int | None:
        """Rows in the history when the run was read."""
        return self._light().history_line_count

    @property
    def project_internal_id(self) -> int:
        """The server's number for the project.

        Raises:
            OutdatedServerError: the server does not know it.
        """
        return present(project_number(self._light()), PROJECT_ID)

    @property
    def user(self) -> User | None:
        """Who created the run; as a text it is their name."""
        from runql.resources.user import User

        user = self._light().user
        return User(name=user.name, username=user.username) if user else None

    # -- the full shape -----------------------------------------------------------------------------------------

    @cached_property
    def _config(self) -> ParsedConfig:
        return parse_config(self._full().config, f"the config of {self._named}")

    @property
    def config(self) -> dict[str, JSONValue]:
        """The hyperparameters, unwrapped, without the SDK's own entries (`_wandb`, `wandb_version`)."""
        return self._config.values

    @property
    def rawconfig(self) -> dict[str, JSONValue]:
        """As `config`, with the SDK's own entries."""
        return {**self._config.internal, **self._config.values}

    @property
    def json_config(self) -> str:
        """The config as the JSON text it is stored as: every key an object with ``value`` and ``desc``.

        `_wandb` comes first; `wandb_version` is not stored again.
        """
        own = {key: value for key, value in self._config.internal.items() if key == "_wandb"}
        wrapped = {key: {"value": value, "desc": None} for key, value in {**own, **self.config}.items()}
        return json.dumps(wrapped)

    @cached_property
    def _summary(self) -> dict[str, JSONValue]:
        return parse_summary(self._full().summary_metrics, f"the summary of {self._named}")

    @property
    def summary_metrics(self) -> dict[str, JSONValue]:
        """The summary as a plain dict."""
        return dict(self._summary)

    @cached_property
    def system_metrics(self) -> dict[str, JSONValue]:
        """The last machine metrics.

        Raises:
            OutdatedServerError: the server does not know them.
        """
        fields = self._full()
        asked(fields, "system_metrics", "Run.systemMetrics")
        return parse_object(fields.system_metrics, f"the system metrics of {self._named}")

    @property
    def history_keys(self) -> dict[str, JSONValue] | None:
        """What the server knows of the logged metrics: ``keys`` (name to type counts), ``sets``, ``lastStep``.

        None when nothing was logged, or the server has not counted yet.
        """
        keys = as_json(self._full().history_keys)
        return keys if isinstance(keys, dict) else None

    # -- in a notebook ------------------------------------------------------------------------------------------

    def to_html(self, height: int = 420, hidden: bool = False) -> str:
        """An iframe that shows the run's page.

        Args:
            height: of the iframe, in pixels.
            hidden: put it behind a button.
        """
        from runql.resources.records.iframe import page_html

        return page_html(self.url, "run", height=height, hidden=hidden)

    def _repr_html_(self) -> str:
        return self.to_html()


def read_last_step(entity: str, project: str, run: str) -> Flow[int]:
    """`historyKeys.lastStep` now, -1 when there is none; one request."""
    from runql.resources.history.window import last_step

    answer = yield from fetch(get_history_keys(entity=entity, project=project, run=run))
    step = last_step(as_json(require_run(answer.project, entity, project, run).history_keys))
    return -1 if step is None else step


def fields_of(attrs: Mapping[str, object]) -> RunFields | FullRunFields:
    """The fields that a caller gave, named as on the wire; the full shape when the JSON texts are among them.

    Raises:
        ValueError: a field that every run has is missing, or one has the wrong type.
    """
    model = FullRunFields if "config" in attrs else RunFields
    try:
        return model.model_validate(dict(attrs))
    except ValidationError as error:
        places = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()[:5])
        raise ValueError(f"attrs must hold a run's fields as the server names them: {places}") from error
