"""The commands of `runql`, by the module that has each."""

from __future__ import annotations

from typing import Annotated

import typer

from runql.cli.archiving import commands as archiving
from runql.cli.changing import commands as changing
from runql.cli.checking.commands import drift
from runql.cli.console.failures import help_end
from runql.cli.opening import HELP_END as OPEN_END
from runql.cli.opening import open_command
from runql.cli.plotting import plot
from runql.cli.reading import diff, download, history, ls, show
from runql.cli.server_commands import demo, serve
from runql.version import __version__

app: typer.Typer = typer.Typer(
    no_args_is_help=True,
    # Tracebacks without the values of variables: the API key is one of them.
    pretty_exceptions_enable=False,
    help="Read, change and copy runs of W&B, serve its API on this machine, and check a server's schema.",
    epilog=help_end(
        "runql ls team", "runql ls team/digits --columns name,state,config.lr,summary.acc", "runql ls --help"
    ),
)
app.command(epilog=ls.HELP_END)(ls.ls)
app.command(epilog=show.HELP_END)(show.show)
app.command(epilog=history.HELP_END)(history.history)
app.command(epilog=diff.HELP_END)(diff.diff)
app.command(epilog=download.HELP_END)(download.download)
app.command(epilog=archiving.EXPORT_END)(archiving.export)
app.command("import", epilog=archiving.IMPORT_END)(archiving.import_archive)
app.command(epilog=archiving.COPY_END)(archiving.copy)
app.command(epilog=archiving.VERIFY_END)(archiving.verify)
app.command(epilog=plot.HELP_END)(plot.plot)
app.command(epilog=changing.TAG_END)(changing.tag)
app.command(epilog=changing.UNTAG_END)(changing.untag)
app.command("set", epilog=changing.SET_END)(changing.set_fields)
app.command(epilog=changing.DELETE_END)(changing.delete)
app.command(epilog=help_end("runql serve", "runql serve --sample --port 9000 --data-dir ./my-runs"))(serve)
app.command("open", epilog=OPEN_END)(open_command)
app.command(epilog=help_end("runql demo"))(demo)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"runql {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="print runql's version and exit"
        ),
    ] = False,
) -> None:
    """Hold the options that stand before a command."""


app.add_typer(drift, name="drift")
