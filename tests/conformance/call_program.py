"""Run by each library's interpreter: make the calls that are named on standard input, and answer each by two lines of JSON.

`python -m tests.conformance.call_program wandb|runql|runql-awaited`. The first line says that the subjects are there; then a
line is awaited, and the second one holds the answers. So the other side can tell what was sent for the call itself.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from functools import partial
from typing import TextIO

from tests.conformance.calls.call import Call
from tests.conformance.calls.every import CALLS
from tests.conformance.library import Library, entered
from tests.conformance.plain_values import Json, attempt


def main() -> None:
    """Answer until there is no further line."""
    answers = _only_for_answers()
    with entered(sys.argv[1]) as library:
        while name := sys.stdin.readline().strip():
            _answer(CALLS[name], library, answers)
            library.close()


def _answer(call: Call, library: Library, answers: TextIO) -> None:
    try:
        subjects = dict(call.subjects(library))
    except Exception:  # noqa: BLE001 - told to the other side, which fails
        _tell(answers, {"failed": traceback.format_exc()})
        return
    _tell(answers, {"ready": len(subjects)})
    sys.stdin.readline()
    _tell(answers, {label: attempt(partial(call.action, subject)) for label, subject in subjects.items()})


def _tell(answers: TextIO, told: Json) -> None:
    answers.write(json.dumps(told) + "\n")
    answers.flush()


def _only_for_answers() -> TextIO:
    """Standard output, which no message of a library can reach from here on."""
    kept = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return kept


if __name__ == "__main__":
    main()
