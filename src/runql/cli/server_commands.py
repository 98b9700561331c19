"""The commands `serve` and `demo`; the server behind them is found by entry point, never imported."""

from __future__ import annotations

import os
import runpy
import time
from contextlib import AbstractContextManager, chdir
from importlib.metadata import entry_points
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Final, Protocol

import typer

from runql.errors import RunqlError

DEMO_SCRIPT: Final = Path(__file__).with_name("_demo_script.py")


class ServeFunction(Protocol):
    """The server's entry point `serve`."""

    def __call__(
        self,
        *,
        port: int,
        data_dir: Path,
        sample: bool,
        host: str,
        tls_cert: Path | None,
        tls_key: Path | None,
        insecure_listen: bool,
    ) -> None: ...


class NewKeyFunction(Protocol):
    """The server's entry point `new-key`."""

    def __call__(self, *, data_dir: Path, user: str, read_only: bool) -> None: ...


class SampleServer(Protocol):
    """A running server with the sample project."""

    url: str
    api_key: str
    entity: str
    project: str


class SampleFunction(Protocol):
    """The server's entry point `sample`."""

    def __call__(self) -> AbstractContextManager[SampleServer]: ...


def serve(
    port: Annotated[int, typer.Option(help="port to listen on, such as 9000; 0 picks a free one")] = 8080,
    data_dir: Annotated[
        Path, typer.Option(help="folder that keeps the runs, such as ./my-runs; created if missing")
    ] = Path("runql-data"),
    sample: Annotated[
        bool,
        typer.Option(
            "--sample",
            help="add a project of real runs to a new folder, as in `runql serve --sample`; off by default",
        ),
    ] = False,
    host: Annotated[
        str, typer.Option(help="address to listen on; one that other machines reach needs TLS")
    ] = "127.0.0.1",
    tls_cert: Annotated[
        Path | None, typer.Option(help="PEM file with the certificate; without TLS by default")
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(help="PEM file with the key of the certificate; without TLS by default")
    ] = None,
    insecure_listen: Annotated[
        bool,
        typer.Option(
            "--insecure-listen",
            help="let other machines connect without TLS, for a proxy that adds it; off by default",
        ),
    ] = False,
    new_key: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="print a new API key of the user NAME and exit, also while a server runs; by default serve",
        ),
    ] = None,
    read_only: Annotated[
        bool,
        typer.Option("--read-only", help="with --new-key: the key cannot change or upload; off by default"),
    ] = False,
) -> None:
    """Serve W&B's API on this machine; the official SDK logs to it unchanged."""
    if read_only and new_key is None:
        typer.echo("runql serve: --read-only is for keys: give --new-key NAME, too", err=True)
        raise typer.Exit(2)
    try:
        if new_key is not None:
            print_new_key: NewKeyFunction = _server_function("new-key")
            print_new_key(data_dir=data_dir, user=new_key, read_only=read_only)
            return
        serve_function: ServeFunction = _server_function("serve")
        serve_function(
            port=port,
            data_dir=data_dir,
            sample=sample,
            host=host,
            tls_cert=tls_cert,
            tls_key=tls_key,
            insecure_listen=insecure_listen,
        )
    except (OSError, ValueError) as error:
        typer.echo(f"runql serve: {error}", err=True)
        raise typer.Exit(1) from error


def demo() -> None:
    """List real runs, read all their metrics into one frame, draw the best run's loss, fetch and score its model."""
    # Only the demo prints curves and scores a model.
    from runql.cli.output import Output  # noqa: PLC0415
    from runql.cli.scoring import accuracy  # noqa: PLC0415

    out = Output()
    start_sample: SampleFunction = _server_function("sample")
    # The script saves files where a user's script would: below the current folder.
    with start_sample() as sample, TemporaryDirectory(prefix="runql-demo-") as folder, chdir(folder):
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


def demo_code() -> str:
    """Return the demo script's lines, as they were run."""
    return DEMO_SCRIPT.read_text(encoding="utf-8").split('"""')[2].strip()


def _server_function(name: str) -> Any:  # Any: an entry point has no type; each caller names the one it needs
    for point in entry_points(group="runql.server", name=name):
        try:
            return point.load()
        except ImportError as error:
            typer.echo(f"the embedded server needs {error.name}: pip install 'runql[server]'", err=True)
            raise typer.Exit(2) from error
    typer.echo("the embedded server is not installed: pip install 'runql[server]'", err=True)
    raise typer.Exit(2)
