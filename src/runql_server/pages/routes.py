"""The routes of the pages."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from runql_server.curves.reading import ChunkMaker
from runql_server.pages import rendering
from runql_server.pages.artifacts import artifact_list, collection_page, entry_file, version_page
from runql_server.pages.curves import Curves
from runql_server.pages.handlers import SIGN_IN, Handler, Visits
from runql_server.pages.home import home
from runql_server.pages.project import project_page
from runql_server.pages.run import run_page
from runql_server.pages.run_lists import console_page, files_page, media_page
from runql_server.pages.sweep import sweep_list, sweep_page
from runql_server.storage.store import Store

_PROJECT: Final = "/{entity}/{project}"
_RUN: Final = f"{_PROJECT}/runs/{{run}}"
_VERSION: Final = f"{_PROJECT}/artifacts/{{type}}/{{name}}/{{version}}"


def page_routes(store: Store, visits: Visits, *, greeting: Handler) -> list[BaseRoute]:
    """Return the routes; those of other endpoints go before them, because these match almost any path.

    Programs get the ``greeting`` where a browser gets the front page.
    """
    return [
        Route("/", _by_accept(visits.shows(home), greeting)),
        Route(SIGN_IN, visits.sign_in, methods=["POST"]),
        Route(f"{rendering.STATIC}/plotly.min.js", _chart_library),
        Route(f"{_RUN}/curves", visits.shows(Curves(ChunkMaker(store)))),
        Route(f"{_RUN}/files", visits.shows(files_page)),
        Route(f"{_RUN}/logs", visits.shows(console_page)),
        Route(f"{_RUN}/media", visits.shows(media_page)),
        Route(_RUN, visits.shows(run_page)),
        Route(_PROJECT, visits.shows(project_page)),
        Route(f"{_PROJECT}/workspace", visits.shows(project_page)),
        Route(f"{_PROJECT}/sweeps", visits.shows(sweep_list)),
        Route(f"{_PROJECT}/sweeps/{{sweep}}", visits.shows(sweep_page)),
        Route(f"{_PROJECT}/artifacts", visits.shows(artifact_list)),
        Route(f"{_PROJECT}/artifacts/{{type}}", visits.shows(artifact_list)),
        Route(f"{_PROJECT}/artifacts/{{type}}/{{name}}", visits.shows(collection_page)),
        Route(_VERSION, visits.shows(version_page)),
        Route(f"{_VERSION}/files/{{path:file}}", visits.shows(entry_file)),
        Mount(rendering.STATIC, StaticFiles(packages=[("runql_server.pages", "static")])),
    ]


def _by_accept(front: Handler, greeting: Handler) -> Handler:
    async def shown(request: Request) -> Response:
        is_browser = "text/html" in request.headers.get("accept", "")
        return await (front if is_browser else greeting)(request)

    return shown


async def _chart_library(_request: Request) -> Response:
    if not rendering.has_charts():
        return PlainTextResponse("no charts: pip install 'runql[pages]'\n", 404)
    with as_file(files("plotly") / "package_data" / "plotly.min.js") as path:
        return FileResponse(
            Path(path), media_type="text/javascript", headers={"Cache-Control": "max-age=604800"}
        )
