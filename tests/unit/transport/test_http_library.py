"""The library for HTTP and its continuation httpx2: what runql uses of both, logs of both, transports of the other."""

from __future__ import annotations

import ast
import inspect
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import httpx
import pytest
from tests.contract.scripted_server import ScriptedResponse, ScriptedServer

import runql
from runql import Api, AsyncApi
from runql.transport.credentials.log_filter import LOGGERS

KEY: Final = "k" * 40
SRC: Final = Path(runql.__file__).parents[1]
LIBRARIES: Final = [
    pytest.param(name, marks=pytest.mark.skipif(find_spec(name) is None, reason=f"{name} is not here"))
    for name in ("httpx", "httpcore", "httpx2", "httpcore2")
]
needs_both = pytest.mark.skipif(
    find_spec("httpx2") is None or httpx.__name__ == "httpx2", reason="needs httpx and httpx2"
)


def respond(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200)


class Duck:
    """Looks like a transport, and is none."""

    handle_request = handle_async_request = respond


def used(library: str) -> Iterator[str]:
    """The names of a library that runql uses, from its sources."""
    for path in (SRC / "runql").rglob("*.py"):
        source = path.read_text("utf-8")
        for node in ast.walk(ast.parse(source)) if f"{library}." in source else ():
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == library
            ):
                yield node.attr


@pytest.mark.parametrize("library", LIBRARIES)
def test_everything_that_is_used_is_public_in_both(library: str) -> None:
    names = set(used(library.removesuffix("2")))
    assert len(names) > 5
    assert names <= set(import_module(library).__all__)


@pytest.mark.parametrize("library", LIBRARIES)
def test_each_logger_is_filtered(library: str) -> None:
    module = import_module(library)
    folder = Path(inspect.getfile(module)).parent
    sources = "\n".join(path.read_text("utf-8") for path in folder.rglob("*.py"))
    named = set(re.findall(r"getLogger\(\"([\w.]+)\"\)", sources))
    assert named, "the pattern finds no logger"
    assert named <= set(LOGGERS)
    Api(api_key=KEY, base_url="https://api.host")
    assert all(logging.getLogger(name).filters for name in named)


@pytest.mark.parametrize(
    ("make", "given", "advice"),
    [
        (Api, httpx.AsyncBaseTransport(), "Api takes an httpx.BaseTransport"),
        (AsyncApi, httpx.BaseTransport(), "AsyncApi an httpx.AsyncBaseTransport"),
        (Api, Duck(), "derive its class from"),
        (AsyncApi, Duck(), "derive its class from"),
        (Api, httpx.MockTransport, "builtins.type"),
        (Api, "https://proxy.example", "builtins.str"),
    ],
)
def test_what_is_no_transport_is_refused(make: type[Api | AsyncApi], given: object, advice: str) -> None:
    with pytest.raises(TypeError, match=f"^transport is of .*{re.escape(advice)}"):
        make(api_key=KEY, base_url="https://api.host", transport=given)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] — the test


@needs_both
@pytest.mark.parametrize("make", [Api, AsyncApi])
@pytest.mark.parametrize("name", ["HTTPTransport", "MockTransport"])
def test_a_transport_of_httpx2_is_refused_with_the_way_to_use_it(
    make: type[Api | AsyncApi], name: str
) -> None:
    kind = getattr(import_module("httpx2"), name)
    given = type("Own", (kind,), {})(*[respond][: name == "MockTransport"])
    with pytest.raises(TypeError, match=r"Own, which is no httpx\.\w+: .*httpx2\.alias_httpx\(\) before"):
        make(api_key=KEY, base_url="https://api.host", transport=given)


ALIASED: Final = """
import asyncio, logging, sys, traceback
import httpx2
httpx2.alias_httpx()
import runql
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
[url] = sys.argv[1:]

def transport(request):
    return httpx2.Response(200, json={"data": {"viewer": None}})

def shown(error):
    lines = traceback.TracebackException.from_exception(error, capture_locals=True).format()
    print("".join(lines), file=sys.stderr)

with runql.Api(base_url="https://api.host", transport=httpx2.MockTransport(transport)) as api:
    try:
        api.viewer
    except runql.AuthenticationError as error:
        shown(error)
with runql.Api(base_url=url, retries=0) as api:
    try:
        api.run("e/p/r")
    except runql.RunqlError as error:
        shown(error)

async def awaited():
    async with runql.AsyncApi(base_url=url, retries=0) as api:
        try:
            await api.run("e/p/r")
        except runql.RunqlError as error:
            shown(error)

asyncio.run(awaited())
print(sorted(name for name in sys.modules if name.split(".")[0] in {"httpx", "httpcore"} and "2" not in sys.modules[name].__name__))
"""


@needs_both
def test_an_application_may_put_httpx2_in_the_place_of_httpx() -> None:
    key = "local-" + "5ec2e79d" * 5
    with ScriptedServer() as server:
        # Longer than what comes: an error of the connection, with the frames of the library.
        server.give(ScriptedResponse(key.encode(), 200, {"Content-Length": "5000", "X-Key": key}))
        done = subprocess.run(
            [sys.executable, "-c", ALIASED, server.url],
            env={**os.environ, "WANDB_API_KEY": key},
            capture_output=True,
            text=True,
            check=True,
        )
    assert len(server.asked) == 2
    assert done.stdout.strip() == "[]"
    assert "AuthenticationError" in done.stderr
    assert done.stderr.count("ConnectionFailedError: ") == 2
    assert "httpcore2.http11:" in done.stderr
    assert key.removeprefix("local-") not in done.stderr
