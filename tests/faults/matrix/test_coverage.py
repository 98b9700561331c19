"""The matrix has every public call that sends a request, or says why not."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import pytest
from tests.faults.matrix.calls import CALLS, EXCLUDED
from tests.faults.matrix.world import World, opened
from tests.senders import asking_member

from runql.drift.operations.senders import known_senders
from runql.transport.endpoint import Endpoint
from runql.transport.flow import Download, Send, Upload
from runql.transport.wire import Request

pytestmark = pytest.mark.long

LISTS = ("length", "first", "one", "next", "more", "cursor")
"""Members of lists: all lists share their code, and several of them are in the matrix. So do members in double underscores."""


@pytest.fixture(scope="module")
def matrix() -> Iterator[World]:
    with opened() as world:
        yield world


def test_every_member_that_sends_is_in_a_cell(matrix: World, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[str] = set()
    usual = Endpoint.request

    def noted(endpoint: Endpoint, effect: Send | Download | Upload) -> Request:
        member = asking_member(inspect.currentframe())
        if member is not None:
            seen.add(member)
        return usual(endpoint, effect)

    monkeypatch.setattr(Endpoint, "request", noted)
    for called in CALLS.values():
        matrix.baseline(called, "sync")
    table = known_senders()
    sending = {member for members in table.methods.values() for member in members}
    missing = {
        member
        for member in sending - seen - set(EXCLUDED)
        if (name := member.rpartition(".")[2]) not in LISTS and "." in member and not name.startswith("__")
    }
    assert sorted(missing) == []
    lists = {member.partition(".")[0] for member in sending if member.endswith("__iter__")}
    assert {name for name in lists if f"{name}.__iter__" not in seen} == set()


def test_what_is_excluded_is_in_no_cell() -> None:
    assert all(reason for reason in EXCLUDED.values())
    assert not set(EXCLUDED) & set(CALLS)


@pytest.mark.parametrize("name", sorted(CALLS))
def test_both_clients_return_the_same_without_a_fault(name: str, matrix: World) -> None:
    called = CALLS[name]
    one, other = (matrix.baseline(called, face) for face in ("sync", "async"))
    assert one.value == other.value
    assert (one.requests, one.files) == (other.requests, other.files)
    assert one.requests
