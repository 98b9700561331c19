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
        refused: number of requests above the limit.
        sent: bytes of the responses.
        allowed: requests of one key in a window; 0 for no limit.
        window: seconds.
        used: by key, the end of its window and the requests that it had in it.
    """

    upstream: str
    answers: dict[Key, bytes] = field(default_factory=dict[Key, bytes])
    latency: float = 0.0
    requests: int = 0
    misses: int = 0
    refused: int = 0
    sent: int = 0
    allowed: int = 0
    window: float = 1.0
    used: dict[bytes, tuple[float, int]] = field(default_factory=dict[bytes, tuple[float, int]])
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(8))

    def control(self, path: str) -> bytes:
        """Set what the path has of latency and limit; return and reset the counts."""
        asked = parse_qs(urlsplit(path).query)
        for text in asked.get("latency", []):
            self.latency = float(text)
        for text in asked.get("allowed", []):
            self.allowed = int(text)
            self.used.clear()
        for text in asked.get("window", []):
            self.window = float(text)
        traffic = {
            "requests": self.requests,
            "misses": self.misses,
            "refused": self.refused,
            "sent": self.sent,
        }
        self.requests = self.misses = self.refused = self.sent = 0
        return head("200 OK", json.dumps(traffic).encode(), {"content-type": "application/json"})

    def spend(self, key: bytes, now: float) -> tuple[bool, bytes]:
        """Whether a key may send a request now, and the headers that say what is left of its window."""
        end, used = self.used.get(key, (0.0, 0))
        if now >= end:
            end, used = now + self.window, 0
        is_allowed = used < self.allowed
        used += is_allowed
        self.used[key] = end, used
        left = f"ratelimit-remaining: {self.allowed - used}\r\nratelimit-reset: {end - now:.3f}\r\n"
        return is_allowed, left.encode()

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


def _with_headers(answer: bytes, lines: bytes) -> bytes:
    if not lines:
        return answer
    status, _, rest = answer.partition(b"\r\n")
    return status + b"\r\n" + lines + rest


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
            memory.sent = 0
            return
        memory.requests += 1
        left = b""
        if memory.allowed:
            now = asyncio.get_running_loop().time()
            is_allowed, left = memory.spend(headers.get(b"authorization", b""), now)
            if not is_allowed:
                memory.refused += 1
                self._write(_with_headers(head("429 Too Many Requests", b"{}", {}), left))
                return
        key = (asked, headers.get(b"range", b""), body)
        answer = memory.answers.get(key)
        if answer is None:
            memory.misses += 1
            fields = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()}
            work = asyncio.ensure_future(self._ask(key, method.decode(), path.decode(), fields, body))
            self._asking.add(work)
            work.add_done_callback(self._asking.discard)
        elif memory.latency:
            asyncio.get_running_loop().call_later(memory.latency, self._write, _with_headers(answer, left))
        else:
            self._write(_with_headers(answer, left))

    async def _ask(self, key: Key, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(self._memory.pool, self._memory.ask, method, path, headers, body)
        self._memory.answers[key] = answer
        self._write(answer)

    def _write(self, answer: bytes) -> None:
        self._memory.sent += len(answer)
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
