"""Pages as an attacker sees them: links, cookies, forms, frames, other sites, other names of this machine."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import anyio
import httpx
import pytest
from playwright.sync_api import Browser, expect
from tests.loopback import LoopbackServer

from runql_server.access import auth
from runql_server.access.sessions import LIFETIME, TOKEN_LIFETIME, Session, Sessions
from runql_server.access.signing import Signer
from runql_server.app import create_app
from runql_server.running import RunningServer

HTML: Final = {"Accept": "text/html"}
FILE: Final = "/files/local/digits/mlp07/wandb-metadata.json"
RUN: Final = "/local/digits/runs/mlp07"


@pytest.fixture
def reader(sample: RunningServer) -> Iterator[httpx.Client]:
    """Read as a browser that is signed in."""
    with httpx.Client(base_url=sample.url, headers=HTML, trust_env=False) as client:
        assert client.get(sample.page_link("/")).status_code == 303
        yield client


# -- the link ---------------------------------------------------------------------------------------------------


def test_a_link_leaves_its_token_nowhere(browser: Browser, sample: RunningServer) -> None:
    context = browser.new_context()
    page = context.new_page()
    referers: list[str] = []
    page.on("request", lambda request: referers.append(request.all_headers().get("referer", "")))
    page.goto(sample.page_link(f"{RUN}?jupyter=true"))
    assert page.url == f"{sample.url}{RUN}?jupyter=true"
    assert page.evaluate("[document.referrer, performance.getEntriesByType('navigation')[0].name]") == [
        "",
        page.url,
    ]
    page.go_back()
    assert "token" not in page.url
    assert not any("token" in each for each in referers)
    context.close()


def test_what_previews_a_link_does_not_use_it_up(sample: RunningServer) -> None:
    link = sample.page_link("/")
    assert httpx.head(link, headers=HTML).status_code == 401
    first = httpx.get(link, headers=HTML)
    assert (first.status_code, first.headers["cache-control"], first.headers["referrer-policy"]) == (
        303,
        "no-store",
        "no-referrer",
    )
    assert httpx.get(link, headers=HTML).status_code == 401


def test_links_and_sessions_end(tmp_path: Path) -> None:
    now = 1000.0
    sessions = Sessions(Signer(b"secret"), clock=lambda: now)
    late, cookie = sessions.new_token(1), sessions.new_cookie(Session(1))
    assert sessions.session_of(cookie) == Session(1)
    now += TOKEN_LIFETIME
    assert sessions.redeem(late) is None
    now += LIFETIME
    assert sessions.session_of(cookie) is None


def test_a_link_leads_where_it_says(sample: RunningServer) -> None:
    with httpx.Client(base_url=sample.url, headers=HTML) as client:
        target = client.get(sample.page_link("/local/digits/artifacts/a%2Fb%252F?a=%26&b=1")).headers[
            "location"
        ]
        assert target == "/local/digits/artifacts/a%2Fb%252F?a=%26&b=1"
        for path in (
            "//stranger.example/a",
            "///stranger.example",
            "/\\stranger.example",
            "/%5Cstranger.example",
        ):
            link = sample.page_link("").partition("?")[2]
            location: str = client.get(f"{sample.url}{path}?{link}").headers.get("location", "/")
            assert urlsplit(location).netloc == "", path
            assert not location.startswith(("//", "/\\")), path


def test_neither_tokens_nor_keys_are_logged(sample: RunningServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("httpcore").setLevel(logging.CRITICAL)
    logging.getLogger("httpx").setLevel(logging.CRITICAL)
    sample.clear()
    link = sample.page_link("/")
    httpx.get(link, headers=HTML)
    httpx.post(f"{sample.url}/-/sign-in", data={"key": sample.api_key})
    httpx.get(f"{sample.url}/local/none?token=wrong", headers=HTML)
    noted = caplog.text + repr(sample.requests)
    assert len(sample.requests) == 3
    assert link.rpartition("=")[2] not in noted
    assert sample.api_key not in noted


# -- the session ------------------------------------------------------------------------------------------------


def test_the_session_of_a_deleted_key_ends(tmp_path: Path) -> None:
    with RunningServer(tmp_path / "data") as server:
        key = auth.new_key()
        with server.store.writing() as connection:
            auth.add_key(connection, key, username="ada", read_only=True)
        with httpx.Client(base_url=server.url, headers=HTML) as client:
            assert client.post("/-/sign-in", data={"key": key}).status_code == 303
            assert client.get("/").status_code == 200
            with server.store.writing() as connection:
                connection.execute("DELETE FROM api_keys WHERE read_only")
            assert client.get("/").status_code == 401


def test_a_session_of_another_server_is_none(sample: RunningServer, tmp_path: Path) -> None:
    with RunningServer(tmp_path / "data") as other, httpx.Client(base_url=sample.url, headers=HTML) as client:
        link = other.page_link("/")
        cookie = httpx.get(link, headers=HTML).cookies
        value = next(iter(cookie.values()))
        name = f"runql_session_{sample.url.rpartition(':')[2]}"
        assert client.get("/", headers={"Cookie": f"{name}={value}"}).status_code == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/graphql"),
        ("POST", "/files/local/digits/mlp07/file_stream"),
        ("PUT", "/storage/1/wandb-metadata.json"),
        ("PUT", "/artifact-storage/1/00"),
        ("POST", RUN),
        ("PUT", FILE),
        ("DELETE", FILE),
        ("OPTIONS", RUN),
        ("OPTIONS", FILE),
    ],
)
def test_a_session_reads_only(reader: httpx.Client, method: str, path: str) -> None:
    response = reader.request(method, path, content=b"{}")
    assert response.status_code in {400, 401, 403, 405}
    assert not any(name.startswith("access-control") for name in response.headers)


@pytest.mark.parametrize("path", ["/", RUN, f"{RUN}/curves?key=val_loss", FILE, f"{RUN}/logs"])
def test_another_site_reads_nothing(reader: httpx.Client, path: str) -> None:
    assert reader.get(path).status_code == 200
    for site in ("cross-site", "same-site"):
        embedded = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
        assert reader.get(path, headers=embedded).status_code == 401
        asked = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "cors", "Origin": "http://localhost:1"}
        assert reader.get(path, headers=asked).status_code == 401
    followed = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert reader.get(path, headers=followed).status_code == 200


@pytest.mark.parametrize("destination", ["script", "style", "worker", "serviceworker", "object", "embed"])
def test_no_file_is_run(reader: httpx.Client, destination: str) -> None:
    headers = {"Sec-Fetch-Dest": destination, "Sec-Fetch-Site": "same-origin"}
    assert reader.get(FILE, headers=headers).status_code == 403


def cookies_at(base_url: str, data_dir: Path) -> dict[str, str]:
    """Sign in at an address, and return the attributes of each cookie."""
    app = create_app(data_dir, api_key="k" * 40)

    async def work() -> list[str]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=base_url) as client:
            response = await client.post("/-/sign-in", data={"key": "k" * 40})
            return response.headers.get_list("set-cookie")

    try:
        # Playwright has an event loop of its own in this thread.
        with ThreadPoolExecutor(1) as pool:
            found = [each.partition("=") for each in pool.submit(anyio.run, work).result()]
    finally:
        app.state.shut_down()
    return {name: rest.partition("; ")[2] for name, _, rest in found}


def test_cookies_fit_the_address(tmp_path: Path) -> None:
    age = f"Max-Age={LIFETIME}; Path=/"
    assert cookies_at("https://runs.example", tmp_path / "a") == {
        "runql_session_443": f"HttpOnly; {age}; SameSite=lax; Secure",
        "runql_framed_session_443": f"HttpOnly; {age}; SameSite=none; Secure",
    }
    assert cookies_at("http://10.0.0.5:8080", tmp_path / "b") == {
        "runql_session_8080": f"HttpOnly; {age}; SameSite=lax",
    }
    assert set(cookies_at("http://localhost:8080", tmp_path / "c")) == {
        "runql_session_8080",
        "runql_framed_session_8080",
    }


# -- forms, frames and names ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://stranger.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "https://stranger.example", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_the_form_of_another_site_signs_nobody_in(sample: RunningServer, headers: dict[str, str]) -> None:
    response = httpx.post(f"{sample.url}/-/sign-in", data={"key": sample.api_key}, headers=headers)
    assert response.status_code == 403
    assert "set-cookie" not in response.headers


@pytest.mark.parametrize("target", ["/a\r\nSet-Cookie: a=b", "/\t/stranger.example", "/a\x00b", "/é"])
def test_a_target_adds_no_header(sample: RunningServer, target: str) -> None:
    response = httpx.post(f"{sample.url}/-/sign-in", data={"key": sample.api_key, "next": target})
    assert response.status_code == 303
    assert response.headers["location"].startswith("/")
    assert not response.headers["location"].startswith("//")
    assert all(each.startswith("runql_") for each in response.headers.get_list("set-cookie"))


class Stranger(BaseHTTPRequestHandler):
    """A page that frames another one, whose address is its query."""

    def do_GET(self) -> None:
        body = f"<iframe src='{self.path.partition('?')[2]}'></iframe>".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


@pytest.mark.parametrize("path", [RUN, FILE, "/local/none"])
def test_no_other_site_frames_a_page(browser: Browser, sample: RunningServer, path: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(sample.page_link("/"))
    with LoopbackServer(Stranger) as stranger:
        url = stranger.url.replace("127.0.0.1", "rebound.example")
        with page.expect_console_message(lambda message: "frame-ancestors" in message.text):
            page.goto(f"{url}/?{sample.url}{path}")
    context.close()


def test_another_name_of_this_machine_has_no_session(browser: Browser, sample: RunningServer) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(sample.page_link(RUN))
    page.goto(sample.url.replace("127.0.0.1", "rebound.example") + RUN)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert "mlp lr" not in page.content()
    context.close()


# -- responses --------------------------------------------------------------------------------------------------


def test_errors_do_not_repeat_markup(reader: httpx.Client) -> None:
    for path in ("/<script>1/<b>", "/local/digits/runs/<script>1<", f"{RUN}/logs?before=<script>"):
        response = reader.get(path)
        assert response.status_code in {400, 404}
        assert "<script>1" not in response.text
        assert "<b>" not in response.text
        assert "default-src 'self'" in response.headers["content-security-policy"]


def test_nothing_logged_is_kept_by_a_cache(reader: httpx.Client) -> None:
    assert reader.get(RUN).headers["cache-control"] == "no-store"
    assert reader.get(f"{RUN}/curves?key=val_loss").headers["cache-control"] == "no-store"
    response = reader.get(FILE)
    assert response.headers["cache-control"] == "private, no-cache"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-security-policy"].startswith("sandbox; default-src 'none';")
    assert response.headers["content-disposition"] == 'inline; filename="wandb-metadata.json"'


def test_a_browser_signs_in_before_it_reads_a_file(sample: RunningServer) -> None:
    assert "Sign in" in httpx.get(sample.url + FILE, headers=HTML).text
    program = httpx.get(sample.url + FILE)
    assert (program.status_code, list(program.json())) == (401, ["error"])
    link = sample.page_link(FILE)
    assert httpx.get(link, headers=HTML, follow_redirects=False).headers["location"] == FILE


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET /?a=\xff&token=\xff HTTP/1.1\r\nHost: a:99999999",
        b"GET / HTTP/1.1\r\nHost: [::1",
        b"GET /%ff%00 HTTP/1.1\r\nHost: <script>",
        b"GET //%2f..%2f..?token=a HTTP/1.1\r\nHost: x\r\nCookie: runql_session_80=" + b"9." * 3000,
        b"HEAD /local/digits HTTP/1.1\r\nHost: ",
    ],
)
def test_odd_requests_are_refused(sample: RunningServer, request_line: bytes) -> None:
    address = urlsplit(sample.url)
    with socket.create_connection((address.hostname or "", address.port or 0)) as connection:
        connection.sendall(request_line + b"\r\nAccept: text/html\r\nConnection: close\r\n\r\n")
        with connection.makefile("rb") as received:
            status = int(received.readline().split()[1])
    assert 400 <= status < 500
