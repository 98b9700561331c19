"""README's commands on the installed wheel, with `cli` and one extra beside it, and what each other extra adds to them."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.wheel import ROOT, Trial, WheelError, expect

from runql import Api

SECTION: Final = "From the shell"
BESIDE_CLI: Final = ("", "polars", "arrow", "pages", "plot", "drift", "server")
"""Extras that add to the command; each is tried alone."""

NEEDING: Final[Mapping[str, tuple[str, ...]]] = {
    "runql history local/digits/mlp06 --key train/loss -o loss.parquet": ("polars", "arrow"),
    "runql ls local/digits --columns 'id,config.*,summary.*' -o runs.arrow": ("polars", "arrow"),
    "runql plot local/digits/mlp06 --key train/loss -o loss.html": ("pages",),
    "runql plot local/digits/mlp06 --key train/loss -o loss.svg": ("plot",),
    "runql plot local/digits/mlp06 --key train/loss -o loss.png": ("plot",),
    "runql drift --url $WANDB_BASE_URL": ("drift", "server"),
    "runql serve --new-key me --data-dir keys": ("server",),
}
"""Commands that `cli` alone does not run, and the extras of which one is enough. Without them the first is named."""


def readme_lines() -> tuple[str, str, list[str]]:
    """The lines of README's section: the install, the server, and the commands against it."""
    text = (ROOT / "README.md").read_text("utf-8")
    section = text.partition(f"## {SECTION}\n")[2].partition("\n## ")[0]
    install, serve, *lines = section.partition("```sh\n")[2].partition("```")[0].splitlines()
    verbs = {shlex.split(line)[1] for line in lines}
    missing = {"ls", "show", "history", "diff", "plot", "tag", "download"} - verbs
    if missing:
        raise WheelError(f"README shows no {', '.join(sorted(missing))}")
    return install, serve, lines


@contextmanager
def served(
    trial: Trial, command: Sequence[str | Path], serve: str, folder: Path
) -> Generator[dict[str, str]]:
    """Run README's server on a free port while the block runs; yield the variables that it says to export."""
    folder.mkdir(exist_ok=True)
    with subprocess.Popen(
        [*command, *shlex.split(serve, comments=True)[1:], "--port", "0"],
        cwd=folder,
        env={**trial.environ(), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            exports: dict[str, str] = {}
            while len(exports) < 2:
                line = server.stdout.readline() if server.stdout else ""
                if not line:
                    raise WheelError("the server ended")
                exports.update(re.findall(r"export (\w+)=(\S+)", line))
            yield exports
        finally:
            server.terminate()


class Ending:
    """Runs a line as a shell does, and checks how it ends."""

    def __init__(self, trial: Trial, runql: Path, folder: Path, exports: Mapping[str, str]) -> None:
        self._runql = runql
        self._folder = folder
        self._environ = {**trial.environ(), **exports}

    def __call__(self, line: str, code: int) -> subprocess.CompletedProcess[str]:
        """Run it; fail with what it said where it ends otherwise, or in a traceback."""
        words = shlex.split(line.replace("$WANDB_BASE_URL", self._environ["WANDB_BASE_URL"]), comments=True)
        done = subprocess.run(
            [self._runql, *words[1:]],
            cwd=self._folder,
            env=self._environ,
            capture_output=True,
            text=True,
            check=False,
        )
        expect(done.returncode == code, f"{line} ended with {done.returncode}: {done.stdout}{done.stderr}")
        expect("Traceback" not in done.stderr, f"{line}: {done.stderr}")
        return done


def try_commands(
    trial: Trial, runql: Path, extras: Collection[str], exports: Mapping[str, str], lines: Sequence[str]
) -> str:
    """Every line of README works; a line of `NEEDING` works, or names the extra that is missing and leaves nothing."""
    folder = trial.folder / "-".join(["shell", *extras])
    folder.mkdir()
    end = Ending(trial, runql, folder, exports)
    for line in lines:
        said = end(line, 0).stdout
        expect(bool(said) != (" -o " in line), f"{line}: {said!r}")
        if re.match(r"runql tag ", line):
            check_tag(end, line, exports)
    expect(len((folder / "loss.csv").read_text().splitlines()) > 100, "loss.csv has few rows")
    expect((folder / "model" / "model.json").exists(), "there is no model")
    for line, needed in NEEDING.items():
        before = {*folder.iterdir()}
        if {*needed} & {*extras}:
            end(line, 0)
            expect({*folder.iterdir()} > before or " -o " not in line, f"{line} wrote nothing")
        else:
            said = end(line, 2).stderr
            expect(f"runql[{needed[0]}]" in said, f"{line}: {said!r} does not name {needed[0]}")
            expect({*folder.iterdir()} == before, f"{line} left { ({*folder.iterdir()} - before) }")
    more = sum(not {*needed}.isdisjoint(extras) for needed in NEEDING.values())
    return f"{len(lines)} commands of README, {more} more"


def check_tag(end: Ending, line: str, exports: Mapping[str, str]) -> None:
    """The line changed nothing; with `--yes` it does."""
    project, tag = shlex.split(line, comments=True)[2:4]

    def tagged() -> int:
        with Api(base_url=exports["WANDB_BASE_URL"], api_key=exports["WANDB_API_KEY"]) as api:
            return len(api.runs(project, {"tags": tag}))

    expect(tagged() == 0, "tag changed runs without --yes")
    end(line.partition("#")[0] + " --yes", 0)
    expect(tagged() > 0, "tag changed no run with --yes")
    end(f"""runql untag {project} {tag} --filter '"{tag}" in tags' --yes""", 0)
    expect(tagged() == 0, "untag left tags")
