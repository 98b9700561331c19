"""Sessions of a browser: a one-time token in a link becomes a signed cookie, which reads pages and files only."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from runql_server.access.signing import Signer

LIFETIME = 30 * 24 * 60 * 60
"""Seconds for which a session reads pages."""

TOKEN_LIFETIME = 60 * 60
"""Seconds for which a link with a token works; it works once."""


@dataclass(frozen=True)
class Session:
    """Who reads pages; ``key`` is the fingerprint of the key that started it, empty for a link."""

    user: int
    key: str = ""


class Sessions:
    """The sessions of one server. A session is signed, not stored: it outlives a restart of the server."""

    def __init__(self, signer: Signer, *, clock: Callable[[], float] = time.time) -> None:
        self._signer = signer
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens: dict[str, tuple[int, float]] = {}

    def new_token(self, user: int) -> str:
        """Make a token that starts one session of a user."""
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._tokens = {name: entry for name, entry in self._tokens.items() if entry[1] > self._clock()}
            self._tokens[token] = (user, self._clock() + TOKEN_LIFETIME)
        return token

    def redeem(self, token: str) -> int | None:
        """Use a token up, and return its user; ``None`` for one that is unknown, used or too old."""
        with self._lock:
            user, expires = self._tokens.pop(token, (None, 0.0))
        return user if expires > self._clock() else None

    def new_cookie(self, session: Session) -> str:
        """Return the cookie of a new session."""
        expires = int(self._clock() + LIFETIME)
        return self._signer.seal("session", f"{session.user}.{session.key}.{expires}")

    def session_of(self, cookie: str | None) -> Session | None:
        """Return the session of a cookie; ``None`` for one that this server did not sign, or that is too old."""
        content = self._signer.unseal("session", cookie or "")
        if content is None:
            return None
        user, key, expires = content.split(".")
        return Session(int(user), key) if int(expires) > self._clock() else None
