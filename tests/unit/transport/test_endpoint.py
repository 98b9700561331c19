"""Where requests go, and where credentials never go."""

from __future__ import annotations

import base64
from dataclasses import replace

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr

from runql.config import Settings
from runql.errors import ConnectionFailedError, RequestTimedOutError
from runql.transport.codec import encode
from runql.transport.endpoint import USER_AGENT, Endpoint
from runql.transport.flow import Download, Send
from runql.transport.limits.decoding import ACCEPTED
from runql.transport.wire import Request
from runql_graphql.operation import Operation
from runql_graphql.operations import get_run_state

KEY = "k" * 40
ALWAYS = {"Accept": "*/*", "Accept-Encoding": ACCEPTED, "User-Agent": USER_AGENT}
STATE = get_run_state(entity="e", project="p", run="r")


def endpoint(base_url: str = "https://api.host") -> Endpoint:
    return Endpoint(Settings(base_url, base_url, SecretStr(KEY), timeout=7))


def trusted(url: str, base_url: str) -> bool:
    request = Request("file", url)
    sent = endpoint(base_url).http_request(request, None, timeout=None)
    assert ("authorization" in sent.headers) == endpoint(base_url).carries_key(request)
    return "authorization" in sent.headers


def test_an_operation_is_a_post_of_its_encoding() -> None:
    assert endpoint("https://host/api").request(Send(STATE)) == Request(
        "GetRunState", "https://host/api/graphql", encode(STATE), repeatable=True, fail_fast=False
    )
    assert endpoint().request(Send(STATE, fail_fast=True)).fail_fast
    change = replace(STATE, kind="mutation")
    assert not endpoint().request(Send(change)).repeatable
    assert endpoint().request(Send(change, repeatable=True)).repeatable


def test_a_mutation_is_not_repeatable() -> None:
    mutation = Operation("Change", "mutation", "mutation Change", {}, Settings)
    assert not endpoint().request(Send(mutation)).repeatable


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://storage/a.json?signature=hidden", "https://storage/a.json?signature=hidden"),
        ("/files/a.json", "https://host/files/a.json"),
        ("files/a.json", "https://host/api/files/a.json"),
        ("//storage/a.json", "https://storage/a.json"),
    ],
)
def test_a_download_is_a_get_named_by_its_path(url: str, target: str) -> None:
    request = endpoint("https://host/api").request(Download(url))
    assert (request.url, request.content, request.repeatable) == (target, None, True)
    assert request.name.endswith("a.json")
    assert "hidden" not in request.name


def test_the_key_is_sent_as_the_password_of_the_user_api() -> None:
    request = endpoint().request(Send(STATE))
    headers = endpoint().headers(request)
    assert headers == {**ALWAYS, "Content-Type": "application/json"}
    sent = endpoint().http_request(request, request.content, timeout=None)
    assert sent.headers["authorization"] == "Basic " + base64.b64encode(f"api:{KEY}".encode()).decode()
    assert (sent.method, sent.content) == ("POST", encode(STATE))


def test_other_hosts_learn_neither_the_key_nor_a_content_type() -> None:
    headers = endpoint().headers(Request("file", "https://storage/a"))
    assert headers == ALWAYS


@pytest.mark.parametrize(
    ("url", "base_url", "expected"),
    [
        ("https://host/files/a", "https://host", True),
        ("https://host/files/a?x=https://evil/#/../", "https://host", True),
        ("https://HOST/files/a", "https://host", True),
        ("HTTPS://host/files/a", "https://host", True),
        ("https://host:443/files/a", "https://host", True),
        ("https://host/files/a", "https://host:443", True),
        ("http://host:80/files/a", "http://host", True),
        ("http://127.0.0.1:8080/files/a", "http://127.0.0.1:8080", True),
        ("http://[::1]:8080/files/a", "http://[::1]:8080", True),
        ("https://host/api/a", "https://host/api", True),
        ("https://host/api/files/..a/b", "https://host/api", True),
        ("http://host/files/a", "https://host", False),
        ("https://host/files/a", "http://host", False),
        ("https://host:8443/files/a", "https://host", False),
        ("https://host/files/a", "https://host:8443", False),
        ("https://host:80/files/a", "https://host", False),
        ("https://evil/files/a", "https://host", False),
        ("https://host.evil/files/a", "https://host", False),
        ("https://evilhost/files/a", "https://host", False),
        ("https://evil.host/files/a", "https://host", False),
        ("https://host@evil/files/a", "https://host", False),
        ("https://host:443@evil/files/a", "https://host", False),
        ("https://evil/https://host/files/a", "https://host", False),
        ("https://evil?https://host/", "https://host", False),
        ("https://evil#https://host/", "https://host", False),
        ("https://evil\\@host/files/a", "https://host", False),
        ("https://host\\@evil/files/a", "https://host", False),
        ("https://host/apix/a", "https://host/api", False),
        ("https://host/a", "https://host/api", False),
        ("https://host/API/a", "https://host/api", False),
        ("https://host/api/../a", "https://host/api", False),
        ("https://host/api/..", "https://host/api", False),
        ("https://host/api/a/../../b", "https://host/api", False),
        ("https://host/api/%2e%2e/a", "https://host/api", False),
        ("https://host/api/%2E%2e/a", "https://host/api", False),
        ("ftp://host/files/a", "https://host", False),
    ],
)
def test_credentials_go_below_the_base_url_only(url: str, base_url: str, *, expected: bool) -> None:
    assert trusted(url, base_url) is expected


AUTHORITIES = st.text(st.sampled_from("host.evil@:[]\\48 0\t%"), max_size=12)
SCHEMES = st.sampled_from(["http", "https", "HTTPS", "ftp", ""])
PATHS = st.text(st.sampled_from("/api.x%2eE\\?#@:"), max_size=14)
URLS = st.one_of(
    st.builds("{}://{}/{}".format, SCHEMES, AUTHORITIES, PATHS),
    st.builds("https://host/api{}".format, PATHS),
    st.builds("https://host{}/api/{}".format, AUTHORITIES, PATHS),
    st.builds("https://{}host/api/{}".format, AUTHORITIES, PATHS),
)


@given(URLS)
@example("https://host/api/..")
@example("https://host:443/api/a")
@example(" https://host/api/a")
@example("https://host\t/api/a")
def test_whoever_gets_the_credentials_is_the_base_url_as_the_http_library_reads_it(url: str) -> None:
    base = httpx.URL("https://host/api/")
    try:
        target = httpx.URL(url)
        is_trusted = trusted(url, "https://host/api")
    except (ValueError, httpx.InvalidURL):
        return  # what cannot be read cannot be sent
    if is_trusted and target.scheme in {"http", "https"}:  # no other is spoken
        assert (target.scheme, target.host, target.port) == (base.scheme, base.host, base.port)
        assert target.path.startswith(base.path)
        assert not target.userinfo


@given(PATHS)
def test_the_api_itself_always_gets_them(path: str) -> None:
    url = "https://host/api/" + path.replace(".", "").replace("%", "").replace("\\", "")
    assert trusted(url, "https://host/api")


@pytest.mark.parametrize(
    ("error", "kind", "sent"),
    [
        (httpx.ConnectError("refused"), ConnectionFailedError, False),
        (httpx.ConnectTimeout("late"), RequestTimedOutError, False),
        (httpx.PoolTimeout("busy"), RequestTimedOutError, False),
        (httpx.ReadTimeout("late"), RequestTimedOutError, True),
        (httpx.WriteTimeout("late"), RequestTimedOutError, True),
        (httpx.ReadError("reset"), ConnectionFailedError, True),
        (httpx.WriteError("reset"), ConnectionFailedError, True),
        (httpx.RemoteProtocolError("hung up"), ConnectionFailedError, True),
        (httpx.DecodingError("no gzip"), ConnectionFailedError, True),
        (httpx.ProxyError("refused"), ConnectionFailedError, True),
    ],
)
def test_what_the_failures_of_the_http_library_mean(
    error: httpx.HTTPError, kind: type[Exception], *, sent: bool
) -> None:
    request = Request("GetRun", "https://host/graphql?signature=hidden", b"{}")
    failure = endpoint().failure(request, error, 1.5)
    assert type(failure.error) is kind
    assert (failure.sent, failure.elapsed) == (sent, 1.5)
    assert failure.error.operation == "GetRun"
    assert failure.error.__cause__ is error
    assert "host" in str(failure.error)
    assert "hidden" not in str(failure.error)


def test_a_timeout_says_how_long_it_waited_and_what_to_do() -> None:
    failure = endpoint().failure(Request("GetRun", "https://host/graphql", b"{}"), httpx.ReadTimeout(""), 7)
    assert "for 7 s" in str(failure.error)
    assert "WANDB_HTTP_TIMEOUT" in str(failure.error)


def test_a_failure_without_a_text_is_named_by_its_kind() -> None:
    failure = endpoint().failure(Request("GetRun", "https://host/graphql", b"{}"), httpx.ReadError(""), 0)
    assert "ReadError" in str(failure.error)


def test_a_password_in_a_url_is_not_shown() -> None:
    request = Request("/a", "https://user:hidden@storage/a")
    failure = endpoint().failure(request, httpx.ConnectError("refused"), 0)
    assert "storage" in str(failure.error)
    assert "hidden" not in str(failure.error)
