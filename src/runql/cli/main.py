"""The console script: names the extra to install when it is missing, otherwise runs the commands."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from runql.cli.exit_codes import INTERRUPTED, TYPER_USAGE_ERROR, USAGE_ERROR, CheckExit
from runql.errors import MissingExtraError


def main() -> None:
    """Run the `runql` command."""
    for library in ("typer", "rich"):
        if find_spec(library) is None:
            print(MissingExtraError(library, extra="cli", needed_for="the runql command"), file=sys.stderr)
            sys.exit(2)
    try:
        from runql.cli.commands import app  # noqa: PLC0415 — needs the extra

        app()
    except KeyboardInterrupt:
        # Before a command began; `console.failures` ends commands.
        sys.exit(INTERRUPTED)
    except SystemExit as ended:
        # Typer ends with 2 for a wrong option; a check that could not be done ends with 2, too.
        wrong_option = ended.code == TYPER_USAGE_ERROR and not isinstance(ended, CheckExit)
        if wrong_option and sys.argv[1:2] == ["drift"]:
            sys.exit(USAGE_ERROR)
        raise


if __name__ == "__main__":
    main()
