"""`limited_reader.py WAY`: reads a hostile response, and prints the error's limit and the peak of memory in bytes as JSON."""

from __future__ import annotations

import gzip
import json
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import httpx

import runql
from runql.transport.files.bodies import Sink
from runql.transport.flow import Flow, fetch, save
from runql_graphql.operations import get_run_state

MIB = 1 << 20
CHUNK = b" " * (1 << 16)


def status(name: str) -> int:
    """Return a figure of this process's status, in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))


class Body(httpx.SyncByteStream):
    """Chunks that take no memory of their own."""

    def __init__(self, chunk: bytes, times: int) -> None:
        self._chunk, self._times = chunk, times

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(self._times):
            yield self._chunk


def compressed(encoding: str) -> bytes:
    """Return 600 MB as about 600 kB."""
    stream = zlib.compressobj(9, wbits=31 if "gzip" in encoding else 15)
    body = b"".join(stream.compress(CHUNK) for _ in range(600 * MIB // len(CHUNK))) + stream.flush()
    return gzip.compress(body) if encoding == "gzip, gzip" else body


def read_state() -> Flow[None]:
    """Ask for the state of a run."""
    yield from fetch(get_run_state(entity="e", project="p", run="r"))


def main(way: str) -> None:
    """Prepare the body, then measure one call."""
    kind, _, encoding = way.partition(" ")
    headers = {"Content-Encoding": encoding} if encoding else {}
    body = Body(compressed(encoding) if encoding else CHUNK, 1 if encoding else 300 * MIB // len(CHUNK))
    if kind == "announced":
        headers["Content-Length"] = str(300 * MIB)
    limits = runql.Limits(response_bytes=8 * MIB, decoded_bytes=8 * MIB, file_bytes=100 * MIB)
    if kind in {"announced", "unlimited"}:
        limits = runql.Limits(response_bytes=sys.maxsize) if kind == "unlimited" else runql.Limits()
    transport = httpx.MockTransport(lambda _: httpx.Response(200, headers=headers, stream=body))
    with (
        tempfile.TemporaryDirectory() as folder,
        runql.Api(
            api_key="k" * 40,
            base_url="http://api.host",
            transport=transport,
            limits=limits,
            allow_insecure=True,
        ) as api,
    ):
        flow = save("/file", Sink(Path(folder) / "file")) if kind == "saved" else read_state()
        limit = ""
        before = status("VmRSS")
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        try:
            api.client.run(flow)
        except runql.ResponseLimitError as error:
            limit = error.limit
        except runql.RunqlError as error:
            limit = type(error).__name__
        print(json.dumps({"limit": limit, "peak": status("VmHWM") - before}))


if __name__ == "__main__":
    main(*sys.argv[1:])
