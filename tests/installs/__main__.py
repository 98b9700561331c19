"""`python -m tests.installs [WORD]`: try the wheel with the lowest versions, each extra, httpx2 and each Python; or what has WORD in its name."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Final

from tests.installs.here import IMPORT_ALL
from tests.installs.shell import BESIDE_CLI, readme_lines, served, try_commands
from tests.wheel import CONSTRAINTS, ROOT, Trial, WheelError, build, last_line

from runql_server.sample import start

FLOORS: Final = ROOT / ".ci" / "requirements" / "floors.txt"
SWITCH: Final = ROOT / "tests" / "installs" / "over_httpx2.py"
FEATURES: Final = ROOT / "tests" / "installs" / "features.py"
PYPROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
EXTRAS: Final[Mapping[str, list[str]]] = PYPROJECT["project"]["optional-dependencies"]
PYENV: Final = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
OLDEST: Final = "3.11"
TOOLS: Final = ("pytest", "pytest-xdist", "pytest-recording", "hypothesis", "orjson", "trustme", "trio")
"""What the tests below import beside the wheel."""

FLOOR_TESTS: Final = (
    "tests/unit",
    "tests/property/test_frames.py",
    "tests/contract/artifacts/test_fetching.py",
    "tests/contract/test_frame_schemas.py",
    "tests/contract/test_run_frames.py",
    "tests/contract/test_scan.py",
    "tests/server/test_graphql.py",
    "--ignore=tests/unit/codegen",
    # Old typer with new click: what the user sees are no warnings.
    "-W",
    "ignore::DeprecationWarning:click",
    "-W",
    "ignore::DeprecationWarning:typer",
)
HTTPX2_TESTS: Final = (
    "tests/unit/transport",
    "tests/security",
    "tests/faults/test_deadlines.py",
    "tests/faults/test_doubled_responses.py",
    "tests/faults/test_failed_downloads.py",
    "tests/contract/test_event_loops.py",
    "tests/contract/test_observation.py",
    "tests/contract/test_processes.py",
    "tests/contract/test_response_limits.py",
    "tests/contract/test_run.py",
    "tests/contract/test_scan.py",
    "tests/contract/test_uploads.py",
)
RAY_TESTS: Final = (
    "tests/contract/test_ray.py",
    # Ray does not wait for its own processes when Python ends.
    "-W",
    "ignore::ResourceWarning",
)
PYTHON_TESTS: Final = (
    "tests/unit/transport",
    "tests/unit/test_errors.py",
    "tests/unit/test_config_files.py",
    "tests/contract/test_scan.py",
    "tests/contract/test_run.py",
)


def main() -> None:
    """Try everything and print the results."""
    with tempfile.TemporaryDirectory(prefix="runql-installs-") as folder, start() as sample:
        trial = Trial(Path(folder))
        server = {"WANDB_BASE_URL": sample.url, "WANDB_API_KEY": sample.api_key}
        wheel = build(trial)
        attempts: dict[str, Callable[[], str | None]] = {
            "the lowest versions": partial(try_floors, trial, wheel),
            "httpx2 in the place of httpx": partial(try_httpx2, trial, wheel),
            "ray with a worker that is killed, newest version": partial(try_ray, trial, wheel, "newest"),
            "ray with a worker that is killed, lowest version": partial(try_ray, trial, wheel, "lowest"),
        }
        for extra in ("", *(name for name in EXTRAS if name != "all")):
            for kind, constraints in (("newest", CONSTRAINTS), ("lowest", FLOORS)):
                if extra == "codegen" and constraints == FLOORS:
                    continue  # ariadne-codegen asks for newer httpx and graphql-core, so its users have no lowest ones
                name = f"{extra or 'no extra'} alone, {kind} versions"
                attempts[name] = partial(try_extra, trial, wheel, extra, constraints, server)
        install, serve, lines = readme_lines()
        named = install.partition("[")[2].partition("]")[0].split(",")
        for extras in (named, *(["cli", extra] if extra else ["cli"] for extra in BESIDE_CLI)):
            attempts[f"README's commands with {', '.join(extras)}"] = partial(
                try_shell, trial, wheel, extras, serve, lines
            )
        for version in pythons():
            attempts[f"Python {version}, every extra"] = partial(try_python, trial, wheel, version)
        word = " ".join(sys.argv[1:])
        attempts = {name: attempt for name, attempt in attempts.items() if word in name}
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            list(pool.map(partial(timed, trial), attempts.keys(), attempts.values()))
    print(f"installs: {len(trial.passed)} passed, {len(trial.failed)} failed")
    if trial.failed:
        raise SystemExit(1)


def timed(trial: Trial, name: str, attempt: Callable[[], str | None]) -> None:
    """Try something out; the output says how long it took."""
    started = perf_counter()
    trial.try_out(name, lambda: f"{attempt() or ''} in {perf_counter() - started:.0f} s")


def pythons() -> list[str]:
    """The Pythons besides the oldest that start here; one line for each that does not."""
    named = re.findall(r"Python :: (3\.\d+)$", "\n".join(PYPROJECT["project"]["classifiers"]), re.MULTILINE)
    found: list[str] = []
    for version in named:
        if version == OLDEST:
            continue
        if interpreter(version) is None:
            print(f"skipped: no Python {version} here", flush=True)
        else:
            found.append(version)
    return found


def interpreter(version: str) -> Path | None:
    """The interpreter of a version, if there is one that really starts: a shim of pyenv may not."""
    paths = [shutil.which(f"python{version}"), *sorted(PYENV.glob(f"{version}.*/bin/python"), reverse=True)]
    for path in paths:
        if path is not None and version_of(path) == version:
            return Path(path)
    return None


def version_of(python: str | Path) -> str:
    """What an interpreter says it is; nothing where it does not start, or lacks what runql needs."""
    asked = "import sys, ssl, sqlite3, venv; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([python, "-c", asked], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()


def uv() -> tuple[str, ...]:
    """The command that installs: it takes each file from its cache, so that many environments cost little."""
    return (sys.executable, "-m", "uv", "--quiet")


def environment(trial: Trial, name: str, python: Path | str, *requirements: str | Path) -> Path:
    """Make an environment, install into it, and give its interpreter."""
    path = trial.folder / name
    cache = {name: os.environ[name] for name in ("UV_CACHE_DIR",) if name in os.environ}
    cache.setdefault("UV_CACHE_DIR", str(Path.home() / ".cache" / "uv"))
    trial.run(*uv(), "venv", "--no-project", "--python", python, path, environ=cache)
    inside = path / "bin" / "python"
    trial.run(*uv(), "pip", "install", "--python", inside, *requirements, environ=cache)
    return inside


def try_floors(trial: Trial, wheel: Path) -> str:
    """Every minimum of pyproject.toml at once."""
    python = environment(trial, "floors", sys.executable, "--require-hashes", "--requirement", FLOORS)
    trial.run(*uv(), "pip", "install", "--no-deps", "--python", python, wheel)
    modules = trial.run(python, "-c", IMPORT_ALL).strip()
    for command in ("ls", "show", "history", "serve", "demo", "drift"):
        trial.run(python.parent / "runql", command, "--help")
    return f"{modules}; {tests(trial, python, *FLOOR_TESTS)}"


def try_httpx2(trial: Trial, wheel: Path) -> str:
    """The library that continues httpx, in an environment without httpx: docs/decisions/0060-one-module-imports-httpx.md."""
    every = f"runql[all] @ {wheel.as_uri()}"
    more = ("httpx2", "opentelemetry-sdk")
    python = environment(trial, "httpx2", sys.executable, "--constraint", CONSTRAINTS, every, *TOOLS, *more)
    trial.run(*uv(), "pip", "uninstall", "--python", python, "httpx", "httpcore")
    packages = Path(trial.run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    shutil.copy(SWITCH, packages)
    (packages / f"{SWITCH.stem}.pth").write_text(f"import {SWITCH.stem}\n", "utf-8")
    asked = "import httpx, httpcore; print(httpx.Client.__module__, httpcore.ConnectionPool.__module__, httpx.__version__)"
    found = trial.run(python, "-c", asked).strip()
    if not found.startswith("httpx2 httpcore2 "):
        raise WheelError(f"runql would not use httpx2: {found}")
    return f"{found}; {tests(trial, python, *HTTPX2_TESTS)}"


def try_ray(trial: Trial, wheel: Path, kind: str) -> str:
    """Worker processes of ray, which is too large for the project's own environment."""
    [bound] = re.findall(r"ray\[data\]>=([\d.]+)", " ".join(EXTRAS["ray"]))
    chosen = (f"ray=={bound}.0",) if kind == "lowest" else ()
    every = f"runql[all,ray] @ {wheel.as_uri()}"
    python = environment(
        trial, f"ray-{kind}", sys.executable, "--constraint", CONSTRAINTS, every, *TOOLS, *chosen
    )
    version = trial.run(python, "-c", "import ray; print(ray.__version__)").strip()
    said = tests(trial, python, *RAY_TESTS)
    if "skipped" in said:
        raise WheelError(f"ray {version}: {said}")
    return f"{version}; {said}"


def try_python(trial: Trial, wheel: Path, version: str) -> str:
    """The newest versions on another Python, with every extra."""
    found = interpreter(version)
    if found is None:
        raise WheelError(f"Python {version} is gone")
    every = f"runql[all] @ {wheel.as_uri()}"
    python = environment(trial, version, found, "--constraint", CONSTRAINTS, every, *TOOLS)
    return f"{trial.run(python, '-c', IMPORT_ALL).strip()}; {tests(trial, python, *PYTHON_TESTS)}"


def try_extra(trial: Trial, wheel: Path, extra: str, constraints: Path, server: Mapping[str, str]) -> str:
    """One extra and nothing else: it works, and the others are named."""
    named = f"runql[{extra}]" if extra else "runql"
    python = environment(
        trial,
        f"{extra or 'bare'}-{constraints.stem}",
        sys.executable,
        "--constraint",
        unhashed(trial, constraints),
        f"{named} @ {wheel.as_uri()}",
    )
    return last_line(trial.run(python, FEATURES, *sorted(holds(extra)), environ=server))


def try_shell(trial: Trial, wheel: Path, extras: Sequence[str], serve: str, lines: Sequence[str]) -> str:
    """README's section "From the shell" with these extras, against a server of its own."""
    name = "-".join(["command", *extras])
    named = f"runql[{','.join(extras)}] @ {wheel.as_uri()}"
    python = environment(trial, name, sys.executable, "--constraint", CONSTRAINTS, named)
    runql = python.parent / "runql"
    # This tree's own server, where the extra is not there.
    server = [runql] if "server" in extras else [sys.executable, "-m", "runql.cli.main"]
    with served(trial, server, serve, trial.folder / f"served-{name}") as exports:
        return try_commands(trial, runql, extras, exports, lines)


def holds(extra: str) -> set[str]:
    """An extra and the extras that it brings."""
    if not extra:
        return set()
    brought = [each for entry in EXTRAS[extra] for each in re.findall(r"runql\[([\w,]+)\]", entry)]
    return {extra}.union(*(holds(name) for each in brought for name in each.split(",")))


def unhashed(trial: Trial, lock: Path) -> Path:
    """The versions of a lock as constraints: a wheel of this tree has no hash there, and uv then wants one."""
    target = trial.folder / f"{lock.stem}.constraints"
    versions = re.findall(r"^[A-Za-z0-9._-]+==[^\s;\\]+", lock.read_text("utf-8"), re.MULTILINE)
    target.write_text("\n".join(versions) + "\n", "utf-8")
    return target


def tests(trial: Trial, python: Path, *arguments: str) -> str:
    """Run tests of this tree on an installed wheel; what the tests import from `src` is never on the path."""
    environ = {"PATH": os.environ["PATH"], "PYTHONSAFEPATH": ""}
    done = trial.run(
        python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments, environ=environ, folder=ROOT
    )
    return last_line(done)


if __name__ == "__main__":
    main()
