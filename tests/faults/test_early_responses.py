"""A server that responds twice on one connection: nothing of it is taken for the response to the next request."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler

from tests.contract.both_clients import Face
from tests.contract.untyped import taken
from tests.loopback import LoopbackServer

from runql import RetryPolicy
from runql_graphql.operations import get_run_state

STATE = get_run_state(entity="e", project="p", run="r")


class TwiceServer(LoopbackServer):
    """Numbers the requests, and sends each response twice, at once and on the same connection.

    Attributes:
        requests: how many requests came.
    """

    def __init__(self) -> None:
        self.requests = 0
        guard = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                with guard:
                    server.requests += 1
                    number = server.requests
                run = {"name": "r", "state": f"state {number}"}
                data = {"project": {"name": "p", "entityName": "e", "run": run}}
                body = json.dumps({"data": data}).encode()
                head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                self.wfile.write(2 * (head.encode() + body))

            def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - the name of the base class

        super().__init__(Handler)


def test_each_response_is_to_a_request_of_its_call(face: Face) -> None:
    with TwiceServer() as server:
        client = face.client(server.url, "k" * 40, retry=RetryPolicy(max_attempts=3, first_delay=0.0))
        for _ in range(5):
            before = server.requests
            found = taken(face, client.execute(STATE))
            number = int(found.project.run.state.removeprefix("state "))
            assert before < number <= server.requests
    # The first attempt finds what followed the response before; the connection is closed, and the next is a new one.
    assert 5 < server.requests <= 10
    assert client.traffic.requests == server.requests
