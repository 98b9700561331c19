"""The commands: `serve`, `demo` and `drift`; the server behind them is found by entry point, never imported."""

from __future__ import annotations

import os
import runpy
import time
from contextlib import AbstractContextManager, chdir
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Protocol

import typer

from runql.cli.exit_codes import COULD_NOT_CHECK, CheckExit
from runql.cli.output import Output
from runql.cli.scoring import accuracy
from runql.errors import MissingExtraError, RunqlError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="W&B runs, typed; and a W&B server of your own."
)
DEMO_SCRIPT = Path(__file__).with_name("demo_script.py")


class Serve(Protocol):
    """The server's entry point `serve`."""

    def __call__(self, *, port: int, data_dir: Path, sample: bool) -> None: ...


class Sample(Protocol):
    """What the server's entry point `sample` opens."""

    url: str
    api_key: str
    entity: str
    project: str


class Start(Protocol):
    """The server's entry point `sample`."""

    def __call__(self) -> AbstractContextManager[Sample]: ...


@app.command()
def serve(
    port: Annotated[int, typer.Option(help="0 takes a free one")] = 8080,
    data_dir: Annotated[Path, typer.Option(help="where runs are kept; made if it is not there")] = Path(
        "runql-data"
    ),
    sample: Annotated[bool, typer.Option("--sample", help="start with the sample project")] = False,
) -> None:
    """Serve W&B's API on this machine: the official SDK logs to it unchanged."""
    start: Serve = _server_part("serve")
    try:
        start(port=port, data_dir=data_dir, sample=sample)
    except OSError as error:
        typer.echo(f"runql serve: {error}", err=True)
        raise typer.Exit(1) from error


@app.command()
def demo() -> None:
    """List real runs, read all their metrics into one frame, draw the best run's loss, fetch and score its model."""
    out = Output()
    start: Start = _server_part("sample")
    # The tour saves where a user's program would: below the folder it runs in.
    with start() as sample, TemporaryDirectory(prefix="runql-demo-") as folder, chdir(folder):
        os.environ |= {
            "WANDB_BASE_URL": sample.url,
            "WANDB_API_KEY": sample.api_key,
            "WANDB_ENTITY": sample.entity,
        }
        out.say(f"a server with real training runs listens at {sample.url}")
        started = time.perf_counter()
        try:
            found = runpy.run_path(str(DEMO_SCRIPT))
        except RunqlError as error:
            typer.echo(f"runql demo: {error}", err=True)
            raise typer.Exit(1) from error
        seconds = time.perf_counter() - started
        out.runs(found["runs"])
        out.frame(found["metrics"], complete=bool(found["complete"]))
        out.best(found["best"], found["curve"])
        out.model(found["model"], accuracy(found["weights"], found["data"]))
        out.traffic(found["api"].traffic, seconds)
        out.code(demo_code())


if find_spec("graphql") is None:

    @app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
    def drift() -> None:
        """Check a server's schema; needs the extra `drift`."""
        typer.echo(MissingExtraError("graphql-core", extra="drift", needed_for="runql drift"), err=True)
        raise CheckExit(COULD_NOT_CHECK)

else:
    from runql.cli.drift_commands import drift as drift_app

    app.add_typer(drift_app, name="drift")


def demo_code() -> str:
    """The lines of the tour, as they were run."""
    return DEMO_SCRIPT.read_text(encoding="utf-8").split('"""')[2].strip()


def _server_part(name: str) -> Any:  # Any: an entry point has no type; each caller names the one it needs
    for point in entry_points(group="runql.server", name=name):
        try:
            return point.load()
        except ImportError as error:
            typer.echo(f"the embedded server needs {error.name}: pip install 'runql[server]'", err=True)
            raise typer.Exit(2) from error
    typer.echo("the embedded server is not installed: pip install 'runql[server]'", err=True)
    raise typer.Exit(2)
