"""The console script `runql-codegen`: names the extra to install when it is missing, otherwise runs the command."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from runql.errors import MissingExtraError

NEEDED = ("typer", "ariadne_codegen", "graphql")


def main() -> None:
    """Run the `runql-codegen` command."""
    for library in NEEDED:
        if find_spec(library) is None:
            name = library.replace("_", "-")
            error = MissingExtraError(name, extra="codegen", needed_for="the runql-codegen command")
            print(error, file=sys.stderr)
            sys.exit(2)
    from runql_codegen.command import app  # noqa: PLC0415 — needs the extra

    app(prog_name="runql-codegen")


if __name__ == "__main__":
    main()
