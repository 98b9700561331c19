"""Running mypy, pyright, ty and pyrefly over files of a user, and what they say of each line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

ROOT = Path(__file__).parents[2]
PLACES = ("src", "generated")

MYPY_CACHE = ROOT / ".mypy_cache" / "typing" / os.environ.get("PYTEST_XDIST_WORKER", "alone")
"""A cache for each worker: where two mypy write one at the same time, it does not fit together."""

MYPY_LINE = re.compile(r"(?P<file>[^:]+):(?P<line>\d+): (?P<severity>\w+): (?P<text>.*)")
TY_LINE = re.compile(r"(?P<file>[^:]+):(?P<line>\d+):\d+: (?P<severity>\w+)\[(?P<text>.*)")
REVEALED = re.compile(r'(?:Revealed type is|Type of ".*" is) "(?P<type>.*)"', re.DOTALL)


@dataclass(frozen=True)
class Remark:
    """What a checker says of one line.

    Attributes:
        file: the file's name.
        line: counted from 1.
        is_error: whether it is more than a piece of information.
        text: its words.
    """

    file: str
    line: int
    is_error: bool
    text: str

    @property
    def revealed(self) -> str | None:
        """The type that a `reveal_type` shows, None for any other remark."""
        found = REVEALED.match(self.text)
        return found["type"] if found else None


class _Start(TypedDict):
    line: int


class _Range(TypedDict):
    start: _Start


class _Diagnostic(TypedDict):
    file: str
    severity: str
    message: str
    range: _Range


class _Report(TypedDict):
    generalDiagnostics: list[_Diagnostic]


def mypy(folder: Path) -> list[Remark]:
    """What mypy says of the files in a folder, strictly, as a user would run it."""
    command = [
        *(
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--no-error-summary",
            "--no-pretty",
            "--show-absolute-path",
        ),
        *(
            "--config-file",
            str(folder / "mypy.ini"),
            "--cache-dir",
            str(MYPY_CACHE),
            ".",
        ),
    ]
    sources = ":".join(str(ROOT / place) for place in PLACES)
    (folder / "mypy.ini").write_text(f"[mypy]\nmypy_path = {sources}\npython_version = 3.11\n")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    return list(_mypy_remarks(done.stdout))


def pyright(folder: Path) -> list[Remark]:
    """What pyright says of the files in a folder, in its strict mode."""
    settings: Mapping[str, object] = {
        "include": ["."],
        "extraPaths": [str(ROOT / place) for place in PLACES],
        "pythonVersion": "3.11",
        "typeCheckingMode": "strict",
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--project", ".", "--pythonpath", sys.executable, "--outputjson"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    report: _Report = json.loads(done.stdout)
    return [
        Remark(
            Path(each["file"]).name,
            each["range"]["start"]["line"] + 1,
            each["severity"] == "error",
            each["message"],
        )
        for each in report["generalDiagnostics"]
    ]


def ty(folder: Path) -> list[Remark]:
    """What ty says of the files in a folder."""
    extra = [argument for place in PLACES for argument in ("--extra-search-path", str(ROOT / place))]
    done = subprocess.run(
        [sys.executable, "-m", "ty", "check", "--output-format", "concise", "--python", sys.prefix, *extra],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    found = filter(None, map(TY_LINE.match, done.stdout.splitlines()))
    return [
        Remark(Path(each["file"]).name, int(each["line"]), each["severity"] == "error", each["text"])
        for each in found
    ]


class _PyreflyError(TypedDict):
    path: str
    line: int
    severity: str
    description: str


class _PyreflyReport(TypedDict):
    errors: list[_PyreflyError]


def pyrefly(folder: Path) -> list[Remark]:
    """What pyrefly says of the files in a folder."""
    places = json.dumps([str(ROOT / place) for place in PLACES])
    (folder / "pyrefly.toml").write_text(
        f'search-path = {places}\npython-interpreter-path = "{sys.executable}"\nproject-includes = ["*.py"]\n'
    )
    done = subprocess.run(
        [Path(sys.executable).with_name("pyrefly"), "check", "--output-format", "json"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    report: _PyreflyReport = json.loads(done.stdout)
    return [
        Remark(Path(each["path"]).name, each["line"], each["severity"] == "error", each["description"])
        for each in report["errors"]
    ]


def _mypy_remarks(output: str) -> Iterator[Remark]:
    for line in output.splitlines():
        found = MYPY_LINE.match(line)
        if found:
            name = Path(found["file"]).name
            yield Remark(name, int(found["line"]), found["severity"] == "error", found["text"])
