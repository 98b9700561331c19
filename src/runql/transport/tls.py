"""TLS that costs nothing until the first connection needs it, and whom it trusts."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Callable, Iterable
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from typing import Final, Self

import httpx

from runql.errors import ConfigurationError

TRUST_VARIABLES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""What may name the authorities that are trusted, a file or a folder of them; the first that is set counts."""

_OTHER_HOST: Final = frozenset({62, 64})
"""What OpenSSL calls a certificate for another name, and for another address."""


class LazySSLContext(ssl.SSLContext):
    """A context that is made when the first handshake is due.

    Reading the trusted certificates takes longer than a small request. httpx reads them for every client, and once more
    for every proxy that the environment names, also where no URL is an https one. Trusted is what the first of
    `TRUST_VARIABLES` names; else what the system trusts, where truststore is installed; else what certifi lists.
    """

    _offered: Iterable[str] = ()

    def __new__(cls) -> Self:
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def _ready(self) -> ssl.SSLContext:
        # A context of truststore's lets one thread at a time shake hands, and reads the system's trust for each.
        context = _system_context() if self._is_systems else self._context
        context.set_alpn_protocols(self._offered)
        return context

    @cached_property
    def _is_systems(self) -> bool:
        return _named_trust() is None and find_spec("truststore") is not None

    @cached_property
    def _context(self) -> ssl.SSLContext:
        named = _named_trust()
        return httpx.create_ssl_context(trust_env=False) if named is None else _named_context(*named)

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
        """As the context does it that this one stands for."""
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
        """As the context does it that this one stands for."""
        return self._ready().wrap_bio(incoming, outgoing, server_side, server_hostname, session)


def trust_advice(error: ssl.SSLCertVerificationError) -> str:
    """What to do about a certificate that is not trusted."""
    if getattr(error, "verify_code", None) in _OTHER_HOST:
        return "It is a certificate for another host: check WANDB_BASE_URL"
    named = _named_trust()
    if named is not None:
        trusted = f"what {named[0]} names ({named[1]})"
    elif find_spec("truststore") is not None:
        trusted = "what this system trusts, as truststore reads it"
    else:
        trusted = "what certifi lists (what this system trusts, with pip install 'runql[truststore]')"
    return (
        f"Trusted is {trusted}. To trust another authority, name the file of its certificate by one of "
        f"{', '.join(TRUST_VARIABLES)}, of which the first that is set counts"
    )


def _named_trust() -> tuple[str, str] | None:
    """The variable that names what is trusted, and the path it gives."""
    return next(((name, os.environ[name]) for name in TRUST_VARIABLES if os.environ.get(name)), None)


def _named_context(variable: str, path: str) -> ssl.SSLContext:
    try:
        if variable == "SSL_CERT_DIR":
            # OpenSSL takes several folders, and none of them for an empty one.
            if not any(os.path.isdir(folder) for folder in path.split(os.pathsep)):  # noqa: PTH112 - as OpenSSL reads it
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
            return ssl.create_default_context(capath=path)
        if variable != "SSL_CERT_FILE" and os.path.isdir(path):  # noqa: PTH112 - as above
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except OSError as error:
        text = f"the trusted certificates cannot be read ({error}): check {variable}"
        raise ConfigurationError(text) from error


def _system_context() -> ssl.SSLContext:
    make: Callable[[int], ssl.SSLContext] = import_module("truststore").SSLContext
    return make(ssl.PROTOCOL_TLS_CLIENT)
