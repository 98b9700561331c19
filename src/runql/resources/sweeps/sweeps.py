"""The sweeps of a project: `Sweeps`, and `AsyncSweeps` for the async client."""

from __future__ import annotations

from functools import partial

from runql.errors import ProjectNotFoundError
from runql.resources.pages.listing import AsyncLazySequence, LazySequence, Listing, Page, read_edges
from runql.resources.records.identity import require_project
from runql.resources.records.tables import described
from runql.resources.sweeps.sweep import AsyncSweep, Sweep
from runql.transport.aio import AsyncRetryingClient
from runql.transport.flow import Flow, fetch
from runql.transport.sync import RetryingClient
from runql_graphql.fragments import SweepFields
from runql_graphql.operations import list_sweeps


class Sweeps(LazySequence[SweepFields, Sweep]):
    """The sweeps of a project in the server's order, as a lazy list; one request a page."""

    def __init__(
        self,
        client: RetryingClient,
        entity: str,
        project: str,
        per_page: int = 50,
        *,
        limit: int | None = None,
    ) -> None:
        self._path = f"{entity}/{project}"
        super().__init__(
            client,
            Listing(
                partial(list_sweep_page, entity, project),
                lambda page: [Sweep.listed(client, entity, project, fields) for fields in page.nodes],
                lambda sweep: sweep.id,
                per_page=per_page,
                limit=limit,
            ),
        )

    def __repr__(self) -> str:
        return described("Sweeps", self._path)


class AsyncSweeps(AsyncLazySequence[SweepFields, AsyncSweep]):
    """The async twin of `Sweeps`."""

    def __init__(
        self,
        client: AsyncRetryingClient,
        entity: str,
        project: str,
        per_page: int = 50,
        *,
        limit: int | None = None,
    ) -> None:
        self._path = f"{entity}/{project}"
        super().__init__(
            client,
            Listing(
                partial(list_sweep_page, entity, project),
                lambda page: [AsyncSweep.listed(client, entity, project, fields) for fields in page.nodes],
                lambda sweep: sweep.id,
                per_page=per_page,
                limit=limit,
            ),
        )

    def __repr__(self) -> str:
        return described("AsyncSweeps", self._path)


def list_sweep_page(entity: str, project: str, per_page: int, after: str | None) -> Flow[Page[SweepFields]]:
    """A page of sweeps; one request."""
    response = yield from fetch(list_sweeps(entity=entity, project=project, first=per_page, after=after))
    found = require_project(response.project, entity, project)
    if found.sweeps is None:
        raise ProjectNotFoundError(entity, project)
    sweeps = found.sweeps
    return read_edges(sweeps.page_info, sweeps.edges, after, total=found.total_sweeps)
