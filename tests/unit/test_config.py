"""Where settings come from, which place wins, and what is said of those that cannot be used."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import pytest
from pydantic import SecretStr
from tests.unit.settings import KEY, OTHER_KEY, Resolve, refusal, written

from runql.config import DEFAULT_TIMEOUT, Settings, app_url, resolve_settings
from runql.errors import MissingCredentialsError

# Order


def test_only_a_key_is_needed(resolve: Resolve) -> None:
    assert resolve() == Settings(
        base_url="https://api.wandb.ai",
        app_url="https://wandb.ai",
        api_key=SecretStr(KEY),
        entity=None,
        project=None,
        timeout=DEFAULT_TIMEOUT,
    )
    assert resolve().graphql_url == "https://api.wandb.ai/graphql"


def test_each_place_gives_way_to_the_one_before_it(resolve: Resolve, home: Path, cwd: Path) -> None:
    def entity(environ: Mapping[str, str], **arguments: str | Mapping[str, str]) -> str | None:
        return resolve(environ={"WANDB_API_KEY": KEY, **environ}, **arguments).entity

    written(home / ".config" / "wandb" / "settings", "[default]\nentity = global\n")
    assert entity({}) == "global"
    written(home / "elsewhere" / "settings", "[default]\nentity = named\n")
    assert entity({"WANDB_CONFIG_DIR": str(home / "elsewhere")}) == "named"
    assert entity({"WANDB_CONFIG_DIR": "~/elsewhere"}) == "named"
    written(cwd / "wandb" / "settings", "[default]\nentity = local\n")
    assert entity({"WANDB_CONFIG_DIR": "~/elsewhere"}) == "local"
    assert entity({"WANDB_ENTITY": "environment"}) == "environment"
    assert entity({"WANDB_ENTITY": "environment"}, overrides={"entity": "override"}) == "override"
    assert entity({}, overrides={"entity": "override"}, entity="argument") == "argument"


def test_files_fill_in_for_each_other(resolve: Resolve, home: Path, cwd: Path) -> None:
    written(cwd / "wandb" / "settings", "[default]\nproject = local\n[other]\nentity = unread\n")
    written(
        home / ".config" / "wandb" / "settings",
        "\ufeff[default]\nBASE_URL = http://127.0.0.1:8080/\nentity = 100%\nproject = p\n",
    )
    settings = resolve()
    assert (settings.base_url, settings.entity, settings.project) == (
        "http://127.0.0.1:8080",
        "100%",
        "local",
    )


def test_empty_values_count_as_absent(resolve: Resolve, home: Path) -> None:
    written(home / ".config" / "wandb" / "settings", "[default]\nentity = file\nproject =\n")
    settings = resolve(
        environ={"WANDB_API_KEY": KEY, "WANDB_ENTITY": "", "WANDB_BASE_URL": ""}, entity="", project=""
    )
    assert (settings.entity, settings.project, settings.base_url) == ("file", None, "https://api.wandb.ai")
    assert resolve(overrides={"entity": None, "project": ""}).entity == "file"


def test_everything_can_come_from_arguments(resolve: Resolve) -> None:
    settings = resolve(
        environ={"WANDB_API_KEY": OTHER_KEY, "WANDB_HTTP_TIMEOUT": "7", "WANDB_APP_URL": "http://unused"},
        base_url="https://wandb.example.com/",
        api_key=KEY,
        project="p",
        timeout=3,
        overrides={"organization": "org", "app_url": "https://pages.example.com/"},
    )
    assert settings.api_key.get_secret_value() == KEY
    assert (settings.base_url, settings.app_url) == ("https://wandb.example.com", "https://pages.example.com")
    assert (settings.project, settings.timeout) == ("p", 3.0)


def test_unknown_overrides_are_named_with_the_known_ones(resolve: Resolve) -> None:
    text = refusal(lambda: resolve(overrides={"api_key": KEY, "entty": "me"}))
    assert "'api_key', 'entty'" in text
    assert "base_url, app_url, entity, project, organization" in text
    assert KEY not in text


def test_text_must_be_text(resolve: Resolve) -> None:
    with pytest.raises(TypeError, match="base_url must be a str, not int"):
        resolve(base_url=1)
    with pytest.raises(TypeError, match=r"overrides\['entity'\] must be a str, not float"):
        resolve(overrides={"entity": 1.5})


def test_a_user_without_a_home_folder(monkeypatch: pytest.MonkeyPatch, cwd: Path) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    assert resolve_settings(environ={"WANDB_API_KEY": KEY}, cwd=cwd).entity is None
    assert "netrc" in refusal(lambda: resolve_settings(environ={}, cwd=cwd), MissingCredentialsError)


def test_the_process_environment_is_the_default(
    monkeypatch: pytest.MonkeyPatch, home: Path, cwd: Path
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", OTHER_KEY)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(cwd)
    for name in ("WANDB_BASE_URL", "WANDB_ENTITY", "WANDB_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    written(cwd / "wandb" / "settings", "[default]\nentity = here\n")
    settings = resolve_settings()
    assert (settings.api_key.get_secret_value(), settings.entity) == (OTHER_KEY, "here")


# Secrecy


def test_the_key_is_shown_nowhere(resolve: Resolve) -> None:
    settings = resolve()
    for shown in (repr(settings), str(settings), f"{settings}", repr(vars_of(settings))):
        assert KEY not in shown
    assert KEY.encode() not in pickle.dumps(settings)


def vars_of(settings: Settings) -> list[object]:
    return [getattr(settings, name) for name in Settings.__slots__]


# URLs


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("", "no http"),
        ("wandb.example.com", "no http"),
        ("ftp://wandb.example.com", "no http"),
        ("https://", "no http"),
        ("https://[::1", "no http"),
        ("https://host:port", "no http"),
        ("https://host:99999", "no http"),
        ("https://host:65536", "a port up to 65535"),
        ("https://a..b", "no http"),
        (f"https://{'a' * 64}.b", "no http"),
        ("https://\udcff", "blanks"),
        (" https://host", "blanks"),
        ("https://host\n", "blanks"),
        ("https://me:hunter2@host", "password"),
        ("https://me@host", "user name"),
        ("https://host/?token=hunter2", "query"),
        ("https://host/#part", "query or fragment"),
        ("http://api.wandb.ai", "use https://api.wandb.ai"),
        ("https://wandb.ai", "the API is at https://api.wandb.ai"),
        ("http://wandb.ai/", "the API is at https://api.wandb.ai"),
        ("https://App.WandB.ai", "the API is at https://api.wandb.ai"),
        ("https://forge.coreweave.com/wandb", "the API is at https://api.forge.coreweave.com"),
        ("http://api.forge.coreweave.com", "use https://api.forge.coreweave.com"),
    ],
)
def test_servers_that_are_refused(resolve: Resolve, url: str, complaint: str) -> None:
    text = refusal(lambda: resolve(base_url=url))
    assert complaint in text
    assert "the argument base_url" in text
    assert "hunter2" not in text


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://API.wandb.ai//", "https://api.wandb.ai"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
        ("https://notwandb.ai", "https://notwandb.ai"),
        ("https://api.forge.coreweave.com", "https://api.forge.coreweave.com"),
        ("https://api.qa.wandb.ai", "https://api.qa.wandb.ai"),
        ("https://host/Base/", "https://host/Base"),
    ],
)
def test_servers_that_are_accepted(resolve: Resolve, url: str, kept: str) -> None:
    assert resolve(base_url=url).base_url == kept


def test_refusals_name_where_the_value_came_from(resolve: Resolve, cwd: Path) -> None:
    environ = {"WANDB_API_KEY": KEY, "WANDB_BASE_URL": "nonsense"}
    assert "WANDB_BASE_URL" in refusal(lambda: resolve(environ=environ))
    assert "overrides['base_url']" in refusal(lambda: resolve(overrides={"base_url": ""}))
    file = written(cwd / "wandb" / "settings", "[default]\nbase_url = nonsense\n")
    assert f"base_url in {file}" in refusal(resolve)


def test_a_key_given_as_the_server_is_not_shown(resolve: Resolve) -> None:
    assert KEY not in refusal(lambda: resolve(base_url=KEY))


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        ("https://api.wandb.ai", "https://wandb.ai"),
        ("https://api.wandb.test", "https://app.wandb.test"),
        ("https://api.wandb.example.com", "https://wandb.example.com"),
        ("https://api.example.com", "https://app.example.com"),
        ("https://api.forge.coreweave.com", "https://forge.coreweave.com/wandb"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("https://wandb.example.com/api.wandb.ai", "https://wandb.example.com/api.wandb.ai"),
    ],
)
def test_app_url(base_url: str, expected: str) -> None:
    assert app_url(base_url, {}) == expected
    assert app_url(base_url, {"WANDB_APP_URL": "/https://pages.example.com//"}) == "https://pages.example.com"


def test_an_unusable_app_url_is_refused(resolve: Resolve) -> None:
    text = refusal(lambda: resolve(environ={"WANDB_API_KEY": KEY, "WANDB_APP_URL": "pages"}))
    assert "app_url from the environment variable WANDB_APP_URL" in text


# Certificates


@pytest.mark.parametrize("value", ["true", "1", "yes", "TRUE", "on", "please"])
def test_unchecked_certificates_are_refused(resolve: Resolve, cwd: Path, value: str) -> None:
    message = refusal(lambda: resolve(environ={"WANDB_API_KEY": KEY, "WANDB_INSECURE_DISABLE_SSL": value}))
    assert "WANDB_INSECURE_DISABLE_SSL switches off certificate checks" in message
    assert "SSL_CERT_FILE" in message
    file = written(cwd / "wandb" / "settings", f"[default]\ninsecure_disable_ssl = {value}\n")
    assert f"insecure_disable_ssl in {file}" in refusal(resolve)


@pytest.mark.parametrize("value", ["", "false", "0", "no", "False", " off "])
def test_checked_certificates_are_what_there_is(resolve: Resolve, cwd: Path, value: str) -> None:
    written(cwd / "wandb" / "settings", f"[default]\ninsecure_disable_ssl = {value}\n")
    assert resolve(environ={"WANDB_API_KEY": KEY, "WANDB_INSECURE_DISABLE_SSL": value}).timeout


# Keys


@pytest.mark.parametrize("key", [KEY, f"local-{KEY}", f"wandb_v1_{'aB3-' * 20}", "e30.e30.c2ln"])
def test_keys_that_are_accepted(resolve: Resolve, key: str) -> None:
    assert resolve(api_key=key).api_key.get_secret_value() == key


@pytest.mark.parametrize(
    ("key", "complaint"),
    [
        ("", "is empty"),
        (" " + KEY, "blanks"),
        (KEY + "\n", "blanks"),
        (KEY[:20] + " " + KEY[20:], "blanks"),
        (KEY[:-1] + "é", "printable ASCII"),
        (KEY + "\x00", "printable ASCII"),
        (KEY[:-1], "too short: 39"),
        ("local-" + KEY[:-1], "too short: 39"),
    ],
)
def test_keys_that_are_refused(resolve: Resolve, key: str, complaint: str) -> None:
    for text, source in (
        (refusal(lambda: resolve(api_key=key)), "the argument api_key"),
        (refusal(lambda: resolve(environ={"WANDB_API_KEY": key})), "WANDB_API_KEY"),
    ):
        assert complaint in text
        assert source in text
        assert KEY[:20] not in text


# Names and times


@pytest.mark.parametrize("name", ["team/project", "line\nbreak", "   ", "\ud800", ".."])
def test_names_that_are_refused(resolve: Resolve, name: str) -> None:
    assert "entity from the argument entity" in refusal(lambda: resolve(entity=name))
    assert "project from the environment variable WANDB_PROJECT" in refusal(
        lambda: resolve(environ={"WANDB_API_KEY": KEY, "WANDB_PROJECT": name})
    )


def test_the_timeout_in_seconds(resolve: Resolve) -> None:
    assert resolve(environ={"WANDB_API_KEY": KEY, "WANDB_HTTP_TIMEOUT": "2.5"}).timeout == 2.5
    assert resolve(environ={"WANDB_API_KEY": KEY, "WANDB_HTTP_TIMEOUT": "2.5"}, timeout=4).timeout == 4.0


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), 10**400])
def test_timeouts_that_are_refused(resolve: Resolve, timeout: float) -> None:
    assert "the argument timeout is" in refusal(lambda: resolve(timeout=timeout))


@pytest.mark.parametrize("text", ["soon", "0", "nan", "inf", "1e999", "30s"])
def test_timeouts_of_the_environment_that_are_refused(resolve: Resolve, text: str) -> None:
    message = refusal(lambda: resolve(environ={"WANDB_API_KEY": KEY, "WANDB_HTTP_TIMEOUT": text}))
    assert "WANDB_HTTP_TIMEOUT" in message
    assert repr(text) in message


@pytest.mark.parametrize("timeout", [True, "30"])
def test_timeouts_of_another_type(resolve: Resolve, timeout: str | bool) -> None:
    with pytest.raises(TypeError, match="timeout must be a number of seconds, not"):
        resolve(timeout=timeout)
