"""A process that exports and imports in forked children, which a test kills: `{"call": …}` a line, ids and codes back."""

from __future__ import annotations

import json
import os
import sys
import traceback
from importlib import import_module

import runql

# Imported once, before the forks.
for _name in ("calls", "exporting", "importing.project"):
    import_module(f"runql.archive.{_name}")


def work(call: dict[str, str]) -> None:
    """Do one call."""
    with runql.Api(base_url=call["url"], api_key=call["key"]) as api:
        if call["call"] == "export":
            api.project(call["path"]).export(call["folder"], files=True, artifacts=True, progress=False)
        else:
            api.import_project(call["folder"], call["path"], progress=False)


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
            except BaseException:  # noqa: BLE001 - the test reads it on stderr
                traceback.print_exc()
            finally:
                os._exit(code)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
