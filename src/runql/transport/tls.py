"""TLS that costs nothing until the first connection needs it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable
from functools import cached_property
from typing import Self

import httpx

from runql.errors import ConfigurationError


class LateContext(ssl.SSLContext):
    """httpx's own default context, made when the first handshake is due.

    Reading the trusted certificates takes longer than a small request. httpx reads them for every client, and once more
    for every proxy that the environment names, also where no URL is an https one. What is trusted stays httpx's
    decision: SSL_CERT_FILE, else SSL_CERT_DIR, else certifi.
    """

    _offered: Iterable[str] = ()

    def __new__(cls) -> Self:
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def _ready(self) -> ssl.SSLContext:
        self._context.set_alpn_protocols(self._offered)
        return self._context

    @cached_property
    def _context(self) -> ssl.SSLContext:
        try:
            return httpx.create_ssl_context()
        except OSError as error:
            text = f"the trusted certificates cannot be read ({error}): check SSL_CERT_FILE and SSL_CERT_DIR"
            raise ConfigurationError(text) from error

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """Keep what httpcore offers the server: it says so outside of where it closes connections that fail."""
        self._offered = list(alpn_protocols)

    def wrap_socket(
        self,
        sock: socket.socket,
        server_side: bool = False,
        do_handshake_on_connect: bool = True,
        suppress_ragged_eofs: bool = True,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLSocket:
        """As httpx's context does it."""
        return self._ready().wrap_socket(
            sock, server_side, do_handshake_on_connect, suppress_ragged_eofs, server_hostname, session
        )

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """As httpx's context does it."""
        return self._ready().wrap_bio(incoming, outgoing, server_side, server_hostname, session)
