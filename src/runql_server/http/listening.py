"""The listening socket, bound before the server starts, so that no other process can take the port."""

from __future__ import annotations

import errno
import ipaddress
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_BACKLOG = 2048

# Windows lets two sockets with SO_REUSEADDR bind one address, and reuses the address of an ended server anyway.
if sys.platform == "win32":
    _OWN_ADDRESS: Final = socket.SO_EXCLUSIVEADDRUSE
else:
    _OWN_ADDRESS: Final = socket.SO_REUSEADDR


@dataclass(frozen=True)
class Tls:
    """A certificate and its key, in PEM files."""

    certificate: Path
    key: Path


class ExposedError(OSError):
    """The address can be reached from other machines, and keys would travel unencrypted."""


def check_exposure(host: str, tls: Tls | None, *, insecure: bool) -> None:
    """Refuse to listen beyond loopback without TLS; raises ``ExposedError``."""
    if tls is None and not insecure and not is_loopback(host):
        raise ExposedError(
            f"{host} can be reached from other machines, and API keys would travel unencrypted: "
            "give --tls-cert and --tls-key, or --insecure-listen behind a proxy that adds TLS"
        )


def is_loopback(host: str) -> bool:
    """Whether every address of the host is on this machine alone; raises ``OSError`` for an unknown host."""
    found = {str(each[4][0]) for each in socket.getaddrinfo(host, None, proto=socket.IPPROTO_TCP)}
    return all(ipaddress.ip_address(address.partition("%")[0]).is_loopback for address in found)


def bind(host: str, port: int) -> socket.socket:
    """Bind a TCP socket; port 0 picks a free one. Raises ``OSError`` when the address is not available."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio disables Nagle's algorithm only when the protocol is named; otherwise a response waits 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, _OWN_ADDRESS, 1)
        listening.bind((host, port))
        # The address is announced before the server starts: early clients wait instead of being refused.
        listening.listen(_BACKLOG)
    except BaseException as error:
        listening.close()
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise OSError(
                f"port {port} of {host} is in use: end what listens there, or name another with --port"
            ) from error
        raise
    return listening


def url(host: str, listening: socket.socket, *, scheme: str = "http") -> str:
    """Return the base URL for clients."""
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"
