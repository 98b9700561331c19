"""The server that a command asks: `WANDB_*` variables and `--base-url`."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

if TYPE_CHECKING:
    from runql.resources.api import Api

BaseUrlOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--base-url",
        metavar="URL",
        help="the server, such as https://wandb.example.com; by default WANDB_BASE_URL, else W&B's own",
        show_default=False,
    ),
]


@contextmanager
def session(base_url: str | None = None) -> Generator[Api]:
    """Open the API for one command; the key comes from WANDB_API_KEY or netrc.

    Raises:
        ConfigurationError: a setting is not valid, or there is no key.
    """
    from runql.resources.api import Api  # noqa: PLC0415 - `runql --version` and `--help` need none of it

    with Api(base_url=base_url) as api:
        yield api
