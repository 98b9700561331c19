"""Requests of a browser: its session, and the function that makes its page on a worker thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import anyio.to_thread
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from runql_server.access import auth
from runql_server.access.sessions import LIFETIME, Session, Sessions
from runql_server.errors import NotFoundError, RequestError
from runql_server.http import bodies
from runql_server.pages import rendering
from runql_server.pages.errors import error_page
from runql_server.storage import projects
from runql_server.storage.projects import Project
from runql_server.storage.store import Store

_READ: Final = frozenset({"GET", "HEAD"})
_MOST_FORM_BYTES = 10_000
SIGN_IN = "/-/sign-in"


@dataclass(frozen=True)
class Visit:
    """What a page is made of: the parts of its path, its query, and one snapshot of the database."""

    store: Store
    connection: sqlite3.Connection
    path: str
    parts: dict[str, str]
    query: QueryParams
    request: Request
    poll: timedelta

    @property
    def framed(self) -> bool:
        """Whether a notebook shows the page in a frame: it has no header of its own then."""
        return self.query.get("jupyter") == "true"

    @property
    def project(self) -> Project:
        """The project of the path; raises ``NotFoundError``."""
        entity, name = self.parts["entity"], self.parts["project"]
        found = projects.find(self.connection, entity, name)
        if found is None:
            raise NotFoundError(f"project {entity}/{name} not found")
        return found

    def page(self, template: str, **values: object) -> Response:
        """Render a template with the values that every page needs."""
        # Links to other views of a page in a frame keep it there.
        frame_part = "&jupyter=true" if self.framed else ""
        poll = round(self.poll.total_seconds() * 1000)
        shared = {"framed": self.framed, "frame_part": frame_part, "path": self.path, "poll": poll}
        return rendering.page(template, {**shared, **values})


Maker = Callable[[Visit], Response]
Handler = Callable[[Request], Awaitable[Response]]


class Visits:
    """Handlers of pages that share the store and the sessions."""

    def __init__(self, store: Store, sessions: Sessions, *, poll: timedelta) -> None:
        self._store = store
        self._poll = poll
        self._sessions = sessions

    def shows(self, make: Maker) -> Handler:
        """Return the handler of a page: a browser without a session signs in first."""

        async def shown(request: Request) -> Response:
            entered = self.enters(request)
            if isinstance(entered, Response):
                return entered
            return await anyio.to_thread.run_sync(self._made, request, make)

        return shown

    def enters(self, request: Request) -> int | Response:
        """Return the user of the request's session, or the response that signs the browser in."""
        token = request.query_params.get("token")
        if token is not None:
            return self._redeemed(request, token)
        user = self.user_of(request)
        return user if user is not None else _sign_in_page(_target(request))

    def user_of(self, request: Request) -> int | None:
        """Return the user of the request's session.

        What another site embeds or fetches has none: of what it only navigates to, it sees nothing.
        """
        headers = request.headers
        is_ours = headers.get("sec-fetch-site", "none").lower() in {"same-origin", "none"}
        if request.method not in _READ or not (is_ours or headers.get("sec-fetch-mode") == "navigate"):
            return None
        with self._store.connection() as connection:
            for name in _cookie_names(request):
                found = self._sessions.session_of(request.cookies.get(name))
                if found is not None and auth.has_session(connection, found.user, found.key):
                    return found.user
        return None

    async def sign_in(self, request: Request) -> Response:
        """POST an API key, and start a session; another site cannot send this form."""
        if not _is_own_form(request):
            return _sign_in_page("/", "The form came from another site.", HTTPStatus.FORBIDDEN)
        form = QueryParams((await bodies.read(request, _MOST_FORM_BYTES)).decode("utf-8", "replace"))
        target = _local(form.get("next", "/"))
        key = form.get("key", "").strip()
        with self._store.connection() as connection:
            caller = auth.caller_of(connection, f"Bearer {key}")
        if caller is None:
            return _sign_in_page(target, "This server does not know the key.")
        return self._started(request, Session(caller.user, auth.fingerprint(key)), target)

    def _redeemed(self, request: Request, token: str) -> Response:
        # Programs that preview links ask for the headers alone: that must not use the link up.
        user = self._sessions.redeem(token) if request.method == "GET" else None
        target = _target(request)
        # Servers log the query as it is when the response starts.
        request.scope["query_string"] = target.partition("?")[2].encode()
        if user is not None:
            return self._started(request, Session(user), target)
        if self.user_of(request) is not None:
            return _redirect(target)
        return _sign_in_page(target, "The link was used already: it works once.")

    def _started(self, request: Request, user: Session, target: str) -> Response:
        response = _redirect(target)
        cookie = self._sessions.new_cookie(user)
        session, framed = _cookie_names(request)
        is_tls = request.url.scheme == "https"
        response.set_cookie(session, cookie, LIFETIME, httponly=True, secure=is_tls, samesite="lax")
        # A notebook at localhost that shows a page of 127.0.0.1 is another site: the first cookie stays away from its
        # frames. The second reads pages and changes nothing; browsers count loopback as secure, most of them.
        if is_tls or _is_loopback(request.url.hostname or ""):
            response.set_cookie(framed, cookie, LIFETIME, httponly=True, secure=True, samesite="none")
            if request.headers.get("sec-fetch-dest") in {"iframe", "frame"}:
                # For browsers that block cookies of other sites: one for frames of this notebook alone.
                response.headers.append(
                    "Set-Cookie", f"{response.headers.getlist('set-cookie')[-1]}; Partitioned"
                )
        return response

    def _made(self, request: Request, make: Maker) -> Response:
        path = request.url.path
        try:
            with self._store.reading() as connection:
                parts = {name: str(part) for name, part in request.path_params.items()}
                return make(
                    Visit(self._store, connection, path, parts, request.query_params, request, self._poll)
                )
        except RequestError as error:
            return error_page(request, error.status, str(error))


def _cookie_names(request: Request) -> tuple[str, str]:
    # Cookies ignore the port: two servers on one machine would end each other's sessions.
    try:
        port = request.url.port
    except ValueError:
        port = None
    port = port or (443 if request.url.scheme == "https" else 80)
    return f"runql_session_{port}", f"runql_framed_session_{port}"


def _sign_in_page(target: str, message: str = "", status: HTTPStatus = HTTPStatus.UNAUTHORIZED) -> Response:
    values = {"framed": True, "path": target, "message": message, "target": target, "action": SIGN_IN}
    return rendering.page("sign_in.html", values, status)


def _redirect(target: str) -> Response:
    # The link that led here has a token: neither a cache nor another site gets to know it.
    headers = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return RedirectResponse(target, HTTPStatus.SEE_OTHER, headers=headers)


def _is_own_form(request: Request) -> bool:
    origin = urlsplit(request.headers.get("origin", ""))
    is_other = bool(origin.netloc) and origin.netloc != request.headers.get("host", "")
    return not is_other and request.headers.get("sec-fetch-site", "none") in {"same-origin", "none"}


def _target(request: Request) -> str:
    # As it was sent: a part of a path may hold a quoted slash.
    path = bytes(request.scope.get("raw_path") or request.scope["path"].encode()).decode("ascii", "replace")
    query = bytes(request.scope["query_string"]).decode("ascii", "replace")
    rest = "&".join(part for part in query.split("&") if part and not part.startswith("token="))
    return _local(f"{path}?{rest}" if rest else path)


def _local(target: str) -> str:
    # A link with a token or a form never leads to another site.
    parts = urlsplit(target.replace("\\", "/"))
    is_local = (
        target.startswith("/") and not target.startswith("//") and not parts.netloc and not parts.scheme
    )
    return target if is_local and "\\" not in target else "/"


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
