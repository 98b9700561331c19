"""What a working directory may decide: names, and only servers that the user knows."""

from __future__ import annotations

import copy
import logging
import pickle
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from tests.unit.settings import KEY, OTHER_KEY, Resolve, refusal, written

from runql import (
    Api,
    AsyncApi,
    ConfigurationError,
    MissingCredentialsError,
    Settings,
    UnshareableError,
)
from runql.api_key import ApiKey
from runql.transport.credentials.plain_http import is_loopback

LINE = "[default]\nbase_url = {}\n"
STRANGER = "https://wandb.stranger.example"


@pytest.fixture
def local(cwd: Path) -> Path:
    """A settings file of the working directory, which names a server that the user does not know."""
    return written(cwd / "wandb" / "settings", LINE.format(STRANGER))


# ./wandb/settings


def test_the_working_directory_cannot_send_the_key_to_a_stranger(
    resolve: Resolve, local: Path, home: Path
) -> None:
    message = refusal(resolve)
    assert f"base_url in {local} would send your API key to wandb.stranger.example" in message
    assert f"set WANDB_BASE_URL={STRANGER}" in message
    assert "`machine wandb.stranger.example` to netrc" in message
    assert "wandb.stranger.example" in refusal(lambda: resolve(environ={}, api_key=KEY))
    written(home / ".netrc", f"machine api.wandb.ai login user password {KEY}\n")
    assert "wandb.stranger.example" in refusal(lambda: resolve(environ={}))


@pytest.mark.usefixtures("local")
def test_what_makes_a_server_known(resolve: Resolve, home: Path) -> None:
    environ = {"WANDB_API_KEY": KEY}
    assert resolve(environ=environ | {"WANDB_BASE_URL": STRANGER}).base_url == STRANGER
    assert resolve(base_url=STRANGER).base_url == STRANGER
    assert resolve(overrides={"base_url": STRANGER}).base_url == STRANGER
    file = written(home / ".config" / "wandb" / "settings", LINE.format(f"{STRANGER}:443/"))
    assert resolve().base_url == STRANGER
    file.unlink()
    written(home / ".netrc", f"machine wandb.stranger.example login user password {OTHER_KEY}\n")
    assert resolve().base_url == STRANGER
    assert resolve(environ={}).api_key == SecretStr(OTHER_KEY)


@pytest.mark.parametrize(
    ("own", "named", "is_known"),
    [
        ("https://own.example", "https://OWN.example/", True),
        ("https://own.example", "https://own.example:8443", False),
        ("https://own.example", "http://own.example", False),
        ("https://own.example", "https://own.example.stranger.example", False),
        ("https://own.example", "https://api.wandb.ai", False),
        ("https://api.wandb.ai", "https://api.forge.coreweave.com", True),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8081", False),
    ],
)
def test_a_known_server_has_the_same_scheme_host_and_port(
    own: str, named: str, is_known: bool, resolve: Resolve, home: Path, cwd: Path
) -> None:
    written(home / ".config" / "wandb" / "settings", LINE.format(own))
    written(cwd / "wandb" / "settings", LINE.format(named))
    if is_known:
        assert resolve().base_url
    else:
        assert "your own settings do not name" in refusal(resolve)


def test_the_cloud_is_known_to_a_user_who_names_no_server(resolve: Resolve, cwd: Path) -> None:
    file = written(cwd / "wandb" / "settings", LINE.format("https://api.wandb.ai"))
    assert resolve().base_url == "https://api.wandb.ai"
    written(file, LINE.format("http://127.0.0.1:8080"))
    assert "127.0.0.1:8080" in refusal(resolve)


def test_the_home_folders_own_settings_are_the_users(resolve: Resolve, home: Path) -> None:
    written(home / ".config" / "wandb" / "settings", LINE.format(STRANGER))
    assert resolve(cwd=home / ".config").base_url == STRANGER


def test_the_working_directory_cannot_set_a_key_or_pages_or_plain_http(resolve: Resolve, cwd: Path) -> None:
    written(
        cwd / "wandb" / "settings",
        f"[default]\napi_key = {OTHER_KEY}\napp_url = {STRANGER}\nallow_insecure = true\n",
    )
    settings = resolve()
    assert settings.api_key == SecretStr(KEY)
    assert settings.app_url == "https://wandb.ai"
    assert not settings.allow_insecure


@pytest.mark.parametrize("name", [".netrc", "_netrc", ".wandb", "settings", ".env", "netrc"])
def test_other_files_of_the_working_directory_are_not_read(
    name: str, resolve: Resolve, cwd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(cwd / name, f"base_url = {STRANGER}\nmachine api.wandb.ai login user password {OTHER_KEY}\n")
    monkeypatch.chdir(cwd)
    refusal(lambda: resolve(environ={}), MissingCredentialsError)
    assert resolve().base_url == "https://api.wandb.ai"


# Plain HTTP


@pytest.mark.parametrize("make", [Api, AsyncApi])
@pytest.mark.parametrize(
    "url", ["http://wandb.example.com", "http://192.0.2.7:8080", "http://localhost.example"]
)
def test_plain_http_to_another_machine_must_be_allowed(
    url: str, make: type[Api | AsyncApi], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError, match="in the clear") as caught:
        make(base_url=url, api_key=KEY)
    for way in ("https://", "allow_insecure=True", "RUNQL_ALLOW_INSECURE=1", "--allow-insecure"):
        assert way in str(caught.value)
    assert make(base_url=url, api_key=KEY, allow_insecure=True).settings.base_url == url
    monkeypatch.setenv("RUNQL_ALLOW_INSECURE", "0")
    with pytest.raises(ConfigurationError, match="in the clear"):
        make(base_url=url, api_key=KEY)
    monkeypatch.setenv("RUNQL_ALLOW_INSECURE", "1")
    assert make(base_url=url, api_key=KEY).settings.allow_insecure


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("127.0.0.1.example", False),
        ("localhost.localdomain", False),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("2130706433", False),
        ("fe80::1", False),
        ("", False),
    ],
)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize("make", [Api, AsyncApi])
def test_loopback_through_a_proxy_of_another_machine_is_refused(
    make: type[Api | AsyncApi], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://user:hunter2@proxy.example:3128")
    with pytest.raises(
        ConfigurationError, match=r"sends it to proxy\.example.*add 127\.0\.0\.1 to NO_PROXY"
    ) as caught:
        make(base_url="http://127.0.0.1:8080", api_key=KEY)
    assert "hunter2" not in str(caught.value)
    make(base_url="http://127.0.0.1:8080", api_key=KEY, allow_insecure=True)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    make(base_url="http://127.0.0.1:8080", api_key=KEY)
    make(base_url="https://wandb.example.com", api_key=KEY)


def test_a_transport_in_the_process_may_have_any_address() -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"data": {"viewer": None}})

    Api(base_url="http://api.host", api_key=KEY, transport=httpx.MockTransport(respond))
    with pytest.raises(ConfigurationError, match="in the clear"):
        Api(base_url="http://api.host", api_key=KEY, transport=httpx.HTTPTransport())


# Files that others can read


@pytest.fixture
def _nothing_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runql.config_files._reported", set[Path]())


@pytest.mark.skipif(sys.platform == "win32", reason="no permission bits")
@pytest.mark.usefixtures("_nothing_reported")
@pytest.mark.parametrize(
    ("mode", "is_open"), [(0o600, False), (0o400, False), (0o640, True), (0o602, True), (0o620, True)]
)
def test_a_netrc_that_others_may_read_or_write_is_reported_once(
    mode: int, is_open: bool, resolve: Resolve, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = written(home / ".netrc", f"machine api.wandb.ai login user password {KEY}\n")
    file.chmod(mode)
    for _ in range(3):
        resolve(environ={})
    found = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    expected = f"other users of this machine may read or write {file} (mode {mode:04o}), which holds an API key: chmod 600 it"
    assert found == ([expected] if is_open else [])
    assert KEY not in caplog.text


@pytest.mark.skipif(sys.platform == "win32", reason="no permission bits")
@pytest.mark.usefixtures("_nothing_reported")
def test_settings_files_are_reported_where_they_hold_a_key(
    resolve: Resolve, home: Path, cwd: Path, caplog: pytest.LogCaptureFixture
) -> None:
    written(cwd / "wandb" / "settings", "[default]\nentity = e\n").chmod(0o666)
    file = written(home / ".config" / "wandb" / "settings", f"[default]\napi_key = {KEY}\n")
    file.chmod(0o644)
    written(home / ".netrc", f"machine api.wandb.ai login user password {KEY}\n").chmod(0o644)
    resolve()
    resolve()
    assert [each.args for each in caplog.records] == [(file, 0o644)]


# Pickles


def test_pickled_settings_take_the_key_of_the_process_that_loads_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mine = Settings(
        "https://own.example", "https://pages.example", SecretStr(KEY), "e", "p", 7.0, allow_insecure=True
    )
    pickled = pickle.dumps(mine)
    assert KEY.encode() not in pickled
    monkeypatch.setenv("WANDB_API_KEY", OTHER_KEY)
    theirs = pickle.loads(pickled)
    assert theirs == Settings(
        "https://own.example",
        "https://pages.example",
        SecretStr(OTHER_KEY),
        "e",
        "p",
        7.0,
        allow_insecure=True,
    )
    assert isinstance(theirs.api_key, ApiKey)


def test_pickled_settings_say_where_a_key_is_missing(tmp_path: Path) -> None:
    pickled = pickle.dumps(Settings("https://own.example", "https://own.example", SecretStr(KEY)))
    program = (
        "import pickle, sys\n"
        "from runql import MissingCredentialsError\n"
        "try:\n"
        "    pickle.loads(sys.stdin.buffer.read())\n"
        "except MissingCredentialsError as error:\n"
        "    print(error)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        input=pickled,
        capture_output=True,
        cwd=tmp_path,
        env={"HOME": str(tmp_path)},
        check=True,
    )
    printed = ended.stdout.decode()
    assert printed.startswith(
        "unpickled settings hold no API key, and this process has none: no API key for own.example"
    )


def test_copies_of_settings_keep_the_key_and_a_key_alone_is_not_pickled() -> None:
    settings = Settings("https://own.example", "https://own.example", SecretStr(KEY))
    assert copy.copy(settings) is settings
    assert copy.deepcopy({"settings": settings})["settings"].api_key == SecretStr(KEY)
    assert copy.deepcopy(settings.api_key) is copy.copy(settings.api_key) is settings.api_key
    with pytest.raises(UnshareableError, match="an API key cannot be pickled"):
        pickle.dumps(settings.api_key)


def test_a_key_compares_as_the_string_that_it_hides() -> None:
    key = ApiKey(KEY)
    assert key == SecretStr(KEY)
    assert SecretStr(KEY) == key
    assert key != SecretStr(OTHER_KEY)
    assert key != KEY
    assert len({key, ApiKey(KEY)}) == 1
    assert len(key) == len(KEY)
    assert f"{key} {key!r}" == "********** ApiKey('**********')"
    assert KEY not in str(vars(key))
