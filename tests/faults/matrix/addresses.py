"""Faults of addresses: a name without address, refused connections, certificates that are not trusted."""

from __future__ import annotations

from collections.abc import Iterator

from tests.faults.matrix.faults import BROKEN, Fault, at


def _each() -> Iterator[Fault]:
    family = "addresses"
    gone = Fault(
        "a name without an address", family, None, recovers=True, errors=BROKEN, address="no address"
    )
    yield from at(gone, "once", "for ever")
    refused = Fault("connection refused", family, None, recovers=True, errors=BROKEN, address="refused")
    yield from at(refused, "once", "for ever")
    untrusted = Fault(
        "a certificate that nobody trusts", family, None, errors=BROKEN, address="untrusted", attempts=1
    )
    yield from at(untrusted, "once", "for ever")
    other = Fault(
        "a certificate for another name", family, None, errors=BROKEN, address="other name", attempts=1
    )
    yield from at(other, "once", "for ever")
    plain = Fault("a port without TLS", family, None, errors=BROKEN, address="no tls", attempts=2)
    yield from at(plain, "once", "for ever")


def address_faults() -> list[Fault]:
    """Return all of them."""
    return list(_each())
