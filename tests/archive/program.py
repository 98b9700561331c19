"""A process that exports, imports and copies in forked children, which a test kills.

A line is `{"call": …}`; back come the id of the child and its code. With `{"dies_in": "module:name:n"}` a child kills
itself within the n-th call of that function; with `{"room": n}` no file becomes larger than n bytes, as on a full disk,
and the code is `FULL` where runql says so.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from typing import Any

import runql
from runql.cli.main import main as run_command
from runql.transport.files.part_file import PartFile

FULL = 28

# Imported once, before the forks.
for _name in ("archive.calls", "archive.exporting", "archive.importing.project", "cli.commands"):
    import_module(f"runql.{_name}")


def work(call: dict[str, str]) -> None:
    """Do one call."""
    if "dies_in" in call:
        die_in(*call["dies_in"].split(":"))
    if "room" in call:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(call["room"]), resource.RLIM_INFINITY))
    if call["call"] == "copy":
        os.environ |= {"WANDB_BASE_URL": call["source"], "WANDB_API_KEY": call["source_key"]}
        os.environ |= {"RUNQL_TO_API_KEY": call["key"]}
        sys.argv = ["runql", "copy", call["source_path"], call["path"], "--to", call["url"]]
        sys.argv += ["--dir", call["folder"], "--files", "--artifacts"]
        run_command()
        return
    with runql.Api(base_url=call["url"], api_key=call["key"]) as api:
        if call["call"] == "export":
            api.project(call["path"]).export(call["folder"], files=True, artifacts=True, progress=False)
        else:
            api.import_project(call["folder"], call["path"], progress=False)


def die_in(module: str, name: str, number: str) -> None:
    """Kill this process within a call of a function: a write leaves half of its bytes, any other function is not begun."""
    owner: Any = import_module(module)  # Any: a module or a class, whose function is replaced
    *outer, last = name.split(".")
    for part in outer:
        owner = getattr(owner, part)
    usual: Callable[..., Any] = getattr(owner, last)
    count = itertools.count(1)

    def dying(*given: Any, **named: Any) -> Any:  # Any: as the function
        if next(count) == int(number):
            if usual is PartFile.write:
                part, chunk = given
                part.file.write(chunk[: len(chunk) // 2])
                part.file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        return usual(*given, **named)

    setattr(owner, last, dying)


def main() -> None:
    """Read calls; say the id of each child, then its code."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                # The first line lets the parent name this process to the front.
                sys.stdin.readline()
                work(json.loads(line))
                code = 0
            except runql.LocalFileError:
                code = FULL
            except SystemExit as ended:
                code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
            except BaseException:  # noqa: BLE001 - the test reads it on stderr
                traceback.print_exc()
            finally:
                os._exit(code)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
