"""Reads the Dockerfile, and carries out its steps without an engine: each path of the image lies below a folder."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
DOCKERFILE: Final = ROOT / "Dockerfile"
IGNORED: Final = ROOT / ".dockerignore"
ROOTS_OWN: Final = ("useradd ", "install --directory --owner ")
"""Steps for root in an image, which are not carried out."""


@dataclass(frozen=True)
class Instruction:
    """A line of the Dockerfile: ``RUN`` and what follows it."""

    name: str
    rest: str


def instructions() -> list[Instruction]:
    """The lines of the Dockerfile, in their order."""
    text = DOCKERFILE.read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [Instruction(*line.split(maxsplit=1)) for line in lines]


def only(name: str) -> str:
    """What follows the one instruction of this name."""
    [rest] = [each.rest for each in instructions() if each.name == name]
    return rest


def entrypoint() -> list[str]:
    """The words of the entry point."""
    words: list[str] = json.loads(only("ENTRYPOINT"))
    return words


def health_check() -> list[str]:
    """The words of the health check."""
    words: list[str] = json.loads(only("HEALTHCHECK").partition(" CMD ")[2])
    return words


def is_sent(path: str) -> bool:
    """Whether the context of the build holds a path: the last pattern that it, or a folder of it, matches decides."""
    sent = True
    for line in IGNORED.read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        pattern = line.removeprefix("!")
        parts = path.split("/")
        prefixes = ["/".join(parts[: size + 1]) for size in range(len(parts))]
        if any(_matches(prefix, pattern) for prefix in prefixes):
            sent = line.startswith("!")
    return sent


def _matches(path: str, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatch.fnmatchcase(path.rpartition("/")[2], pattern[3:])
    return path.count("/") == pattern.count("/") and fnmatch.fnmatchcase(path, pattern)


def build(image: Path, *, environ: dict[str, str]) -> list[str]:
    """Carry out the steps that need no root below a folder; gives the commands that ran."""
    ran: list[str] = []
    working = image
    for each in instructions():
        if each.name == "WORKDIR":
            working = image / each.rest.lstrip("/")
            working.mkdir(parents=True, exist_ok=True)
        elif each.name == "COPY" and not each.rest.startswith("--from="):
            *sources, target = each.rest.split()
            for source in sources:
                _copy(source, working / target, into=target.endswith("/"))
        elif each.name == "RUN" and not each.rest.startswith(ROOTS_OWN):
            command = re.sub(r"(?<![\w.])/(opt|source|data)\b", f"{image}/\\1", each.rest)
            command = re.sub(r"^python ", f"{sys.executable} ", command)
            done = subprocess.run(
                ["sh", "-ec", command], cwd=working, env=environ, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
            ran.append(each.rest)
    return ran


def _copy(source: str, target: Path, *, into: bool) -> None:
    if (ROOT / source).is_file():
        target.mkdir(parents=True, exist_ok=True)
        assert into
        assert is_sent(source), source
        shutil.copyfile(ROOT / source, target / Path(source).name)
        return
    for folder, _, names in os.walk(ROOT / source):
        for name in names:
            path = Path(folder, name).relative_to(ROOT).as_posix()
            if is_sent(path):
                placed = target / Path(path).relative_to(source)
                placed.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / path, placed)


def started(words: Sequence[str], *, port: int, data: Path) -> list[str]:
    """The words of the entry point or the health check with a port and a folder of this machine."""
    changed = {"8080": str(port), "/data": str(data)}
    return [changed.get(word, word.replace(":8080/", f":{port}/")) for word in words]
