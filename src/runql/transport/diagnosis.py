"""What an exception of httpx means: what an error says of it, and whether trying again can help."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import httpx

from runql.errors import RunqlError
from runql.transport.proxies import proxy_of
from runql.transport.tls import trust_advice

ONCE: Final = 1
TWICE: Final = 2

_TRANSIENT_TLS: Final = (ssl.SSLEOFError, ssl.SSLZeroReturnError, ssl.SSLSyscallError, ssl.SSLWantReadError)
_NOT_NOW: Final = 500

PASSWORD_WANTED: Final = 407
"""What a proxy answers that wants a user name and a password; no server does."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What became of a request that got no response.

    Attributes:
        text: for the error; it names the host, never the URL, which may be signed.
        most_attempts: how often the request is sent at most; None leaves it to the policy.
    """

    text: str
    most_attempts: int | None = None


def diagnose(error: httpx.HTTPError, url: httpx.URL, *, is_known: bool) -> Diagnosis:
    """Tell why no response arrived.

    Args:
        error: what httpx raised; not a timeout.
        url: what was requested.
        is_known: whether the host has responded before. One that has is waited for; one that has not is taken for a
            wrong address, after a second attempt.
    """
    host = host_of(url)
    if isinstance(error, httpx.ProxyError):
        return _refused_by_proxy(error, url)
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            text = f"{host} shows a certificate that is not trusted: {cause}. {trust_advice(cause)}"
            return Diagnosis(text, ONCE)
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, _TRANSIENT_TLS):
            text = f"no answer from {host}: {cause}. Does this port speak TLS? Check WANDB_BASE_URL"
            return Diagnosis(text, TWICE)
        if isinstance(cause, socket.gaierror):
            text = f"no answer from {host}: its name leads to no address ({cause}). Check WANDB_BASE_URL and the network"
            return Diagnosis(text, None if is_known else TWICE)
        if isinstance(cause, ConnectionRefusedError):
            text = f"no answer from {host}: it refuses the connection. Check WANDB_BASE_URL and the network, and that the server is up"
            return Diagnosis(text, None if is_known else TWICE)
    text = (
        f"no answer from {host}: {str(error) or type(error).__name__}. Check WANDB_BASE_URL and the network"
    )
    if isinstance(error, (httpx.UnsupportedProtocol, httpx.LocalProtocolError)):
        return Diagnosis(text, ONCE)
    return Diagnosis(text, TWICE if _is_no_http(error, is_known=is_known) else None)


def diagnose_407(url: httpx.URL) -> Diagnosis:
    """As `diagnose`, of a proxy that wants a password before it passes on a request."""
    proxy = proxy_of(url.scheme) or "a proxy that no variable names"
    return Diagnosis(
        f"{proxy} asks for a user name and password (407), or refuses those it was given: "
        "put them before the host, as in http://user:password@proxy.example:3128",
        ONCE,
    )


def host_of(url: httpx.URL) -> str:
    """Host and port, for errors."""
    return f"{url.host}:{url.port}" if url.port else url.host


def _refused_by_proxy(error: httpx.ProxyError, url: httpx.URL) -> Diagnosis:
    found = re.match(r"\d{3}\b", str(error))
    status = int(found[0]) if found else _NOT_NOW
    if status == PASSWORD_WANTED:
        return diagnose_407(url)
    text = (
        f"no answer from {host_of(url)}: {proxy_of(url.scheme) or 'a proxy'} does not connect to it: {error}"
    )
    return Diagnosis(text, None if status >= _NOT_NOW else ONCE)


def _is_no_http(error: httpx.HTTPError, *, is_known: bool) -> bool:
    """Whether what came back is not HTTP; of a host that never responded, hanging up at once counts, too."""
    if not isinstance(error, httpx.RemoteProtocolError):
        return False
    found = [cause for cause in _causes(error) if type(cause).__module__.startswith("h11")]
    broke_off = any(str(cause).startswith("peer closed") for cause in found)
    return not broke_off and bool(found or not is_known)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """What an error was raised from."""
    cause = error.__cause__
    if cause is None and type(error).__module__.startswith("httpcore"):
        # Its pool hides what an error of its own was raised from. Where that was nothing, what stands there is what
        # the caller was handling.
        cause = error.__context__
    if cause is None or isinstance(cause, RunqlError):
        return
    # The attempts on each address of a name are a group.
    group: Sequence[BaseException] = getattr(cause, "exceptions", [cause])
    for each in group:
        yield each
        yield from _causes(each)
