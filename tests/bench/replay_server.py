"""`python -m tests.bench.replay_server URL`: a server that repeats the first responses of the server at URL from memory.

It implements only the HTTP that the benchmark's clients need, so that no measurement waits for it: it sends ten times
as many responses per second as a framework.
"""

from __future__ import annotations

import asyncio
import gc
import http.client
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

CONTROL = b"/-bench/"
KEPT_HEADERS = ("content-type", "etag", "location", "content-range", "accept-ranges", "last-modified")
Key = tuple[bytes, bytes, bytes]


@dataclass
class Memory:
    """Stored responses, and counts of requests since the last control request.

    Attributes:
        upstream: host and port of the server behind.
        answers: responses by method and path, Range, and body.
        latency: seconds before each response.
        requests: number of requests.
        misses: number of requests without a stored response.
        sent: bytes of the responses, with their headers.
    """

    upstream: str
    answers: dict[Key, bytes] = field(default_factory=dict[Key, bytes])
    latency: float = 0.0
    requests: int = 0
    misses: int = 0
    sent: int = 0
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(8))

    def control(self, path: str) -> bytes:
        """Set the latency if the path has one; return and reset the counts."""
        for text in parse_qs(urlsplit(path).query).get("latency", []):
            self.latency = float(text)
        traffic = {"requests": self.requests, "misses": self.misses, "bytes": self.sent}
        self.requests = self.misses = self.sent = 0
        return head("200 OK", json.dumps(traffic).encode(), {"content-type": "application/json"})

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
        """Request the upstream server, and return its response as bytes, never compressed."""
        connection = http.client.HTTPConnection(self.upstream, timeout=300)
        headers = {**headers, "accept-encoding": "identity", "connection": "close"}
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        kept = {name: value for name in KEPT_HEADERS if (value := answer.getheader(name)) is not None}
        return head(f"{answer.status} {answer.reason}", content, kept)


def head(status: str, content: bytes, headers: dict[str, str]) -> bytes:
    """Format a response."""
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, f"content-length: {len(content)}", "", ""]).encode("latin-1") + content


class Conversation(asyncio.Protocol):
    """One connection: a request, its response, the next request."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None
        self._asking: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport of the connection."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Buffer bytes, and respond when they are a whole request."""
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        first, *lines = bytes(self._received[:end]).split(b"\r\n")
        headers = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)
        }
        stop = end + 4 + int(headers.get(b"content-length", b"0"))
        if len(self._received) < stop:
            return
        body = bytes(self._received[end + 4 : stop])
        del self._received[:stop]
        self._answer(first.rpartition(b" ")[0], headers, body)

    def _answer(self, asked: bytes, headers: dict[bytes, bytes], body: bytes) -> None:
        memory = self._memory
        method, _, path = asked.partition(b" ")
        if path.startswith(CONTROL):
            self._write(memory.control(path.decode()))
            return
        memory.requests += 1
        key = (asked, headers.get(b"range", b""), body)
        answer = memory.answers.get(key)
        if answer is None:
            memory.misses += 1
            fields = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()}
            work = asyncio.ensure_future(self._ask(key, method.decode(), path.decode(), fields, body))
            self._asking.add(work)
            work.add_done_callback(self._asking.discard)
            return
        memory.sent += len(answer)
        if memory.latency:
            asyncio.get_running_loop().call_later(memory.latency, self._write, answer)
        else:
            self._write(answer)

    async def _ask(self, key: Key, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(self._memory.pool, self._memory.ask, method, path, headers, body)
        self._memory.answers[key] = answer
        self._memory.sent += len(answer)
        self._write(answer)

    def _write(self, answer: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(answer)


async def serve(upstream: str) -> None:
    """Print the URL, and serve until the process ends."""
    memory = Memory(urlsplit(upstream).netloc)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Conversation(memory), "127.0.0.1", 0, backlog=256)
    host, port = server.sockets[0].getsockname()[:2]
    print(f"http://{host}:{port}", flush=True)
    # Nothing here makes cycles, and a garbage collection would disturb a measurement.
    gc.disable()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
