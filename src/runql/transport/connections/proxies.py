"""The proxies that the environment names: refusing unusable ones, and naming them in errors."""

from __future__ import annotations

import os
from importlib.util import find_spec
from ipaddress import ip_network
from typing import Final
from urllib.request import getproxies

from runql.errors import ConfigurationError
from runql.transport.http_library import httpx

_SCHEMES: Final = ("http", "https", "all")
_SOCKS: Final = ("socks5", "socks5h")


def check_proxies() -> None:
    """Refuse proxies that cannot be used, before a request is sent.

    Raises:
        ConfigurationError: a variable holds no proxy's URL, or NO_PROXY an entry that is no host; no password is shown.
    """
    proxies = getproxies()
    for scheme in _SCHEMES:
        if proxies.get(scheme):
            _check_proxy(_variable(scheme), proxies[scheme])
    for entry in proxies.get("no", "").split(","):
        _check_exempt(_variable("no"), entry.strip())


def proxy_of(scheme: str) -> str | None:
    """Return how errors name the proxy for URLs of a scheme, without its password; None where there is no proxy."""
    proxies = getproxies()
    for name in (scheme, "all"):
        if value := proxies.get(name):
            url = _url(value)
            return f"the proxy {url.host}{f':{url.port}' if url.port else ''} that {_variable(name)} names"
    return None


def _variable(scheme: str) -> str:
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper())
    return next((name for name in names if os.environ.get(name)), "the system's configuration")


def _url(value: str) -> httpx.URL:
    return httpx.URL(value if "://" in value else f"http://{value}")


def _check_proxy(variable: str, value: str) -> None:
    # No message shows the value, which may hold a password.
    start = f"{variable} names no proxy that can be used"
    example = "give it like http://proxy.example:3128"
    try:
        url = _url(value)
        url.host.encode("idna")
    except (httpx.InvalidURL, ValueError):
        raise ConfigurationError(f"{start}, because it is no URL: {example}") from None
    if url.scheme not in {"http", "https", *_SOCKS}:
        raise ConfigurationError(f"{start}, because of its scheme {url.scheme!r}: {example}")
    if not url.host or not 0 < (1 if url.port is None else url.port) < 65536:
        raise ConfigurationError(f"{start}, because it has no host, or a port above 65535: {example}")
    if url.scheme in _SOCKS and find_spec("socksio") is None:
        raise ConfigurationError(f"{variable} names a SOCKS proxy, which needs socksio: pip install socksio")


def _check_exempt(variable: str, entry: str) -> None:
    if not entry or entry == "*":
        return
    try:
        network = ip_network(entry, strict=False)
    except ValueError:
        network = None
    # The patterns that httpx builds: addresses match exactly, names match their subdomains too.
    pattern = f"all://*{entry}" if network is None else f"all://[{entry}]" if network.version == 6 else ""
    try:
        httpx.URL(entry if "://" in entry else pattern)
    except (httpx.InvalidURL, ValueError):
        raise ConfigurationError(
            f"{variable} holds {entry!r}, which is no host: give names and addresses with commas between them, "
            "an IPv6 address without brackets, such as ::1, and no IPv6 range"
        ) from None
