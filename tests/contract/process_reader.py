"""A program that reads runs in several processes, as users write it, and prints the results.

Each case prints one JSON object: the number of read runs, and the number of responses about another run.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from runql import Api, AsyncApi

WORKERS = 8

api: Api | None = None
awaited_api: AsyncApi | None = None


def opened() -> Api:
    """Return the parent's entry point in a forked process, a new one in any other."""
    global api  # noqa: PLW0603 - as programs do it
    api = api or Api()
    return api


def opened_awaited() -> AsyncApi:
    """As `opened`, for the async client."""
    global awaited_api  # noqa: PLW0603 - as above
    awaited_api = awaited_api or AsyncApi()
    return awaited_api


def read(path: str) -> tuple[str, str]:
    """Return the requested path, and the path in the run's config."""
    return path, str(opened().run(path).config["path"])


def read_awaited(path: str) -> tuple[str, str]:
    """As `read`, for the async client."""

    async def reading() -> tuple[str, str]:
        run = await opened_awaited().run(path)
        return path, str(run.config["path"])

    return asyncio.run(reading())


def by_pool(method: str, paths: Sequence[str]) -> list[tuple[str, str]]:
    """Read by a `multiprocessing.Pool`."""
    with multiprocessing.get_context(method).Pool(WORKERS) as pool:
        return pool.map(read, paths, chunksize=1)


def by_awaited_pool(method: str, paths: Sequence[str]) -> list[tuple[str, str]]:
    """As `by_pool`, with an async client in each process."""
    with multiprocessing.get_context(method).Pool(WORKERS) as pool:
        return pool.map(read_awaited, paths, chunksize=1)


def by_executor(method: str, paths: Sequence[str]) -> list[tuple[str, str]]:
    """Read by a `ProcessPoolExecutor`."""
    with ProcessPoolExecutor(WORKERS, mp_context=multiprocessing.get_context(method)) as pool:
        return list(pool.map(read, paths))


CASES = {"pool": by_pool, "awaited pool": by_awaited_pool, "executor": by_executor}


def main() -> None:
    """Open connections, read in other processes, and read in this one again."""
    case, method, *paths = sys.argv[1:]
    before = [read(path) for path in paths[:3]]
    if case == "awaited pool":
        before += [read_awaited(path) for path in paths[:3]]
    pairs = CASES[case](method, paths)
    after = [read(path) for path in paths[:3]]
    wrong = [pair for pair in (*before, *pairs, *after) if pair[0] != pair[1]]
    print(json.dumps({"read": len(pairs), "wrong": len(wrong)}))


if __name__ == "__main__":
    main()
