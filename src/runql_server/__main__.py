"""``python -m runql_server``: the server without the ``runql`` command."""

# ruff: noqa: T201 - the command's output

from __future__ import annotations

import argparse
from pathlib import Path

from runql_server.access import auth
from runql_server.serve import add_key, serve
from runql_server.storage.store import Store


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m runql_server", description="Run the embedded server.")
    parser.add_argument("--port", type=int, default=8080, help="0 picks a free port; default 8080")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--new-key", action="store_true", help="print a new API key and exit")
    arguments = parser.parse_args()
    if arguments.new_key:
        _print_new_key(arguments.data_dir)
    else:
        try:
            serve(port=arguments.port, data_dir=arguments.data_dir, host=arguments.host)
        except (OSError, OverflowError) as error:
            parser.error(f"cannot serve on {arguments.host}:{arguments.port}: {error}")


def _print_new_key(data_dir: Path) -> None:
    store = Store(data_dir)
    key = auth.new_key()
    add_key(store, key)
    store.close()
    print(f"export WANDB_API_KEY={key}")


if __name__ == "__main__":
    main()
