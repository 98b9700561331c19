"""The console script: says what to install when the extra is missing, otherwise runs the commands."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from runql.errors import MissingExtraError


def main() -> None:
    """Run the `runql` command."""
    for library in ("typer", "rich"):
        if find_spec(library) is None:
            print(MissingExtraError(library, extra="cli", needed_for="the runql command"), file=sys.stderr)
            sys.exit(2)
    from runql.cli.commands import app  # noqa: PLC0415 — needs the extra that was just looked for

    app()


if __name__ == "__main__":
    main()
