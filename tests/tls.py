"""TLS in tests: one context for the clients that httpx makes with defaults, since all of them talk plain HTTP."""

from __future__ import annotations

import ssl
from functools import cache

import httpx
from httpx._transports import default

_CREATE = httpx.create_ssl_context


def share_one_context() -> None:
    """Let httpx read the trusted certificates once, and not for each client and transport: that takes 40 ms.

    runql is not affected: it passes a context of its own. Nor are clients that a test gives a context.
    """
    default.__dict__["create_ssl_context"] = _create


def _create(
    verify: ssl.SSLContext | str | bool = True,
    cert: str | tuple[str, str] | tuple[str, str, str] | None = None,
    trust_env: bool = True,
) -> ssl.SSLContext:
    if verify is True and cert is None:
        return _shared()
    return _CREATE(verify=verify, cert=cert, trust_env=trust_env)  # httpx 0.27 has another order


@cache
def _shared() -> ssl.SSLContext:
    return _CREATE()
