"""Signed URLs: an expiry and an HMAC over what the URL allows, so requests need no credentials."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
import time
from typing import Literal
from urllib.parse import quote, urlencode

from runql_server.errors import ForbiddenError

LIFETIME = 24 * 60 * 60
"""Seconds for which a signed URL works."""

Access = Literal["GET", "PUT"]


class BadSignatureError(ForbiddenError):
    """The URL was modified or has expired."""


class Signer:
    """Signs and verifies URL paths with one secret; a URL signed for GET does not allow PUT."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def url(self, base: str, access: Access, path: str, *, lifetime: float = LIFETIME) -> str:
        """Sign ``path`` (unquoted, starting with a slash) and append it to ``base``."""
        expires = str(int(time.time() + lifetime))
        signature = self._signature(access, path, expires)
        query = urlencode({"expires": expires, "signature": signature})
        return f"{base.rstrip('/')}{quote(path)}?{query}"

    def check(self, access: Access, path: str, *, expires: str, signature: str) -> None:
        """Raise ``BadSignatureError`` unless this server signed this access and the URL has not expired."""
        if not hmac.compare_digest(
            self._signature(access, path, expires).encode(), signature.encode("utf-8", "replace")
        ):
            raise BadSignatureError("the signature does not fit this URL")
        if time.time() > int(expires):
            raise BadSignatureError("this URL has expired: ask for a new one")

    def seal(self, purpose: str, content: str) -> str:
        """Sign a string that a client keeps and sends back; `unseal` with the same purpose returns it."""
        message = f"{purpose}\n{content}"
        return f"{content}.{self._mac(message)}"

    def unseal(self, purpose: str, sealed: str) -> str | None:
        """Return the content that was sealed for this purpose, or ``None`` for anything else."""
        content = sealed.rpartition(".")[0]
        genuine = hmac.compare_digest(self.seal(purpose, content).encode(), sealed.encode("utf-8", "replace"))
        return content if genuine else None

    def _signature(self, access: Access, path: str, expires: str) -> str:
        return self._mac(f"{access}\n{path}\n{expires}")

    def _mac(self, message: str) -> str:
        return hmac.new(self._secret, message.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


def load_signer(connection: sqlite3.Connection) -> Signer:
    """Return the signer of this data directory; the first use creates its secret. Needs a write transaction."""
    connection.execute(
        "INSERT OR IGNORE INTO settings (name, value) VALUES ('signing_secret', ?)", (secrets.token_hex(32),)
    )
    row = connection.execute("SELECT value FROM settings WHERE name = 'signing_secret'").fetchone()
    return Signer(bytes.fromhex(str(row["value"])))
