"""The search for the marked key finds it where it is: without this, tests that find nothing would say nothing."""

from __future__ import annotations

import base64
from contextlib import nullcontext
from dataclasses import dataclass
from urllib.parse import quote

import httpx
import pytest
from tests.ports import refusing
from tests.security.marked_key import KEY, caught, shows_key, sightings

from runql import Api, ConnectionFailedError
from runql.transport.credentials.authorization import Credentials


class Holder:
    """An object that holds the key two attributes away."""

    def __init__(self) -> None:
        self.inner: object = Slotted([{"key": KEY}])


@dataclass(slots=True, repr=False)
class Slotted:
    """An object without a dict."""

    items: object


@pytest.mark.parametrize(
    "spelled",
    [
        KEY,
        KEY[::-1],
        quote(KEY, safe=""),
        base64.b64encode(f"api:{KEY}".encode()).decode(),
        base64.b64encode(f"{KEY}:api".encode()).decode(),
        base64.b64encode(KEY.encode()).decode(),
        f"Basic {base64.b64encode(f'api:{KEY}'.encode()).decode()}\r\n",
    ],
)
def test_every_spelling_is_found(spelled: str) -> None:
    assert shows_key(f"...{spelled}...")
    assert shows_key(f"...{spelled}...".encode())
    assert not shows_key(spelled[: len(spelled) // 2])


def test_what_an_error_carries_is_found() -> None:
    assert "str" in sightings(ValueError(KEY))
    error = ValueError("x")
    error.__context__ = LookupError(KEY)
    error.__suppress_context__ = True
    assert "LookupError: LookupError" in sightings(error)
    error = ValueError("x")
    vars(error)["holder"] = Holder()
    assert sightings(error)


def test_the_frames_of_http_libraries_would_show_it() -> None:
    """What the client cuts away: httpx's own error shows the key in many variables."""
    with refusing() as url:
        error = caught(lambda: httpx.post(url, auth=("api", KEY)))
    assert len(sightings(error)) > 5


def unguarded(_: Credentials) -> nullcontext[None]:
    return nullcontext()


def test_the_guard_is_what_keeps_it_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Credentials, "guard", unguarded)
    with refusing() as url, Api(base_url=url, api_key=KEY) as api:
        error = caught(lambda: api.with_options(retries=0).run("e/p/abc"))
    assert isinstance(error, ConnectionFailedError)
    assert any("httpcore" in place or "request" in place for place in sightings(error))
