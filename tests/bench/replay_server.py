"""`python -m tests.bench.replay_server URL`: a server that answers from memory what the server at URL answered the first time.

It speaks just as much HTTP as clients of a benchmark need, because it must never be what a measurement waits for: a
framework answers a thousand requests a second here, this some ten thousand.
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
    """What was answered, and what was asked since somebody last looked.

    Attributes:
        upstream: host and port of the server that answers for the first time.
        answers: by method and path, Range, and body.
        latency: seconds before each answer.
        requests: how many came in.
        misses: how many of them were not in memory.
    """

    upstream: str
    answers: dict[Key, bytes] = field(default_factory=dict[Key, bytes])
    latency: float = 0.0
    requests: int = 0
    misses: int = 0
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(8))

    def control(self, path: str) -> bytes:
        """Set the latency when the path has one, and tell and forget what was asked."""
        for text in parse_qs(urlsplit(path).query).get("latency", []):
            self.latency = float(text)
        told = {"requests": self.requests, "misses": self.misses}
        self.requests = self.misses = 0
        return head("200 OK", json.dumps(told).encode(), {"content-type": "application/json"})

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
        """The upstream server's answer, as it goes over the wire; never compressed."""
        connection = http.client.HTTPConnection(self.upstream, timeout=300)
        headers = {**headers, "accept-encoding": "identity", "connection": "close"}
        connection.request(method, path, body or None, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        kept = {name: value for name in KEPT_HEADERS if (value := answer.getheader(name)) is not None}
        return head(f"{answer.status} {answer.reason}", content, kept)


def head(status: str, content: bytes, headers: dict[str, str]) -> bytes:
    """A whole answer."""
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, f"content-length: {len(content)}", "", ""]).encode("latin-1") + content


class Conversation(asyncio.Protocol):
    """One connection: a request, its answer, the next request."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None
        self._asking: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what answers are written to."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Take bytes; answer when they are a request."""
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
            told = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()}
            work = asyncio.ensure_future(self._ask(key, method.decode(), path.decode(), told, body))
            self._asking.add(work)
            work.add_done_callback(self._asking.discard)
        elif memory.latency:
            asyncio.get_running_loop().call_later(memory.latency, self._write, answer)
        else:
            self._write(answer)

    async def _ask(self, key: Key, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(self._memory.pool, self._memory.ask, method, path, headers, body)
        self._memory.answers[key] = answer
        self._write(answer)

    def _write(self, answer: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(answer)


async def serve(upstream: str) -> None:
    """Serve until the process is stopped; prints the address first."""
    memory = Memory(urlsplit(upstream).netloc)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Conversation(memory), "127.0.0.1", 0, backlog=256)
    host, port = server.sockets[0].getsockname()[:2]
    print(f"http://{host}:{port}", flush=True)
    # Nothing here makes cycles; a collection in the middle of an answer would be seen in the measurement.
    gc.disable()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1]))
