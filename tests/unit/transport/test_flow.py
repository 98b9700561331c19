"""Fetching, downloading and sleeping, stepped by hand."""

from __future__ import annotations

import pytest
from tests.unit.transport.stepping import answered, ended, played

from runql.errors import (
    AccessDeniedError,
    ConnectionFailedError,
    InvalidAnswerError,
    RunqlError,
    ServerFailureError,
)
from runql.limits import DEFAULT_LIMITS, Limits, TooManyRedirectsError, limited
from runql.transport.flow import Download, Send, Sleep, download, fetch, sleep
from runql.transport.wire import Response
from runql_graphql.operations import get_run_state

STATE = get_run_state(entity="e", project="p", run="r")
SIGNED = "https://storage/bucket/a.json?signature=hidden"


def moved(location: str, status: int = 302) -> Response:
    return Response(status, b"moved", {"location": location})


@pytest.mark.parametrize("fail_fast", [False, True])
def test_fetch_sends_the_operation_and_reads_its_answer(*, fail_fast: bool) -> None:
    flow = fetch(STATE, fail_fast=fail_fast)
    assert next(flow) == Send(STATE, fail_fast)
    answer = ended(flow, answered({"project": {"run": {"state": "crashed"}}}))
    assert answer.project is not None
    assert answer.project.run is not None
    assert answer.project.run.state == "crashed"


def test_fetch_raises_what_the_answer_stands_for() -> None:
    flow = fetch(STATE)
    next(flow)
    with pytest.raises(ServerFailureError):
        flow.send(Response(503, b""))


def test_an_error_of_the_driver_passes_through() -> None:
    flow = fetch(STATE)
    next(flow)
    error = ConnectionFailedError("refused")
    with pytest.raises(ConnectionFailedError) as caught:
        flow.throw(error)
    assert caught.value is error


def test_a_driver_that_replies_none_is_an_error() -> None:
    flow = fetch(STATE)
    next(flow)
    with pytest.raises(TypeError, match="driver"):
        flow.send(None)


def test_sleep_is_one_effect() -> None:
    flow = sleep(2.5)
    assert next(flow) == Sleep(2.5)
    assert ended(flow, None) is None


def test_a_download_returns_the_bytes() -> None:
    content, effects = played(download(SIGNED), [Response(200, b"\x00bytes")])
    assert content == b"\x00bytes"
    assert effects == [Download(SIGNED)]


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("https://other/b", "https://other/b"),
        ("//other/b", "https://other/b"),
        ("/b?x=1", "https://storage/b?x=1"),
        ("b", "https://storage/bucket/b"),
        ("../b", "https://storage/b"),
        ("?part=2", "https://storage/bucket/a.json?part=2"),
    ],
)
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_each_hop_is_an_effect_of_its_own(location: str, target: str, status: int) -> None:
    content, effects = played(download(SIGNED), [moved(location, status), Response(200, b"there")])
    assert content == b"there"
    assert effects == [Download(SIGNED), Download(target)]


def test_a_relative_url_stays_relative_to_what_the_driver_makes_of_it() -> None:
    _, effects = played(download("/files/a"), [moved("b"), Response(200, b"")])
    assert effects == [Download("/files/a"), Download("/files/b")]


def test_hops_add_up_and_the_longest_allowed_chain_arrives() -> None:
    hops = [moved(f"/{hop}") for hop in range(DEFAULT_LIMITS.redirects)]
    content, effects = played(download(SIGNED), [*hops, Response(200, b"there")])
    assert content == b"there"
    assert len(effects) == DEFAULT_LIMITS.redirects + 1


def test_too_many_redirects_are_an_error_and_bounded() -> None:
    hops = [moved("/again")] * (DEFAULT_LIMITS.redirects + 1)
    with pytest.raises(TooManyRedirectsError, match="more than 5 times, and the limit redirects is 5"):
        played(download(SIGNED), hops)


def test_the_client_sets_how_many_redirects_are_followed() -> None:
    with limited(Limits(redirects=0)), pytest.raises(TooManyRedirectsError) as caught:
        played(download(SIGNED), [moved("/again")])
    assert (caught.value.limit, caught.value.most) == ("redirects", 0)
    assert SIGNED not in str(caught.value)


def test_a_redirect_to_nowhere_is_an_error() -> None:
    with pytest.raises(InvalidAnswerError, match="302"):
        played(download(SIGNED), [Response(302, b"")])


@pytest.mark.parametrize(
    ("status", "kind"), [(403, AccessDeniedError), (404, InvalidAnswerError), (500, ServerFailureError)]
)
def test_a_refused_download_names_the_path_and_not_the_signature(status: int, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught:
        played(download(SIGNED), [Response(status, b"<Error/>", attempts=2)])
    assert "[/bucket/a.json] (after 2 attempts)" in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_a_graphql_looking_file_is_still_a_file() -> None:
    body = b'{"errors": [{"message": "this is data"}]}'
    assert played(download(SIGNED), [Response(200, body)])[0] == body


def test_a_location_that_is_no_url_is_an_error_of_ours() -> None:
    flow = download(SIGNED)
    next(flow)
    with pytest.raises(RunqlError) as caught:
        flow.send(moved("http://[broken/a?signature=hidden"))
    assert "hidden" not in str(caught.value)
