"""What each extra adds, tried in an environment: `python features.py EXTRA...`, where only the named extras are installed.

An extra that is there works; for one that is not, the error names the command that installs it.
"""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import runql
from runql import Api, LocalFileError, MissingExtraError, Run


def the_run() -> Run:
    """One run of the sample project; the environment names its server."""
    return Api().runs("digits", {"state": "finished"}, order="-summary_metrics.val_accuracy")[0]


def core() -> None:
    """Lists, fields and rows, which need no extra."""
    run = the_run()
    assert run.config["lr"], run.config
    assert len(list(run.scan_history(keys=["train/loss"]))) > 100
    assert len(run.history(pandas=False, samples=10)) > 5


def polars() -> None:
    assert the_run().scan_history(keys=["train/loss"]).to_polars().height > 100


def pandas() -> None:
    assert the_run().scan_history(keys=["train/loss"]).to_pandas().shape[0] > 100
    assert the_run().history(samples=10).shape[0] > 5


def arrow() -> None:
    assert the_run().scan_history(keys=["train/loss"]).to_arrow().num_rows > 100


def dask() -> None:
    from runql.integrations.dask import read_histories

    runs: Any = Api().runs(
        "digits"
    )  # Any: without the extra there may be no pandas either, and the error names dask
    types = {"train/loss": float}
    scan: Any = runs.scan_histories([*types], format="pandas", schema=types) if is_there("pandas") else None
    frame: Any = read_histories(scan, 3)  # Any: dask declares no types
    assert len(frame.compute(scheduler="synchronous")) > 100


def ray() -> None:
    from runql.integrations.ray import HistoriesSource

    runs: Any = Api().runs("digits")  # Any: as for dask
    types = {"train/loss": float}
    scan: Any = runs.scan_histories([*types], format="arrow", schema=types) if is_there("ray") else None
    tables = [table for task in HistoriesSource(scan).get_read_tasks(3) for table in task()]
    assert sum(table.num_rows for table in tables) > 100


def yaml() -> None:
    from runql.resources.sweeps.config import parse_sweep_config

    assert parse_sweep_config("method: grid\nparameters: {lr: {min: 1}}")["method"] == "grid"


def xxhash() -> None:
    from runql.resources.artifacts.download.verify import hash_of
    from runql.resources.artifacts.manifest import ManifestEntry

    assert len(hash_of(ManifestEntry(path="a", digest="", extra={"alg": "XXH128"}))().digest()) == 16


def fsspec() -> None:
    from runql.resources.artifacts.download.references import check_schemes
    from runql.resources.artifacts.manifest import ManifestEntry

    check_schemes("a:v0", [ManifestEntry(path="a", digest="", ref="memory://a")])


def progress() -> None:
    from runql.resources.records.table_formats import Cell, RecordTable, rich_of

    console = import_module("rich.console").Console if "progress" in PRESENT else None
    table = rich_of(RecordTable(Cell("runs"), ("name",), ((Cell("a"),),)))
    if console is not None:
        console().print(table)


def truststore() -> None:
    """The system's certificates are trusted where the extra is there; otherwise the hint names it."""
    from runql.transport.connections.tls import TRUST_VARIABLES, trust_advice

    for variable in TRUST_VARIABLES:
        os.environ.pop(variable, None)
    said = trust_advice(ssl.SSLCertVerificationError())
    assert ("read by truststore" in said) == ("truststore" in PRESENT), said
    assert ("runql[truststore]" in said) == ("truststore" not in PRESENT), said
    core()


def otel() -> None:
    """Calls work where the application has set up a provider of spans."""
    from runql.transport.observation.spans import find_tracer

    if "otel" not in PRESENT:
        assert find_tracer() is None
        return
    trace = import_module("opentelemetry.trace")
    trace.set_tracer_provider(trace.NoOpTracerProvider())
    assert find_tracer() is not None
    core()


def cli() -> None:
    for arguments in (["--help"], ["--version"], ["ls", "--help"], ["drift", "--help"], ["serve", "--help"]):
        end("runql", *arguments, extra="cli")
    if "cli" in PRESENT:
        run = the_run()
        assert run.id in end("runql", "show", f"{run.entity}/{run.project}/{run.id}", extra="cli")


def pages() -> None:
    curves = import_module("runql.cli.plotting.curves")
    page: bytes = import_module("runql.cli.plotting.pages").page_of(
        [curves.Curve("a", "a", "loss", (0, 1), (1.0, 0.5))], "loss"
    )
    assert b"plotly" in page


def plot() -> None:
    curves = import_module("runql.cli.plotting.curves")
    drawn = import_module("runql.cli.plotting.pictures").picture_of(
        [curves.Curve("a", "a", "loss", (0, 1), (1.0, 0.5))], "loss", "svg"
    )
    assert b"<svg" in drawn


def drift() -> None:
    checks = import_module("runql.drift")
    sources = import_module("runql.drift.schema.sources")
    assert checks.compare
    assert "type Run " in sources.known_sdl()


def codegen() -> None:
    end("runql-codegen", "--help", extra="codegen")


def server() -> None:
    if "server" not in PRESENT:
        return
    from runql_server.running import RunningServer

    with RunningServer() as server:
        [run_id] = server.seed("smoke", [import_module("runql_server.seed").SeedRun(history=[{"loss": 1.0}])])
        [run] = Api(api_key=server.api_key, base_url=server.url).runs(f"{server.entity}/smoke")
        assert run.id == run_id
        assert [row["loss"] for row in run.scan_history()] == [1.0]


def offline() -> None:
    """A folder without runs is refused; where an extra is missing, the error names it instead."""
    with TemporaryDirectory() as folder:
        said = refusal(folder)
    if {"server", "offline"} <= PRESENT:
        assert "holds no .wandb files" in said, said
    else:
        assert "holds no .wandb files" in said or "offline]'" in said, said


def refusal(folder: str) -> str:
    """Open a folder that cannot be opened, and return the error's words."""
    try:
        runql.open(folder)
    except (LocalFileError, MissingExtraError) as error:
        return str(error)
    return "no error"


def end(command: str, *arguments: str, extra: str) -> str:
    """Run a command of the environment; where its extra is missing, it must say so."""
    done = subprocess.run(
        [Path(sys.executable).parent / command, *arguments],
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    if extra in PRESENT:
        assert done.returncode == 0, (command, arguments, done.stdout, done.stderr)
    else:
        assert done.returncode == 2, (command, arguments, done.returncode, done.stderr)
        assert f"runql[{extra}]" in done.stderr, done.stderr
    return done.stdout


FEATURES: Final[Mapping[str, Callable[[], None]]] = {
    "core": core,
    "pandas": pandas,
    "polars": polars,
    "arrow": arrow,
    "yaml": yaml,
    "fsspec": fsspec,
    "xxhash": xxhash,
    "progress": progress,
    "truststore": truststore,
    "otel": otel,
    "pages": pages,
    "plot": plot,
    "cli": cli,
    "drift": drift,
    "codegen": codegen,
    "server": server,
    "offline": offline,
    "dask": dask,
    "ray": ray,
}
TOLD_ELSEWHERE: Final = {"core", "truststore", "otel", "cli", "codegen", "server", "offline"}
"""They raise no error of their own where the extra is missing: the functions above check what they do."""

# Library of an extra that another extra installs, too: the error names no command where it is there.
LIBRARIES: Final[Mapping[str, str]] = {
    "pandas": "pandas",
    "polars": "polars",
    "arrow": "pyarrow",
    "yaml": "yaml",
    "fsspec": "fsspec",
    "xxhash": "xxhash",
    "progress": "rich",
    "pages": "plotly",
    "plot": "matplotlib",
    "drift": "graphql",
    "dask": "dask",
    "ray": "ray",
}

PRESENT: Final = frozenset(sys.argv[1:])


def is_there(library: str) -> bool:
    try:
        import_module(library)
    except ImportError:
        return False
    return True


def message(feature: Callable[[], None]) -> str:
    """What the error says that the feature raises; it raises one."""
    try:
        feature()
    except MissingExtraError as error:
        return str(error)
    return "no error"


def main() -> None:
    """Try every feature."""
    assert set(FEATURES) > PRESENT, PRESENT - set(FEATURES)
    for name, feature in FEATURES.items():
        if name in PRESENT or name in TOLD_ELSEWHERE:
            feature()
        elif not is_there(LIBRARIES[name]):
            command = f"pip install 'runql[{name}]'"
            assert command in (said := message(feature)), (name, said)
    print(f"{len(FEATURES)} features")


if __name__ == "__main__":
    main()
