"""Errors as pages: what a browser gets where a program gets JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from runql_server.pages import rendering

_QUALITY: Final = re.compile(r"[01](\.[0-9]{0,3})?")
_NEED_SESSION: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


def is_for_browser(request: Request) -> bool:
    """Whether an error is to be a page: the request prefers HTML to JSON, and has no API key."""
    accepted = _qualities(",".join(request.headers.getlist("accept")))
    html = accepted.get("text/html", 0.0)
    json = accepted.get("application/json", accepted.get("application/*", accepted.get("*/*", 0.0)))
    return html > json and "authorization" not in request.headers


def error_page(
    request: Request, status: int, message: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Say what the server did not find or allow, and lead back."""
    known = HTTPStatus(status)
    response = rendering.page(
        "error.html",
        {
            "framed": request.query_params.get("jupyter") == "true",
            "path": request.scope["path"],
            "status_phrase": known.phrase,
            "message": message,
            "signs_in": known in _NEED_SESSION,
        },
        known,
    )
    response.headers.update(headers or {})
    return response


def refused_route(request: Request, status: int) -> str:
    """Say why no route took a request."""
    path = request.scope["path"]
    match status:
        case HTTPStatus.NOT_FOUND:
            return f"This server has no page at {path}"
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return f"{path} does not take {request.method}."
        case _:
            return f"The server refused {request.method} {path}."


def _qualities(accept: str) -> dict[str, float]:
    """Return how much a client wants each type, from 0 to 1; a quality that is none counts as 0."""
    found: dict[str, float] = {}
    for part in accept.split(","):
        kind, *parameters = (each.strip().lower() for each in part.split(";"))
        given = next((each[2:].strip() for each in parameters if each.startswith("q=")), "1")
        found[kind] = float(given) if _QUALITY.fullmatch(given) else 0.0
    return found
