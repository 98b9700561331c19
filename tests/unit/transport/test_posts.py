"""The effect `Post`: JSON to a path of the API, with credentials, sent again after a failure."""

from __future__ import annotations

import httpx
import pytest
from tests.contract.both_clients import DoubleTransport

from runql import Api, ServerFailureError
from runql.transport.flow import Post, name_of, post


class _Replies(DoubleTransport):
    def __init__(self, *statuses: int) -> None:
        self.statuses = [*statuses]
        self.requests: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(self.statuses.pop(0), json={})


def test_a_post_carries_the_key_and_is_sent_again() -> None:
    replies = _Replies(503, 200)
    with Api(base_url="http://localhost:1/api", api_key="x" * 40, transport=replies) as api:
        api.client.run(post("files/e/p/r%2F/file_stream", b'{"a": 1}'))
    for request in replies.requests:
        assert (request.method, str(request.url)) == (
            "POST",
            "http://localhost:1/api/files/e/p/r%2F/file_stream",
        )
        assert request.content == b'{"a": 1}'
        assert request.headers["authorization"].startswith("Basic ")
    assert len(replies.requests) == 2


def test_a_refused_post_is_an_error_that_names_the_path() -> None:
    with (
        Api(base_url="http://localhost:1", api_key="x" * 40, transport=_Replies(503), retries=0) as api,
        pytest.raises(ServerFailureError) as raised,
    ):
        api.client.run(post("files/e/p/r/file_stream", b"{}"))
    assert raised.value.operation == "files/e/p/r/file_stream"
    assert name_of(Post("files/e/p/r/file_stream", b"")) == "files/e/p/r/file_stream"
