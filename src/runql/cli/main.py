"""The console script: names the extra to install when it is missing, otherwise runs the commands."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

from runql.cli.exit_codes import COULD_NOT_CHECK, INTERRUPTED, TYPER_USAGE_ERROR, USAGE_ERROR, CheckExit
from runql.errors import MissingExtraError


def main() -> None:
    """Run the `runql` command."""
    _open_missing_streams()
    for library in ("typer", "rich"):
        if find_spec(library) is None:
            print(MissingExtraError(library, extra="cli", needed_for="the runql command"), file=sys.stderr)
            sys.exit(2)
    is_check = sys.argv[1:2] == ["drift"]
    try:
        from runql.cli.commands import app  # noqa: PLC0415 — needs the extra
        from runql.cli.console.failures import accept_every_character  # noqa: PLC0415 — as above

        accept_every_character()
        app()
    except KeyboardInterrupt:
        # Before a command began; `console.failures` ends commands.
        sys.exit(INTERRUPTED)
    except OSError as error:
        # The words of typer, as its help, could not be written; commands end in `console.failures`.
        sys.exit(_exit_code(error, is_check=is_check))
    except SystemExit as ended:
        # Typer ends with 2 for a wrong option; a check that could not be done ends with 2, too.
        if is_check and ended.code == TYPER_USAGE_ERROR and not isinstance(ended, CheckExit):
            sys.exit(USAGE_ERROR)
        if isinstance(ended.__context__, OSError) and not isinstance(ended, CheckExit):
            # Typer and rich end with 1 where nobody reads their words.
            sys.exit(_exit_code(ended.__context__, is_check=is_check))
        raise


def _exit_code(error: OSError, *, is_check: bool) -> int:
    from runql.cli.console.failures import FAILED, drop_output, is_closed_pipe  # noqa: PLC0415 — as above
    from runql.cli.console.plain import say  # noqa: PLC0415

    drop_output()
    if getattr(error.__context__, "exit_code", None) == TYPER_USAGE_ERROR:
        return USAGE_ERROR if is_check else TYPER_USAGE_ERROR
    if is_closed_pipe(error):
        return 0
    say(f"runql: cannot write the output: {error.strerror or error}")
    return COULD_NOT_CHECK if is_check else FAILED


def _open_missing_streams() -> None:
    """Give a process that was started without stdin, stdout or stderr, as by some schedulers, ones that lead nowhere."""
    # In this order, so that each gets its own number and no file of the command gets one of these.
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - open until the process ends


if __name__ == "__main__":
    main()
