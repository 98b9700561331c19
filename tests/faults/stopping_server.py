"""A server with one file, which it stops sending at a chosen byte."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Literal

from tests.contract.file_responses import BODY, entry, listed
from tests.loopback import LoopbackServer

from runql import JSONValue

Stop = Literal["hold", "close", "reset", "end"]
RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Sending:
    """How the server sends the file.

    Attributes:
        upto: number of bytes to send; None for no response.
        then: hold the connection open, close or reset it, or end the body.
        body: content of the file.
    """

    upto: int | None = len(BODY)
    then: Stop = "end"
    body: bytes = BODY


class StoppingServer(LoopbackServer):
    """A server on a free loopback port; it runs inside the ``with`` block.

    ``sending`` controls the transfer. The server sets ``reached`` when it holds, until `release`. ``fields`` are extra
    fields of the file's entry.
    """

    def __init__(self) -> None:
        self.sending = Sending()
        self.fields: dict[str, JSONValue] = {}
        self.reached = threading.Event()
        self._released = threading.Event()
        super().__init__(self._handler())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
        super().__exit__(kind, error, trace)

    def release(self) -> None:
        """Send the rest of a held response."""
        self._released.set()

    def send(self, sending: Sending) -> None:
        """Use this control for the next transfers."""
        self.sending = sending
        self.reached.clear()
        self._released.clear()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                body = json.dumps({"data": listed(entry("d/x.bin", "/x", **server.fields))}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:
                # Chunked: a body is complete only when its last chunk arrives, not when all bytes have.
                sending, self.close_connection = server.sending, True
                if sending.upto is None:
                    self._hold()
                self.send_response(200)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                self._send(sending.body[: sending.upto])
                if sending.then == "hold":
                    self._hold()
                    self._send(sending.body[sending.upto :])
                if sending.then in {"hold", "end"}:
                    self.wfile.write(b"0\r\n\r\n")
                elif sending.then == "reset":
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

            def _send(self, body: bytes) -> None:
                if body:
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(body), body))
                    self.wfile.flush()

            def _hold(self) -> None:
                server.reached.set()
                server._released.wait()

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except ConnectionError:  # the client was killed or has given up
                    self.close_connection = True

            def finish(self) -> None:
                with contextlib.suppress(ConnectionError):
                    super().finish()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Stay silent."""

        return Handler
