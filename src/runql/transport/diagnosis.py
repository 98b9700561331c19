"""What an exception of httpx means: the message of runql's error, and how often a retry can help."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import Final

from runql.errors import RunqlError
from runql.quick_dataclasses import dataclass
from runql.transport.connections.proxies import proxy_of
from runql.transport.connections.tls import trust_advice
from runql.transport.http_library import httpx

ONCE: Final = 1
TWICE: Final = 2

_TRANSIENT_TLS: Final = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError, ssl.SSLWantReadError)
_TEMPORARY_FROM: Final = 500

PASSWORD_WANTED: Final = 407
"""The status of a proxy that wants a user name and a password; no server sends it."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why a request got no response.

    Attributes:
        message: of the error; it names the host, never the URL, which may be signed.
        most_attempts: how often to send the request at most; None leaves that to the policy.
    """

    message: str
    most_attempts: int | None = None


def diagnose(error: httpx.HTTPError, url: httpx.URL, *, is_known: bool) -> Diagnosis:
    """Say why no response arrived.

    Args:
        error: what httpx raised; not a timeout.
        url: of the request.
        is_known: whether the host has responded before. An unknown host counts as a wrong address.
    """
    host = host_of(url)
    if isinstance(error, httpx.ProxyError):
        return _refused_by_proxy(error, url)
    if isinstance(error, httpx.DecodingError):
        return Diagnosis(f"the response of {host} is not compressed as its headers say: {error}", ONCE)
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            message = f"{host} shows a certificate that is not trusted: {cause}. {trust_advice(cause)}"
            return Diagnosis(message, ONCE)
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, _TRANSIENT_TLS):
            message = f"no response from {host}: {cause}. Does this port speak TLS? Check WANDB_BASE_URL"
            return Diagnosis(message, TWICE)
        if isinstance(cause, socket.gaierror):
            message = f"no response from {host}: its name has no address ({cause}). Check WANDB_BASE_URL and the network"
            is_wrong = cause.errno != socket.EAI_AGAIN
            return Diagnosis(message, None if is_known else ONCE if is_wrong else TWICE)
        if isinstance(cause, ConnectionRefusedError):
            message = (
                f"no response from {host}: it refuses the connection. Check WANDB_BASE_URL and the network, "
                "and that the server is up"
            )
            return Diagnosis(message, None if is_known else ONCE)
    message = (
        f"no response from {host}: {str(error) or type(error).__name__}. Check WANDB_BASE_URL and the network"
    )
    if isinstance(error, (httpx.UnsupportedProtocol, httpx.LocalProtocolError)):
        return Diagnosis(message, ONCE)
    return Diagnosis(message, TWICE if _is_not_http(error, is_known=is_known) else None)


def diagnose_407(url: httpx.URL) -> Diagnosis:
    """As `diagnose`, for a proxy that wants a password before it forwards a request."""
    proxy = proxy_of(url.scheme) or "a proxy that no variable names"
    return Diagnosis(
        f"{proxy} asks for a user name and password (407), or refuses those it was given: "
        "put them before the host, as in http://user:password@proxy.example:3128",
        ONCE,
    )


def host_of(url: httpx.URL) -> str:
    """Return host and port, as error messages name them."""
    return f"{url.host}:{url.port}" if url.port else url.host


def _refused_by_proxy(error: httpx.ProxyError, url: httpx.URL) -> Diagnosis:
    found = re.match(r"\d{3}\b", str(error))
    status = int(found[0]) if found else _TEMPORARY_FROM
    if status == PASSWORD_WANTED:
        return diagnose_407(url)
    message = f"no response from {host_of(url)}: {proxy_of(url.scheme) or 'a proxy'} does not connect to it: {error}"
    return Diagnosis(message, None if status >= _TEMPORARY_FROM else ONCE)


def _is_not_http(error: httpx.HTTPError, *, is_known: bool) -> bool:
    """Whether the host does not speak HTTP; an unknown host that hangs up at once counts as well."""
    if not isinstance(error, httpx.RemoteProtocolError):
        return False
    found = [cause for cause in _causes(error) if type(cause).__module__.startswith("h11")]
    broke_off = any(str(cause).startswith("peer closed") for cause in found)
    return not broke_off and bool(found or not is_known)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the errors that an error was raised from."""
    cause = error.__cause__
    if cause is None and type(error).__module__.startswith("httpcore"):
        # httpcore's pool raises its errors without a cause. The context is the cause, or an error that the caller was
        # handling.
        cause = error.__context__
    if cause is None or isinstance(cause, RunqlError):
        return
    # anyio groups the errors of all addresses of a name.
    group: Sequence[BaseException] = getattr(cause, "exceptions", [cause])
    for each in group:
        yield each
        yield from _causes(each)
