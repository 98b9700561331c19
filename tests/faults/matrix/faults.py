"""What a fault is: its name, the requests it changes, and what a call may do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

from tests.faults.matrix.front import Apply, Kind, Plan

from runql import (
    AnswerError,
    ConnectionFailedError,
    DigestMismatchError,
    RequestTimedOutError,
    RunqlError,
    TransportError,
)

When: TypeAlias = Literal["once", "second", "twice", "for ever"]
Errors: TypeAlias = tuple[type[RunqlError], ...]
Address: TypeAlias = Literal["", "no address", "refused", "untrusted", "other name", "no tls", "hangs"]

OPERATIONS: Final = frozenset[Kind]({"operation"})
STORAGE: Final = frozenset[Kind]({"storage"})
UPLOADS: Final = frozenset[Kind]({"upload"})
EVERYTHING: Final = OPERATIONS | STORAGE | UPLOADS

BROKEN: Final[Errors] = (ConnectionFailedError, RequestTimedOutError)
"""The connection broke, or nothing came."""
UNREADABLE: Final[Errors] = (AnswerError, TransportError, DigestMismatchError)
"""What came is no response to the request."""

_PLACES: Final[dict[When, tuple[int, int | None]]] = {
    "once": (1, 1),
    "second": (2, 1),
    "twice": (1, 2),
    "for ever": (1, None),
}


@dataclass(frozen=True)
class Fault:
    """One way to misbehave.

    Attributes:
        name: says what happens.
        family: the heading in the report.
        apply: what the front does; None for faults of the address.
        when: to which requests.
        recovers: a call that may send its requests again returns the right value.
        errors: what a call may raise where it need not recover; the right value is always fine.
        kinds: the requests that have it.
        early: it happens before the body of the request is read.
        answered: the server has said that it did not carry out the request.
        silent: nothing comes for a while, so that only a timeout or a deadline ends the wait.
        bounded: only a deadline ends the wait: something always comes.
        attempts: how often a request with it is sent at most; None where the policy decides.
        shown: it puts half a surrogate pair or a control character into values, where the call may show it.
        address: what the name of the server leads to.
    """

    name: str
    family: str
    apply: Apply | None
    when: When = "once"
    recovers: bool = False
    errors: Errors = ()
    kinds: frozenset[Kind] = EVERYTHING
    early: bool = False
    answered: bool = False
    silent: bool = False
    bounded: bool = False
    attempts: int | None = None
    shown: bool = False
    address: Address = ""

    @property
    def title(self) -> str:
        """Name and when."""
        return f"{self.name}, {self.when}"

    def plan(self) -> Plan:
        """Return a fresh plan for one call."""
        first, times = _PLACES[self.when]
        return Plan(self.apply, self.kinds, first, times, self.early, self.answered)


def at(fault: Fault, *whens: When) -> Iterable[Fault]:
    """Return the fault at several times; one for ever cannot be recovered from."""
    for when in whens:
        yield replace(fault, when=when, recovers=fault.recovers and when != "for ever")
