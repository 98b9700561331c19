"""Settings files and netrc: which is read, which wins, and what is said of those that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.settings import KEY, OTHER_KEY, Resolve, refusal, written

from runql.errors import MissingCredentialsError

# netrc


def test_netrc_comes_last(resolve: Resolve, home: Path) -> None:
    written(home / ".netrc", f"machine api.wandb.ai login user password {OTHER_KEY}\n")
    assert resolve(environ={}).api_key.get_secret_value() == OTHER_KEY
    assert resolve(environ={"WANDB_API_KEY": KEY}).api_key.get_secret_value() == KEY


def test_which_netrc_file(resolve: Resolve, home: Path) -> None:
    def key(**environ: str) -> str:
        return resolve(environ=environ).api_key.get_secret_value()

    line = "machine api.wandb.ai\n  login user\n  password {}\n"
    written(home / "_netrc", line.format("c" * 40))
    assert key() == "c" * 40
    written(home / ".netrc", line.format("b" * 40)).chmod(0o644)
    assert key() == "b" * 40
    written(home / "named", line.format("a" * 40))
    assert key(NETRC=str(home / "named")) == key(NETRC="~/named") == "a" * 40


def test_netrc_entries_with_the_port_come_first(resolve: Resolve, home: Path) -> None:
    def key(port: int) -> str:
        return resolve(environ={}, base_url=f"http://127.0.0.1:{port}").api_key.get_secret_value()

    written(
        home / ".netrc",
        f"# two servers\nmachine 127.0.0.1 login user password {KEY}\n"
        f"machine 127.0.0.1:8080 login user password {OTHER_KEY}\n"
        "default login anonymous password me@example.com\n",
    )
    assert key(8080) == OTHER_KEY
    assert key(8081) == KEY
    refusal(lambda: resolve(environ={}, base_url="http://localhost"), MissingCredentialsError)


def test_the_cloud_has_two_names_in_netrc(resolve: Resolve, home: Path) -> None:
    def key(base_url: str) -> str:
        return resolve(environ={}, base_url=base_url).api_key.get_secret_value()

    written(home / ".netrc", f"machine api.forge.coreweave.com login user password {KEY}\n")
    assert key("https://api.wandb.ai") == key("https://api.forge.coreweave.com") == KEY
    refusal(lambda: key("https://api.wandb.ai.example.com"), MissingCredentialsError)
    written(home / ".netrc", f"machine api.wandb.ai login user password {OTHER_KEY}\n")
    assert key("https://api.forge.coreweave.com") == OTHER_KEY


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"machine api.wandb.ai login user password\n{KEY} {KEY}\n\n", 3),
        (f"{KEY}\n\n", 2),
        (f"machine api.wandb.ai {KEY} \n", 1),
    ],
)
def test_a_broken_netrc_names_file_and_line_only(resolve: Resolve, home: Path, text: str, line: int) -> None:
    file = written(home / ".netrc", text)
    message = refusal(lambda: resolve(environ={}))
    assert message.startswith(f"{file}, at or just before line {line}: ")
    assert KEY not in message
    assert "login user password" in message
    assert resolve().entity is None


def test_a_netrc_entry_without_a_key(resolve: Resolve, home: Path) -> None:
    file = written(home / ".netrc", "machine api.wandb.ai login user\n")
    assert f"machine api.wandb.ai in {file} is empty" in refusal(lambda: resolve(environ={}))


def test_no_key_anywhere(resolve: Resolve, home: Path) -> None:
    text = refusal(lambda: resolve(environ={}, base_url="https://api.example.com"), MissingCredentialsError)
    for place in (
        "argument api_key",
        "WANDB_API_KEY",
        "netrc (no such file)",
        "https://app.example.com/authorize",
    ):
        assert place in text
    file = written(home / ".netrc", f"machine elsewhere.example.com login user password {KEY}\n")
    text = refusal(lambda: resolve(environ={}, base_url="https://api.example.com"), MissingCredentialsError)
    assert f"machine api.example.com in {file}" in text
    assert KEY not in text


# Files that cannot be used


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"api_key = {KEY}\n", 1),
        (f"[default]\nentity = me\n{KEY}\n", 3),
        ("[default]\nentity = me\n\nentity = you\n", 4),
        ("[default]\nentity = me\n[default]\n", 3),
    ],
)
def test_a_broken_settings_file_names_file_and_line_only(
    resolve: Resolve, cwd: Path, text: str, line: int
) -> None:
    file = written(cwd / "wandb" / "settings", text)
    message = refusal(resolve)
    assert message.startswith(f"{file}, line {line}: ")
    assert KEY not in message


def test_files_that_are_no_text_or_no_files(resolve: Resolve, home: Path, cwd: Path) -> None:
    (cwd / "wandb" / "settings").mkdir(parents=True)
    (home / ".config").write_text("a file where a folder is expected")
    assert resolve().entity is None
    (home / ".netrc").write_bytes(b"\xff\xfe machine")
    message = refusal(lambda: resolve(environ={}))
    assert str(home / ".netrc") in message
    named = home / "config"
    named.mkdir()
    (named / "settings").write_bytes(b"[default]\nentity = \xff\n")
    message = refusal(lambda: resolve(environ={"WANDB_API_KEY": KEY, "WANDB_CONFIG_DIR": str(named)}))
    assert f"{named / 'settings'} cannot be read (it is not UTF-8)" in message


def test_files_that_may_not_be_read(resolve: Resolve, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Played, because the superuser may read everything.
    def denied(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    file = written(home / ".netrc", "")
    monkeypatch.setattr("netrc.open", denied, raising=False)
    assert f"{file} cannot be read (Permission denied)" in refusal(lambda: resolve(environ={}))
    file = written(home / ".config" / "wandb" / "settings", "")
    monkeypatch.setattr(Path, "read_text", denied)
    assert f"{file} cannot be read (Permission denied)" in refusal(resolve)
