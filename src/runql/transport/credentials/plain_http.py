"""Refusing to send the API key in the clear, where others than this machine can read it."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from runql.config import Settings
from runql.errors import ConfigurationError

_ALLOWED_BY: Final = (
    "pass allow_insecure=True, or set RUNQL_ALLOW_INSECURE=1 (`--allow-insecure` of `runql drift`)"
)


def check_plain_http(settings: Settings, *, uses_proxies: bool) -> None:
    """Refuse a server that gets the API key over plain HTTP from another machine.

    Args:
        settings: of the client.
        uses_proxies: whether the client sends through the proxies that the environment names.

    Raises:
        ConfigurationError: anybody between the two machines, or the proxy, could read the key.
    """
    parts = urlsplit(settings.base_url)
    host = parts.hostname or ""
    if parts.scheme != "http" or settings.allow_insecure:
        return
    if not is_loopback(host):
        raise ConfigurationError(
            f"base_url is {settings.base_url}, which would send the API key in the clear: anybody on the way to "
            f"{host} could read it. Use https://, or, in a network that you trust, {_ALLOWED_BY}"
        )
    proxy = _proxy_for(host) if uses_proxies else None
    if proxy is not None and not is_loopback(proxy):
        raise ConfigurationError(
            f"base_url is {settings.base_url}, and a proxy variable sends it to {proxy}, with the API key in the clear: "
            f"add {host} to NO_PROXY, or {_ALLOWED_BY}"
        )


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its name or address: localhost, 127.0.0.0/8 or ::1."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _proxy_for(host: str) -> str | None:
    """Return the host of the proxy for plain HTTP to a host; None where there is none."""
    proxies = getproxies()
    value = proxies.get("http") or proxies.get("all")
    if not value or proxy_bypass(host):
        return None
    return urlsplit(value if "://" in value else f"http://{value}").hostname or "a proxy"
