"""`python -m tests.wheel`: build the wheel and try it in a clean environment, first bare, then with every extra."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import venv
import zipfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from email import message_from_string
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parents[1]
CONSTRAINTS = ROOT / "constraints.txt"
APP = ROOT / "tests" / "typing" / "app"
APP_CHECKS: Mapping[str, tuple[str, ...]] = {
    "mypy": ("mypy",),
    "pyright": ("pyright",),
    "pytest": ("pytest", "-q"),
}

# The bound: at most two thirds of what the newest official SDK takes.
IMPORT_RATIO = 2 / 3
ROUNDS = 7

AT_ONCE = 2
"""Environments that are tried at the same time."""

# Windows starts no Python without the folder of its system.
KEPT = ("PATH", "LANG", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "COMSPEC", "PATHEXT")

SHIPPED = {"runql", "runql_codegen", "runql_graphql", "runql_server"}
NEEDED = {
    "runql/drift/operations/senders.toml",
    "runql/py.typed",
    "runql_graphql/py.typed",
    "runql_server/py.typed",
    "runql_graphql/wandb.graphql",
}

TIMED_IMPORT = """
import sys, time
started = time.perf_counter()
import {module}
print(time.perf_counter() - started)
"""

WITHOUT_A_KEY = """
import runql
try:
    runql.Api()
except runql.MissingCredentialsError as error:
    assert "WANDB_API_KEY" in str(error), error
else:
    raise SystemExit("no key, and no error")
"""

WITHOUT_PANDAS = """
import runql
from runql.resources.runs.histories.formats import sample_format
for library in ("pandas", "polars"):
    try:
        sample_format(library, ())
    except runql.MissingExtraError as error:
        assert f"runql[{library}]" in str(error), error
    else:
        raise SystemExit(f"{library} is here")
"""

TEAM_QUERY = """
query Mine($run: String!) {
  project(name: "p") {
    run(name: $run) {
      state
    }
  }
}
"""

WITH_THE_SERVER = """
import math
from runql import Api
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

with RunningServer() as server:
    rows = [{"_step": step, "loss": 1 / (step + 1)} for step in range(20)] + [{"_step": 20, "loss": math.nan}]
    [run_id] = server.seed("smoke", [SeedRun(history=rows)])
    with Api(api_key=server.api_key, base_url=server.url) as api:
        [run] = api.runs(f"{server.entity}/smoke")
        assert run.id == run_id
        frame = run.scan_history().to_polars()
        assert frame.height == 21 and math.isnan(frame["loss"][-1]), frame
        assert api.runs(f"{server.entity}/smoke").histories(format="polars")["loss"][0] == 1.0
        assert len(run.history()) == 21
"""


WITH_THE_SERVER_ALONE = """
from urllib.request import urlopen
from runql_server.running import RunningServer

with RunningServer() as server:
    assert urlopen(f"{server.url}/healthz").status == 200
"""


# A strict user's program, by the libraries that it reads frames with; each line with the attribute that it needs.
STRICT_PROGRAM = """
from runql import Api

def read(api: Api) -> None:
    runs = api.runs("entity/project")
    for row in runs.histories():
        print(row["run_id"])
    for row in runs[0].history(pandas=False):
        print(row["loss"])
    for row in runs.scan_histories(keys=["loss"], format="default").collect():
        print(row["loss"])
    print([row["loss"] for row in runs[0].scan_history(keys=["loss"])])
"""
STRICT_LINES = {
    "polars": """
    print(runs.histories(format="polars").height)
    print(runs.scan_histories(format="polars").collect().height)
    print(runs[0].scan_history().to_polars().height)
    print(runs.to_polars().height)
""",
    "pandas": """
    print(runs.histories(format="pandas").shape)
    print(runs.scan_histories(format="pandas").collect().shape)
    print(runs[0].history().shape)
    print(runs[0].scan_history().to_pandas().shape)
    print(runs.to_pandas().shape)
""",
    "arrow": """
    print(runs.scan_histories(format="arrow").collect().num_rows)
    print(runs[0].scan_history().to_arrow().num_rows)
    print(runs.to_arrow().num_rows)
""",
}
STUBS = {"polars": (), "pandas": ("pandas-stubs",), "arrow": ("pyarrow-stubs",)}


class WheelError(Exception):
    """The wheel is not what it should be."""


@dataclass
class Trial:
    """What is tried, and how much of it was.

    Attributes:
        folder: everything is made below it.
        passed: names of what held.
        failed: names of what did not.
    """

    folder: Path
    passed: list[str] = field(default_factory=list[str])
    failed: list[str] = field(default_factory=list[str])

    def try_out(self, name: str, attempt: Callable[[], str | None]) -> None:
        """Do one attempt; it raises where something does not hold, and may return what is worth telling."""
        try:
            said = attempt()
        except WheelError as error:
            self.failed.append(name)
            print(f"NOT {name}: {error}", flush=True)
        else:
            self.passed.append(name)
            print(f"ok  {name}{f': {said}' if said else ''}", flush=True)

    def environ(self) -> dict[str, str]:
        """An environment without a key, a settings file or our sources."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        pip = {
            name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_", "HTTPS_"))
        }
        return {**kept, **pip, "HOME": str(home), "USERPROFILE": str(home), "PYTHONSAFEPATH": "1"}

    def run(
        self, *command: str | Path, environ: Mapping[str, str] | None = None, folder: Path | None = None
    ) -> str:
        """Run a command outside the repository and give its output; a failure shows it."""
        done = subprocess.run(
            [str(part) for part in command],
            cwd=folder or self.folder,
            env={**self.environ(), **(environ or {})},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise WheelError(f"{command[0]} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done.stdout


@dataclass(frozen=True)
class Environment:
    """A virtual environment, and the folder that its commands run in.

    No other environment runs there: two mypy that share a cache, one with pandas and one without, may end with an error.

    Attributes:
        trial: what it is part of.
        path: the environment.
        folder: the working folder, empty at first.
    """

    trial: Trial
    path: Path
    folder: Path

    @classmethod
    def create(cls, trial: Trial, name: str) -> Environment:
        """A new one that holds pip alone."""
        environment = cls(trial, trial.folder / name, trial.folder / f"{name}-work")
        environment.folder.mkdir()
        venv.create(environment.path, with_pip=True)
        return environment

    @property
    def programs(self) -> Path:
        """The folder of its commands."""
        return self.path / ("Scripts" if os.name == "nt" else "bin")

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.programs / ("python.exe" if os.name == "nt" else "python")

    def install(self, *requirements: str) -> None:
        """Install with the versions of constraints.txt."""
        constraints = ("--constraint", CONSTRAINTS) if CONSTRAINTS.exists() else ()
        pip = (
            self.python,
            "-m",
            "pip",
            "--quiet",
            "--disable-pip-version-check",
            "--retries",
            "8",
            "install",
        )
        self.trial.run(*pip, *constraints, *requirements)

    def run(self, code: str) -> str:
        """Run some Python with warnings as errors."""
        return self.trial.run(self.python, "-W", "error", "-c", code, folder=self.folder)

    def run_program(self, name: str, *arguments: str | Path) -> str:
        """Run one of its commands."""
        return self.trial.run(self.programs / name, *arguments, folder=self.folder)

    def run_module(
        self, *arguments: str | Path, folder: Path | None = None, environ: Mapping[str, str] | None = None
    ) -> str:
        """Run a module of its Python with the environment activated: pyright asks the `python` that it finds."""
        path = os.pathsep.join([str(self.programs), os.environ.get("PATH", "")])
        activated = {"PATH": path, "VIRTUAL_ENV": str(self.path), **(environ or {})}
        return self.trial.run(self.python, "-m", *arguments, folder=folder or self.folder, environ=activated)


def main() -> None:
    """Build the wheel, test it, and print the results."""
    with tempfile.TemporaryDirectory(prefix="runql-wheel-") as folder:
        trial = Trial(Path(folder))
        wheel = build(trial)
        trial.try_out("the wheel holds what ships, and nothing else", lambda: check_contents(wheel))
        try_bare(trial, wheel)
        # After the import was timed: each has an environment of its own, the longest first.
        others: list[Callable[[Trial, Path], None]] = [try_with_extras, try_app]
        others += [partial(try_strictly, extra=extra) for extra in STRICT_LINES]
        others += [try_image, try_drift]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for tried in [pool.submit(each, trial, wheel) for each in others]:
                tried.result()
        size = wheel.stat().st_size / 1000
    print(f"wheel: {len(trial.passed)} passed, {len(trial.failed)} failed, {wheel.name}, {size:.0f} kB")
    if trial.failed:
        raise SystemExit(1)


def build(trial: Trial) -> Path:
    """The wheel of the working tree."""
    target = trial.folder / "dist"
    # The builder's own Python: its environment is not what is tried.
    trial.run(sys.executable, "-m", "pip", "--quiet", "wheel", "--no-deps", "--wheel-dir", target, ROOT)
    [wheel] = target.glob("runql-*.whl")
    return wheel


def try_bare(trial: Trial, wheel: Path) -> None:
    """With the core's dependencies only."""
    bare = Environment.create(trial, "bare")
    bare.install(str(wheel))
    trial.try_out("it imports from the wheel", lambda: check_import(bare, wheel))
    trial.try_out("it needs httpx and pydantic alone", lambda: check_dependencies(bare))
    trial.try_out("without a key it says where one is looked for", lambda: bare.run(WITHOUT_A_KEY) or None)
    trial.try_out(
        "without pandas and polars it says what to install", lambda: bare.run(WITHOUT_PANDAS) or None
    )
    trial.try_out("the command says what it needs", lambda: check_command_without_typer(bare))
    trial.try_out("it is imported in two thirds of the official SDK's time", lambda: check_import_time(bare))


def try_drift(trial: Trial, wheel: Path) -> None:
    """With the extras of the drift check, in an empty folder."""
    drift = Environment.create(trial, "drift")
    drift.install(f"runql[cli,drift] @ {wheel.as_uri()}")
    trial.try_out("drift passes where nothing moved, fails where something did", lambda: check_drift(drift))


def try_with_extras(trial: Trial, wheel: Path) -> None:
    """With everything."""
    full = Environment.create(trial, "full")
    full.install(f"runql[all] @ {wheel.as_uri()}")
    trial.try_out("it reads frames from its own embedded server", lambda: full.run(WITH_THE_SERVER) or None)
    trial.try_out("the command helps", lambda: check_command_helps(full))
    trial.try_out("the demo runs", lambda: check_demo(full))
    full.install("pyright[nodejs]", "pandas-stubs", "pyarrow-stubs", "pytest")
    for package in sorted(SHIPPED - {"runql_codegen"}):  # a command, which no user imports
        trial.try_out(f"every public type of {package} is known", partial(check_types, full, package))


def try_image(trial: Trial, wheel: Path) -> None:
    """As the server's image is built, of the sources."""
    trial.try_out("the steps of the image install the server, which starts", lambda: check_image(trial))


def try_strictly(trial: Trial, wheel: Path, extra: str) -> None:
    """With one extra for frames, as a strict user has it."""
    strict = Environment.create(trial, f"strict-{extra}")
    strict.install(f"runql[{extra}] @ {wheel.as_uri()}", "mypy", "pyright[nodejs]", *STUBS[extra])
    trial.try_out(
        f"with {extra} alone a strict program is clean", lambda: check_strict_program(strict, extra)
    )


def try_app(trial: Trial, wheel: Path) -> None:
    """The example application, as a user has it: a project with queries of its own, and two type checkers."""
    app = Environment.create(trial, "app")
    app.install(f"runql[codegen,server] @ {wheel.as_uri()}", "mypy", "pyright[nodejs]", "pytest")
    ignored = shutil.ignore_patterns("__pycache__", ".*_cache")
    shutil.copytree(APP, app.folder, ignore=ignored, dirs_exist_ok=True)
    trial.try_out("the package of an application is current", lambda: check_codegen(app))
    for name, arguments in APP_CHECKS.items():
        trial.try_out(f"{name} passes the application", partial(check_app, app, arguments))


def check_codegen(app: Environment) -> str:
    """It is current; an edited file is found, and written again."""
    said = app.run_program("runql-codegen", "--check")
    module = app.folder / "promotion" / "wandb" / "operations.py"
    written = module.read_bytes()
    module.write_bytes(written.replace(b"GateRuns", b"Runs"))
    try:
        app.run_program("runql-codegen", "--check")
    except WheelError as error:
        expect("ended with 1" in str(error) and "was edited by hand" in str(error), str(error))
    else:
        raise WheelError("an edited file is not found")
    app.run_program("runql-codegen")
    expect(module.read_bytes() == written, "another run writes other code")
    return last_line(said)


def check_app(app: Environment, arguments: Sequence[str]) -> str:
    """A check of the application ends well."""
    return last_line(app.run_module(*arguments))


def last_line(said: str) -> str:
    """The last line of an output."""
    return said.strip().splitlines()[-1]


def check_contents(wheel: Path) -> str:
    """Modules, markers and metadata."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = next(name for name in names if name.endswith(".dist-info/METADATA"))
        about = message_from_string(archive.read(metadata).decode())
    packages = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    expect(packages == SHIPPED, f"packages {packages}")
    expect(set(names) >= NEEDED, f"missing {NEEDED - set(names)}")
    strays = [name for name in names if "test_" in name or "conftest" in name or "__pycache__" in name]
    expect(not strays, f"strays {strays}")
    expect(
        bool(about.get("Description-Content-Type")) and about["License-Expression"] == "Apache-2.0",
        "metadata",
    )
    return f"{len(names)} files"


def check_import(environment: Environment, wheel: Path) -> str:
    """The installed package, of the wheel's version."""
    said = environment.run("import runql; print(runql.__version__, runql.__file__)").split()
    expect(said[0] == wheel.name.split("-")[1], f"version {said[0]} in {wheel.name}")
    expect(Path(said[1]).is_relative_to(environment.path), f"imported from {said[1]}")
    return said[0]


def check_dependencies(environment: Environment) -> str:
    """Nothing but the two libraries and what they need themselves."""
    listed = environment.trial.run(environment.python, "-m", "pip", "list", "--format", "freeze").split()
    names = {line.split("==")[0].lower() for line in listed}
    expect(names >= {"runql", "httpx", "pydantic"}, f"installed {names}")
    heavy = names & {
        "pandas",
        "polars",
        "numpy",
        "pyarrow",
        "graphql-core",
        "ariadne",
        "starlette",
        "typer",
        "wandb",
    }
    expect(not heavy, f"installed {heavy}")
    return f"{len(names - {'pip', 'setuptools'})} packages"


def check_command_without_typer(environment: Environment) -> str:
    """One line on the extra to install, and no traceback."""
    done = subprocess.run(
        [environment.programs / "runql", "--help"],
        cwd=environment.folder,
        env=environment.trial.environ(),
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    expect(done.returncode != 0, "it ends as if all were well")
    expect("runql[cli]" in said and "Traceback" not in said, said)
    return said.strip().splitlines()[-1]


def check_import_time(environment: Environment) -> str:
    """Medians of alternating fresh processes; the ratio is what counts."""
    official = os.environ.get("RUNQL_WANDB_NEW", "")
    expect(Path(official).is_file(), f"RUNQL_WANDB_NEW={official!r} is no Python with the official SDK")
    ours: list[float] = []
    theirs: list[float] = []
    # The first round warms the files of both and is not counted.
    for _ in range(ROUNDS + 1):
        for python, module, seconds in ((environment.python, "runql", ours), (official, "wandb", theirs)):
            seconds.append(float(environment.trial.run(python, "-c", TIMED_IMPORT.format(module=module))))
    own, other = statistics.median(ours[1:]), statistics.median(theirs[1:])
    figures = f"{own * 1000:.0f} ms against {other * 1000:.0f} ms, ratio {own / other:.2f}"
    expect(own / other <= IMPORT_RATIO, f"{figures}; {IMPORT_RATIO:.2f} is the most")
    return figures


def check_drift(environment: Environment) -> str:
    """A file of queries and a schema, as a newcomer has them; the SDL is the one that the wheel carries."""
    folder = environment.folder
    (folder / "queries").mkdir()
    (folder / "queries" / "mine.graphql").write_text(TEAM_QUERY)
    sdl = environment.run("from runql.drift.schema.sources import known_sdl; print(known_sdl())")
    (folder / "same.graphql").write_text(sdl)
    before, run, after = sdl.partition("\ntype Run ")
    (folder / "moved.graphql").write_text(
        before + run + after.replace("  state: String\n", "  status: String\n", 1)
    )
    codes: list[int] = []
    said = ""
    for name in ("same", "moved"):
        done = subprocess.run(
            [
                environment.programs / "runql",
                "drift",
                "--schema",
                f"{name}.graphql",
                "--queries",
                "queries",
            ],
            cwd=folder,
            env=environment.trial.environ(),
            capture_output=True,
            text=True,
            check=False,
        )
        codes.append(done.returncode)
        said = done.stdout + done.stderr
    expect(codes == [0, 1], f"ended with {codes}: {said}")
    expect("queries/mine.graphql:5: Mine" in said and "Run.wait_until_finished" in said, said)
    return said.strip().splitlines()[-1]


def check_command_helps(environment: Environment) -> str:
    """`runql --help` names what it can do."""
    said = environment.run_program("runql", "--help")
    expect("serve" in said and "demo" in said, said)
    return "serve, demo"


def check_image(trial: Trial) -> str:
    """The steps of the Dockerfile that need no root, below a folder; then the command that they installed."""
    # Imported here, so that the job of each platform starts without them.
    from tests.platforms.dockerfile import build as build_image
    from tests.platforms.dockerfile import entrypoint

    image = trial.folder / "image"
    try:
        steps = build_image(image, environ=trial.environ())
    except AssertionError as error:
        raise WheelError(str(error)) from error
    program, *arguments = entrypoint()
    done = subprocess.run(
        [image / "opt" / "runql" / "bin" / program, *arguments],
        env=trial.environ(),
        cwd=trial.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    expect(done.returncode == 1 and "--insecure-listen" in done.stderr, done.stdout + done.stderr)
    trial.run(image / "opt" / "runql" / "bin" / "python", "-c", WITH_THE_SERVER_ALONE)
    return f"{len(steps)} steps"


def check_demo(environment: Environment) -> str:
    """The newcomer's first command, as a newcomer runs it."""
    said = environment.run_program("runql", "demo")
    expect(len(said.splitlines()) > 10, said)
    return f"{len(said.splitlines())} lines"


def check_types(environment: Environment, package: str) -> str:
    """Pyright's own measure of a typed package; of its dependencies' types it takes no account."""
    said = environment.run_module("pyright", "--verifytypes", package, "--ignoreexternal")
    expect("completeness score: 100%" in said, said)
    return "100 %"


def check_strict_program(environment: Environment, extra: str) -> str:
    """Both checkers at their strictest over a program that uses one library; it names no library itself."""
    program = environment.folder / "program.py"
    program.write_text(STRICT_PROGRAM.rstrip("\n") + STRICT_LINES[extra])
    (environment.folder / "pyrightconfig.json").write_text('{"typeCheckingMode": "strict"}')
    environment.run_module("mypy", "--strict", program)
    environment.run_module("pyright", program)
    return f"{len(program.read_text().splitlines())} lines"


def expect(holds: bool, said: str) -> None:
    """Fail with what was seen."""
    if not holds:
        raise WheelError(said)


if __name__ == "__main__":
    main()
