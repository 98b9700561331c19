"""`python -m tests.installs.here [--keep FOLDER]`: try the wheel on this platform, with this Python and nothing else installed.

It needs neither make nor an environment, and it runs on Linux, macOS and Windows: the standard library alone is imported.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import tempfile
from collections.abc import Generator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Final

from tests.wheel import ROOT, Environment, Trial, check_demo, last_line

LOCK: Final = ROOT / ".ci" / "requirements" / "project.txt"
IMPORT_ALL: Final = """
import pkgutil, importlib
count = 0
for package in ("runql", "runql_server", "runql_graphql"):
    path = importlib.import_module(package).__path__
    for module in pkgutil.walk_packages(path, package + "."):
        if module.name.rpartition(".")[2] not in {"__main__", "_demo_script"}:
            importlib.import_module(module.name)
            count += 1
print(count, "modules")
"""
PORTABLE: Final = (
    "tests/platforms",
    "tests/unit/transport",
    "tests/unit/resources",
    "tests/unit/test_config.py",
    "tests/unit/test_config_files.py",
    "tests/unit/test_errors.py",
    "tests/unit/test_escaping.py",
    "tests/unit/test_filters.py",
    "tests/unit/test_frames.py",
    "tests/unit/test_paths.py",
    "tests/unit/test_times.py",
    "tests/property/test_file_names.py",
    "tests/property/test_frames.py",
    "tests/contract/artifacts/test_fetching.py",
    "tests/contract/test_files.py",
    "tests/contract/test_histories.py",
    "tests/contract/test_run.py",
    "tests/contract/test_run_frames.py",
    "tests/contract/test_runs.py",
    "tests/contract/test_scan.py",
    "tests/contract/test_unusable_names.py",
    "tests/server/test_data_directory.py",
    "tests/server/test_file_stream.py",
    "tests/server/test_graphql.py",
    "tests/cli/test_changing.py",
    "tests/cli/test_download.py",
    "tests/cli/test_ls.py",
    "tests/cli/test_show_history.py",
)
"""Tests that need no make, no shell, no git and no official SDK; the few that need POSIX are marked `posix`."""

ANOTHER_SERVER: Final = """
import subprocess, sys
from pathlib import Path
from tempfile import TemporaryDirectory
from runql_server.storage.lock import DataDirectoryError, DirectoryLock

OTHER = "import sys; from pathlib import Path; from runql_server.storage.lock import DirectoryLock; DirectoryLock(Path(sys.argv[1]))"
with TemporaryDirectory() as folder:
    lock = DirectoryLock(Path(folder))
    done = subprocess.run([sys.executable, "-c", OTHER, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "is in use by" in done.stderr, done.stderr
    lock.release()
    again = DirectoryLock(Path(folder))
    assert not again.after_crash
    again.release()
print("refused, then free")
"""
"""Two processes and one data directory: the lock is the operating system's, so each system tries its own."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Try everything and print the results."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.installs.here", description="Try the wheel on this platform, with this Python."
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="work in this new folder, and leave it")
    parser.add_argument(
        "tests", nargs="*", default=PORTABLE, help="tests to run (by default the portable ones)"
    )
    chosen = parser.parse_args(arguments)
    print(
        f"{platform.python_implementation()} {platform.python_version()} on {platform.platform()}", flush=True
    )
    with working_folder(chosen.keep) as folder:
        trial = Trial(folder)
        environment, wheel = install(trial)
        for name, attempt in {
            "every module is imported": lambda: trial.run(environment.python, "-c", IMPORT_ALL).strip(),
            "a data directory belongs to one process": lambda: environment.run(ANOTHER_SERVER).strip(),
            "the command starts": lambda: environment.run_program("runql", "--version").strip(),
            "the demo reads real runs": lambda: check_demo(environment),
            "the portable tests pass": lambda: run_tests(environment, chosen.tests),
        }.items():
            trial.try_out(name, attempt)
    print(f"here: {len(trial.passed)} passed, {len(trial.failed)} failed, {wheel.name}")
    if trial.failed:
        raise SystemExit(1)


@contextlib.contextmanager
def working_folder(kept: Path | None) -> Generator[Path]:
    """Give the folder to work in; one of its own is removed, as far as the system lets it."""
    if kept is not None:
        kept.mkdir(parents=True)
        yield kept.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="runql-here-", ignore_cleanup_errors=True) as folder:
        yield Path(folder).resolve()


def install(trial: Trial) -> tuple[Environment, Path]:
    """Make an environment of the locked files, build the wheel there, and install it."""
    started = perf_counter()
    environment = Environment.create(trial, "environment")
    pip = ("pip", "--quiet", "--disable-pip-version-check", "--retries", "8")
    environment.run_module(*pip, "install", "--require-hashes", "--requirement", LOCK)
    target = trial.folder / "dist"
    environment.run_module(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", target, ROOT)
    [wheel] = target.glob("runql-*.whl")
    environment.run_module(*pip, "install", "--no-deps", wheel)
    print(f"installed {LOCK.name} and {wheel.name} in {perf_counter() - started:.0f} s", flush=True)
    return environment, wheel


def run_tests(environment: Environment, tests: Sequence[str]) -> str:
    """Run tests of this tree on the installed wheel; `src` is never on the path."""
    if os.name == "nt":
        tests = (*tests, "tests/platforms/on_windows.py")
    environ = {"PYTHONSAFEPATH": ""}
    chosen = ("-q", "-p", "no:cacheprovider", "-m", "not oracle and not live and not bench", *tests)
    return last_line(environment.run_module("pytest", *chosen, folder=ROOT, environ=environ))


if __name__ == "__main__":
    main()
