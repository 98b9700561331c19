"""A program for each library's interpreter: makes the calls named on stdin, and writes two lines of JSON for each.

`python -m tests.conformance.call_program wandb|runql|runql-awaited`. The first line reports the loaded subjects. Then
the program waits for a line, and the second line holds the results. So the parent can count the call's own requests.
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
    """Process calls until stdin ends."""
    answers = _only_for_answers()
    with entered(sys.argv[1]) as library:
        while name := sys.stdin.readline().strip():
            _answer(CALLS[name], library, answers)
            library.close()


def _answer(call: Call, library: Library, answers: TextIO) -> None:
    try:
        subjects = dict(call.subjects(library))
    except Exception:  # noqa: BLE001 - the other side reports it
        _send(answers, {"failed": traceback.format_exc()})
        return
    _send(answers, {"ready": len(subjects)})
    sys.stdin.readline()
    _send(answers, {label: attempt(partial(call.action, subject)) for label, subject in subjects.items()})


def _send(answers: TextIO, message: Json) -> None:
    answers.write(json.dumps(message) + "\n")
    answers.flush()


def _only_for_answers() -> TextIO:
    """Return stdout for results only, and redirect messages of libraries to stderr."""
    kept = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return kept


if __name__ == "__main__":
    main()
