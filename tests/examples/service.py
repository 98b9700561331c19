"""A Starlette service over one `AsyncApi`: it lists runs, and streams the rows of a run as JSON lines.

``uvicorn tests.examples.service:app`` serves it, with the server and the key of the environment.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import TypedDict

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from runql import AsyncApi, AsyncRun, NotFoundError, RunqlError


class State(TypedDict):
    """What every request finds in ``request.state``."""

    api: AsyncApi


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncGenerator[State]:
    """Open the client when the service starts, and close its connections when the service ends."""
    async with AsyncApi() as api:
        yield {"api": api}


async def newest(request: Request) -> Response:
    """The newest runs of a project, ten unless ``limit`` says otherwise; one request."""
    api: AsyncApi = request.state.api
    try:
        limit = int(request.query_params.get("limit", "10"))
        runs = await api.runs(project_of(request), order="-created_at", lazy=True, limit=limit)
        return JSONResponse([described(run) async for run in runs])
    except NotFoundError as error:
        return JSONResponse({"error": str(error)}, status_code=404)
    except ValueError as error:
        return JSONResponse({"error": str(error)}, status_code=400)


async def rows(request: Request) -> Response:
    """The rows of a run that have one of the metrics ``key``, as they arrive; all rows without a ``key``."""
    api: AsyncApi = request.state.api
    impatient = api.with_options(timeout=60, retries=1)
    try:
        run = await impatient.run(f"{project_of(request)}/{request.path_params['run']}")
    except NotFoundError as error:
        return JSONResponse({"error": str(error)}, status_code=404)
    keys = request.query_params.getlist("key") or None
    return StreamingResponse(lines(run, keys), media_type="application/x-ndjson")


async def lines(run: AsyncRun, keys: list[str] | None) -> AsyncIterator[str]:
    """Each row as a line; a failure on the way is the last line, because the status was sent."""
    try:
        async for row in run.scan_history(keys):
            yield json.dumps(row) + "\n"
    except RunqlError as error:
        yield json.dumps({"error": str(error)}) + "\n"


def described(run: AsyncRun) -> dict[str, str]:
    """What the list shows of a run."""
    return {"id": run.id, "state": run.state, "created": run.created_time.isoformat()}


def project_of(request: Request) -> str:
    """The project's path."""
    return f"{request.path_params['entity']}/{request.path_params['project']}"


app = Starlette(
    routes=[
        Route("/{entity}/{project}", newest),
        Route("/{entity}/{project}/{run}/rows", rows),
    ],
    lifespan=lifespan,
)
