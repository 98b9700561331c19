"""TLS settings that are read when the first connection needs them, and the certificates they trust."""

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

from runql.errors import ConfigurationError
from runql.transport.http_library import httpx

TRUST_VARIABLES: Final = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables that name the trusted authorities, a file or a folder; the first that is set counts."""

_OTHER_HOST: Final = frozenset({62, 64})
"""OpenSSL's codes for a certificate of another host name, and of another address."""


class LazySSLContext(ssl.SSLContext):
    """An SSL context that reads the trusted certificates at the first handshake.

    Reading them takes longer than a small request, and httpx would do it for every client and every proxy, even where
    no URL is https. The context trusts the file or folder that the first of `TRUST_VARIABLES` names. Without one it
    trusts the system's certificates if truststore is installed, and certifi's otherwise.
    """

    _offered: Iterable[str] = ()

    def __new__(cls) -> Self:
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def _real_context(self) -> ssl.SSLContext:
        # A truststore context serves one handshake at a time, and reads the system's certificates for each.
        context = _system_context() if self._uses_truststore else self._context
        context.set_alpn_protocols(self._offered)
        return context

    @cached_property
    def _uses_truststore(self) -> bool:
        return _named_trust() is None and find_spec("truststore") is not None

    @cached_property
    def _context(self) -> ssl.SSLContext:
        named = _named_trust()
        return httpx.create_ssl_context(trust_env=False) if named is None else _named_context(*named)

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """Keep the protocols for the handshake: an error raised here would make httpcore leak the connection."""
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
        """Pass the call to the real context."""
        return self._real_context().wrap_socket(
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
        """Pass the call to the real context."""
        return self._real_context().wrap_bio(incoming, outgoing, server_side, server_hostname, session)


def trust_advice(error: ssl.SSLCertVerificationError) -> str:
    """Say what to do about a certificate that is not trusted."""
    if getattr(error, "verify_code", None) in _OTHER_HOST:
        return "It is a certificate for another host: check WANDB_BASE_URL"
    named = _named_trust()
    if named is not None:
        trusted = f"the certificates that {named[0]} names ({named[1]})"
    elif find_spec("truststore") is not None:
        trusted = "this system's certificates, read by truststore"
    else:
        trusted = "certifi's certificates (pip install 'runql[truststore]' to trust this system's)"
    return (
        f"runql trusts {trusted}. To trust another authority, set one of {', '.join(TRUST_VARIABLES)} "
        "to the file of its certificate; the first that is set counts"
    )


def _named_trust() -> tuple[str, str] | None:
    """Return the variable that names the trusted certificates, and its value."""
    return next(((name, os.environ[name]) for name in TRUST_VARIABLES if os.environ.get(name)), None)


def _named_context(variable: str, path: str) -> ssl.SSLContext:
    try:
        if variable == "SSL_CERT_DIR":
            # The variable may list several folders; OpenSSL does not report a missing one.
            if not any(os.path.isdir(folder) for folder in path.split(os.pathsep)):  # noqa: PTH112 - as OpenSSL reads it
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
            return ssl.create_default_context(capath=path)
        if variable != "SSL_CERT_FILE" and os.path.isdir(path):  # noqa: PTH112 - as above
            return ssl.create_default_context(capath=path)
        return ssl.create_default_context(cafile=path)
    except OSError as error:
        raise ConfigurationError(
            f"the trusted certificates cannot be read ({error}): check {variable}"
        ) from error


def _system_context() -> ssl.SSLContext:
    make: Callable[[int], ssl.SSLContext] = import_module("truststore").SSLContext
    return make(ssl.PROTOCOL_TLS_CLIENT)
