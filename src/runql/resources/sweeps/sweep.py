"""One sweep: `Sweep`, and `AsyncSweep` for the async client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from runql.errors import NotLoadedError
from runql.postponed import postponed
from runql.resources.sweeps.record import SweepRecord, sweep_fields
from runql.transport.sync import RetryingClient
from runql.values import Missing
from runql_graphql.fragments import SweepFields

if TYPE_CHECKING:
    from runql.resources.runs.async_run import AsyncRun
    from runql.resources.runs.run import Run
    from runql.resources.runs.runs import AsyncRuns, Runs
    from runql.transport.aio import AsyncRetryingClient
else:
    globals().update(postponed("AsyncRetryingClient AsyncRun AsyncRuns Run Runs"))


class Sweep(SweepRecord):
    """A hyperparameter search; `Api.sweep`, `Run.sweep` and `Project.sweeps` make them::

        sweep = runql.Api().sweep("team/vision/sweeps/abc123")
        best = sweep.best_run()
        print(sweep.state, len(sweep.runs), best and best.config)

    Requests: none for its fields. Made without ``attrs`` it is loaded at once, by one request.

    Raises:
        SweepNotFoundError: while it is loaded: the project holds no such sweep.
    """

    _runs: Runs

    def __init__(
        self,
        client: RetryingClient,
        entity: str,
        project: str,
        sweep_id: str,
        attrs: Mapping[str, object] | None = None,
    ) -> None:
        self._client = client
        fields = None if attrs is None else sweep_fields(attrs)
        super().__init__(entity, project, sweep_id, client.settings.app_url, fields)
        if attrs is None:
            self.load()

    @classmethod
    def listed(cls, client: RetryingClient, entity: str, project: str, fields: SweepFields) -> Sweep:
        """A sweep from fields that were read already; sends nothing."""
        return cls(client, entity, project, fields.name, fields.model_dump(by_alias=True))

    def _loaded(self) -> SweepFields:
        if self._fields is None:
            raise NotLoadedError(f"sweep {self._entity}/{self._project}/{self._sweep_id} could not be loaded")
        return self._fields

    def load(self, force: bool = False) -> None:
        """Read the sweep's fields; one request.

        Args:
            force: read them again although they are here: this refreshes the sweep.

        Raises:
            SweepNotFoundError: the project holds no such sweep.
            ProjectNotFoundError: the project is absent or hidden.
        """
        self._client.run(self._load(force=force))

    @property
    def runs(self) -> Runs:
        """The runs that belong to it, oldest first, as a lazy list; one request a page."""
        # Threads that arrive together share one list, and so its pages.
        if "_runs" not in vars(self):
            from runql.resources.runs.runs import (  # noqa: PLC0415 - runs have sweeps, and sweeps have runs
                Runs,
            )

            runs = Runs(self._client, self._entity, self._project, self._filters)
            vars(self).setdefault("_runs", runs)
        return self._runs

    def best_run(self, order: str | None = None, *, missing: Missing = "last") -> Run | None:
        """Return the best run by a metric; None when no run of the sweep has a finite value of it.

        Where the summary holds an object, as after ``define_metric(summary="max")``, its member counts: ``best``, else
        ``max`` for a descending order and ``min`` for an ascending one, else another.

        Args:
            order: a metric or run column, with ``+`` or ``-`` before it, descending without a sign. None for the
                configured metric (see `order`), and for the newest run when there is none.
            missing: ``"raise"`` raises where no run has a finite value, in place of None.

        Raises:
            UnorderedError: see ``missing``.

        Requests: one. Where the first run has no finite value of the metric, one more for each 50 runs that are skipped.
        For an object one more.
        """
        from runql.resources.runs.run import Run  # noqa: PLC0415 - runs have sweeps, and sweeps have runs

        fields = self._client.run(self._best(order, missing))
        if fields is None:
            return None
        return Run.listed(self._client, self._entity, self._project, fields, None)


class AsyncSweep(SweepRecord):
    """The async twin of `Sweep`.

    Made without ``attrs`` it has no fields until ``await sweep.load()``. `AsyncApi.sweep` and lists return loaded sweeps.
    """

    _runs: AsyncRuns

    def __init__(
        self,
        client: AsyncRetryingClient,
        entity: str,
        project: str,
        sweep_id: str,
        attrs: Mapping[str, object] | None = None,
    ) -> None:
        self._client = client
        fields = None if attrs is None else sweep_fields(attrs)
        super().__init__(entity, project, sweep_id, client.settings.app_url, fields)

    @classmethod
    def listed(
        cls, client: AsyncRetryingClient, entity: str, project: str, fields: SweepFields
    ) -> AsyncSweep:
        """A sweep from fields that were read already; sends nothing."""
        return cls(client, entity, project, fields.name, fields.model_dump(by_alias=True))

    def _loaded(self) -> SweepFields:
        if self._fields is None:
            raise NotLoadedError(
                f"sweep {self._entity}/{self._project}/{self._sweep_id} is not loaded: await sweep.load()"
            )
        return self._fields

    async def load(self, force: bool = False) -> None:
        """Read the sweep's fields; one request.

        See `Sweep.load` for its requests and errors.
        """
        await self._client.run(self._load(force=force))

    @property
    def runs(self) -> AsyncRuns:
        """The runs that belong to it, oldest first, as a lazy list; one request a page."""
        if "_runs" not in vars(self):
            from runql.resources.runs.runs import AsyncRuns  # noqa: PLC0415 - as above

            runs = AsyncRuns(self._client, self._entity, self._project, self._filters)
            vars(self).setdefault("_runs", runs)
        return self._runs

    async def best_run(self, order: str | None = None, *, missing: Missing = "last") -> AsyncRun | None:
        """Return the best run by a metric; None when no run of the sweep has a finite value of it.

        See `Sweep.best_run` for its requests and errors.
        """
        from runql.resources.runs.async_run import AsyncRun  # noqa: PLC0415 - as above

        fields = await self._client.run(self._best(order, missing))
        if fields is None:
            return None
        return AsyncRun.listed(self._client, self._entity, self._project, fields, None)
