"""`python -m tests.bench.bare_client TASK [digest]`: the limit: the fewest requests, by `http.client`, orjson and polars.

It sends the operations of runql in as few requests as the server allows at the same page size. It reads responses
without models, checks, retries or error messages, and compares files with their digests. `http.client` is the fastest client available here.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import os
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import polars as pl
from tests.bench import values
from tests.bench.result import timed
from tests.bench.tasks import EXPORTS

from runql_graphql.operations import LIST_FULL_RUNS, LIST_HISTORIES, LIST_RUN_FILES, SCAN_HISTORY

# Any in this module: responses are read without models.
KEYS = ["k00", "k01", "k02"]
SUMMED = "k00"
ENTITY = os.environ["WANDB_ENTITY"]
HOST = urlsplit(os.environ["WANDB_BASE_URL"]).netloc
TOKEN = base64.b64encode(f"api:{os.environ['WANDB_API_KEY']}".encode()).decode()
HEADERS = {"Authorization": f"Basic {TOKEN}", "Content-Type": "application/json"}
FOLDER = "files"

Reading = tuple[Any, Callable[[], str]]
"""The result, and the function for its digest."""

_own = threading.local()


def connection() -> http.client.HTTPConnection:
    """Return this thread's connection."""
    if not hasattr(_own, "connection"):
        _own.connection = http.client.HTTPConnection(HOST)
    kept: http.client.HTTPConnection = _own.connection
    return kept


def get(url: str) -> bytes:
    """GET a signed URL."""
    parts = urlsplit(url)
    connection().request("GET", f"{parts.path}?{parts.query}")
    return connection().getresponse().read()


def ask(document: str, **variables: object) -> Any:
    """Send a query, and return the project of the response."""
    body = orjson.dumps({"query": document, "variables": {"entity": ENTITY, **variables}})
    connection().request("POST", "/graphql", body, HEADERS)
    return orjson.loads(connection().getresponse().read())["data"]["project"]


def pages(document: str, project: str, first: int = 50, **variables: object) -> Iterable[Any]:
    """Yield the nodes of a list of runs; each page needs the cursor of the previous one."""
    after: str | None = None
    while True:
        asked = {"project": project, "filters": "{}", "order": "+created_at", "first": first}
        found = ask(document, **asked, **variables, after=after)["runs"]
        yield from (edge["node"] for edge in found["edges"])
        if not found["pageInfo"]["hasNextPage"]:
            return
        after = found["pageInfo"]["endCursor"]


def run_concurrently(work: Callable[[Any], Any], over: Sequence[Any]) -> list[Any]:
    """Map with eight threads, in order."""
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(work, over))


def list_runs(project: str) -> tuple[list[Any], Callable[[], str]]:
    """Read config and summary of all runs."""
    read = [
        (
            run["displayName"],
            {key: entry["value"] for key, entry in orjson.loads(run["config"]).items()},
            orjson.loads(run["summaryMetrics"]),
        )
        for run in pages(LIST_FULL_RUNS, project)
    ]
    return read, lambda: values.of_records(read)


def framed(frame: pl.DataFrame, *order: str) -> tuple[pl.DataFrame, Callable[[], str]]:
    """Return a frame and the function for its digest."""
    return frame, lambda: values.of_frame(frame, *order)


def of_lines(texts: list[str]) -> pl.DataFrame:
    """Convert rows as JSON strings to a frame."""
    return pl.read_ndjson(io.BytesIO("\n".join(texts).encode()), infer_schema_length=100)


def histories(keys: list[str] | None) -> tuple[pl.DataFrame, Callable[[], str]]:
    """Read sampled rows of all runs."""
    specs: list[str] = [orjson.dumps({"keys": ["_step", *keys], "samples": 500}).decode()] if keys else []
    variables: dict[str, Any] = {
        "samples": 500,
        "specs": specs,
        "whole": not keys,
        "system": False,
        "chosen": bool(keys),
    }
    found = list(pages(LIST_HISTORIES, "histories", **variables))
    rows = [run["sampledHistory"][0] if keys else run["history"] for run in found]
    if keys:
        names = ["_step", *keys]
        columns = {name: [row[name] for part in rows for row in part] for name in names}
        frame = pl.DataFrame(columns)
    else:
        frame = of_lines([text for part in rows for text in part])
    ids = [run["name"] for run, part in zip(found, rows, strict=True) for _ in part]
    return framed(frame.with_columns(pl.Series("run_id", ids)), "run_id", "_step")


def scan(run: str, rows: int, page: int = 10_000) -> tuple[pl.DataFrame, Callable[[], str]]:
    """Read every row of a run whose length is known from a list."""

    def window(start: int) -> pl.DataFrame:
        variables: dict[str, object] = {
            "minStep": start,
            "maxStep": start + page,
            "samples": page + 1,
            "specs": [],
        }
        flags = {"whole": True, "chosen": False, "withKeys": False, "withExports": False}
        found = ask(SCAN_HISTORY, project="scan", run=run, **variables, **flags)
        # polars releases the GIL, so other threads can read their responses.
        return of_lines(found["run"]["history"])

    return framed(pl.concat(run_concurrently(window, range(0, rows, page))), "_step")


def sparse() -> tuple[pl.DataFrame, Callable[[], str]]:
    """Request as many rows as the run has lines, in one request."""
    variables: dict[str, Any] = {"minStep": 0, "maxStep": None, "samples": 1_001, "specs": []}
    flags = {"whole": True, "chosen": False, "withKeys": False, "withExports": False}
    found = ask(SCAN_HISTORY, project="sparse", run="sparse", **variables, **flags)
    return framed(of_lines(found["run"]["history"]), "_step")


def total(*, lazy: bool) -> tuple[pl.DataFrame, Callable[[], str]]:
    """Sum one metric over all runs: of this metric alone, by 500 runs a page, or of whole rows, as many as fit 8 MiB."""
    rows = 200
    variables: dict[str, Any] = {
        "samples": rows + 1,
        "specs": [orjson.dumps({"keys": [SUMMED], "samples": rows + 1}).decode()] if lazy else [],
        "whole": not lazy,
        "system": False,
        "chosen": lazy,
    }
    found = pages(LIST_HISTORIES, "many", 500 if lazy else 80, **variables)
    if lazy:
        cells = pl.Series([row[SUMMED] for run in found for row in run["sampledHistory"][0]])
        frame = pl.DataFrame({SUMMED: cells})
    else:
        frame = of_lines([text for run in found for text in run["history"]])
    summed = frame.select(pl.col(SUMMED).sum())
    return summed, lambda: f"{summed.item():.6f}"


def exports(keys: list[str] | None) -> tuple[pl.DataFrame, Callable[[], str]]:
    """Read whole parquet files: two requests, fewer than for ranges."""
    urls = ask(EXPORTS, project="exports", run="long")["run"]["parquetHistory"]["parquetUrls"]
    files = run_concurrently(get, urls)
    columns = None if keys is None else ["_step", *keys]
    frame = pl.concat([pl.read_parquet(io.BytesIO(file), columns=columns) for file in files])
    return framed(frame, "_step")


def files(run: str) -> Callable[[], Reading]:
    """Return the download of all files of a run; listing them is not timed."""
    folder = Path(FOLDER)
    folder.mkdir()
    found = ask(LIST_RUN_FILES, project="files", run=run, names=[], first=5_000, after=None)["run"]["files"]
    nodes = [edge["node"] for edge in found["edges"]]

    def fetch(node: Any) -> str:
        content = get(node["directUrl"])
        assert base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode() == node["md5"]
        (folder / node["name"]).write_bytes(content)
        name: str = node["name"]
        return name

    return lambda: (run_concurrently(fetch, nodes), lambda: values.of_folder(FOLDER))


TASKS: dict[str, Callable[[], Reading]] = {
    "list": lambda: list_runs("runs"),
    "list, tenth": lambda: list_runs("runs-tenth"),
    "list, hundredth": lambda: list_runs("runs-hundredth"),
    "histories": lambda: histories(None),
    "histories by keys": lambda: histories(KEYS),
    "scan": lambda: scan("long", 200_000),
    "scan, tenth": lambda: scan("tenth", 20_000),
    "scan, hundredth": lambda: scan("hundredth", 2_000),
    "exports": lambda: exports(None),
    "exports by keys": lambda: exports(KEYS),
    "sparse": sparse,
    "lazy": lambda: total(lazy=True),
    "collected": lambda: total(lazy=False),
}
PREPARED: dict[str, Callable[[], Callable[[], Reading]]] = {
    "large files": lambda: files("large"),
    "large files, one by one": lambda: files("large"),
    "small files": lambda: files("small"),
    "many files": lambda: files("many"),
}


def main() -> None:
    """Perform one task, and print the result."""
    task, *arguments = sys.argv[1:]
    measured = timed(PREPARED[task]() if task in PREPARED else TASKS[task])
    value, digest = measured.value
    size = value.estimated_size("mb") if isinstance(value, pl.DataFrame) else 0.0
    measured.result(size, f"{len(value)} {digest()}" if "digest" in arguments else "").print()


if __name__ == "__main__":
    main()
