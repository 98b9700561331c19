"""``python -m runql_server``: the server without the ``runql`` command."""

from __future__ import annotations

import argparse
from pathlib import Path

from runql_server.access.auth import USERNAME
from runql_server.serve import print_new_key, serve


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m runql_server", description="Run the embedded server.")
    parser.add_argument("--port", type=int, default=8080, help="0 picks a free port; default 8080")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--data-dir", type=Path, required=True)
    parser.add_argument("--tls-cert", type=Path, help="PEM file with the certificate")
    parser.add_argument("--tls-key", type=Path, help="PEM file with its key")
    parser.add_argument("--insecure-listen", action="store_true", help="allow other machines without TLS")
    parser.add_argument(
        "--new-key", nargs="?", const=USERNAME, metavar="NAME", help="print a new API key of a user and exit"
    )
    parser.add_argument("--read-only", action="store_true", help="with --new-key: it cannot change anything")
    arguments = parser.parse_args()
    if arguments.read_only and arguments.new_key is None:
        parser.error("--read-only needs --new-key")
    task = f"serve on {arguments.host}:{arguments.port}"
    try:
        if arguments.new_key is not None:
            task = "add a key"
            print_new_key(data_dir=arguments.data_dir, user=arguments.new_key, read_only=arguments.read_only)
        else:
            serve(
                port=arguments.port,
                data_dir=arguments.data_dir,
                host=arguments.host,
                tls_cert=arguments.tls_cert,
                tls_key=arguments.tls_key,
                insecure_listen=arguments.insecure_listen,
            )
    except (OSError, OverflowError, ValueError) as error:
        parser.error(f"cannot {task}: {error}")


if __name__ == "__main__":
    main()
