"""Calls of one library through fronts, each in a thread: prints what came of each as JSON.

Runs in the interpreter of an official SDK, or in ours: it imports neither the tests nor both libraries.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

Untyped = Any  # Any: one program drives several libraries


def api_at(library: str, url: str, key: str) -> Untyped:
    """Make the library's entry point."""
    if library == "runql":
        import runql

        return runql.Api(api_key=key, base_url=url, deadline=10.0)
    # One interpreter has one library.
    wandb: Untyped = import_module("wandb")

    # The key comes from the environment: given here, it would be checked with the server of the environment.
    return wandb.Api(overrides={"base_url": url})


def read_run(_api: Untyped, run: Untyped, path: str) -> object:
    found = _api.run(path)
    return [found.id, found.state, dict(found.config)]


def read_scan(_api: Untyped, run: Untyped, _path: str) -> object:
    return [[row["_step"], row["loss"]] for row in run.scan_history(keys=["_step", "loss"])]


def read_file(_api: Untyped, run: Untyped, _path: str) -> object:
    with (
        tempfile.TemporaryDirectory() as folder,
        run.file("notes.txt").download(folder, replace=True) as saved,
    ):
        return saved.read()


CALLS: dict[str, Callable[[Untyped, Untyped, str], object]] = {
    "run": read_run,
    "scan_history": read_scan,
    "file": read_file,
}


def measure(library: str, job: dict[str, str], key: str, path: str) -> dict[str, object]:
    """Read a run, start the fault, make the call."""
    api = api_at(library, job["url"], key)
    run = api.run(path)
    # The host is known, and the run's lazy parts are read.
    dict(run.summary)
    urllib.request.urlopen(f"{job['url']}/begin").read()
    # The official SDK keeps runs it has read.
    if hasattr(api, "flush"):
        api.flush()
    started = time.monotonic()
    try:
        value: object = CALLS[job["call"]](api, run, path)
        done: dict[str, object] = {"value": value}
    except Exception as error:  # noqa: BLE001 - whatever it is, is the outcome
        kind = type(error)
        done = {"error": f"{kind.__module__.split('.')[0]}.{kind.__name__}", "message": str(error)[:200]}
    return {**done, "seconds": time.monotonic() - started}


def main() -> None:
    """Measure all jobs at once, and stop at the limit."""
    order = json.loads(sys.stdin.read())
    found: dict[str, object] = {}

    def work(job: dict[str, str]) -> None:
        try:
            found[job["id"]] = measure(order["library"], job, order["key"], order["path"])
        except BaseException as error:  # noqa: BLE001 - the measuring process raises it
            found[job["id"]] = {"setup": f"{type(error).__name__}: {error}"[:300]}

    api_at(order["library"], order["jobs"][0]["url"], order["key"])
    threads = [threading.Thread(target=work, args=(job,), daemon=True) for job in order["jobs"]]
    for thread in threads:
        thread.start()
    ends = time.monotonic() + float(order["limit"])
    for thread in threads:
        thread.join(max(0.0, ends - time.monotonic()))
    Path(order["into"]).write_text(json.dumps(dict(found)), "utf-8")
    os._exit(0)


if __name__ == "__main__":
    main()
