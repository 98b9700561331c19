"""The files that hold settings and API keys: where they are, and what they say. No error quotes their lines."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from runql.errors import ConfigurationError

if TYPE_CHECKING:
    from configparser import Error as IniError


def home_folder() -> Path | None:
    """The user's home folder; None for a container's user without a passwd entry."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def find_settings_files(environ: Mapping[str, str], home: Path | None, cwd: Path) -> list[Path]:
    """Where settings files may be, whether or not they exist; the first one wins."""
    local = cwd / "wandb" / "settings"
    folder = environ.get("WANDB_CONFIG_DIR")
    if folder:
        return [local, _expanded(folder, home) / "settings"]
    return [local] if home is None else [local, home / ".config" / "wandb" / "settings"]


def read_settings_file(file: Path) -> dict[str, str]:
    """The settings in a file's section ``[default]``, by lower-case name; none where there is no such file.

    Raises:
        ConfigurationError: the file cannot be read or parsed.
    """
    try:
        if not file.is_file():
            return {}
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(file, error) from error
    import configparser

    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        # The parser's own text quotes the line, which may hold a secret: name its number, and do not chain.
        raise ConfigurationError(
            f"{file}, line {_line(error)}: this is no settings file. It should be a line [default], "
            "then lines such as `entity = my-team`: correct or remove it"
        ) from None
    return dict(parser.items("default")) if parser.has_section("default") else {}


def find_netrc(environ: Mapping[str, str], home: Path | None) -> Path | None:
    """The netrc file in use: the one that NETRC names, or the first of ``~/.netrc`` and ``~/_netrc``.

    Raises:
        ConfigurationError: a folder on the way may not be read.
    """
    variable = environ.get("NETRC")
    if variable:
        candidates = [_expanded(variable, home)]
    else:
        candidates = [] if home is None else [home / ".netrc", home / "_netrc"]
    try:
        return next((file for file in candidates if file.is_file()), None)
    except OSError as error:
        raise _unreadable(candidates[0], error) from error


def read_netrc(file: Path) -> dict[str, str]:
    """The passwords in a netrc file by machine; its ``default`` entry is left out, being meant for FTP.

    Raises:
        ConfigurationError: the file cannot be read or parsed.
    """
    import netrc

    # A file that is named is not refused for its permissions: netrc checks those only when it finds the file itself.
    try:
        hosts = netrc.netrc(str(file)).hosts
    except netrc.NetrcParseError as error:
        # As with settings files, the parser's text may quote a password. Its count is at times one line ahead.
        raise ConfigurationError(
            f"{file}, at or just before line {error.lineno}: this is no netrc entry. It should read "
            "`machine api.wandb.ai login user password <API key>`, and a comment `# text` with a blank after `#`: "
            "correct it, or set WANDB_API_KEY"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(file, error) from error
    return {machine: entry[2] or "" for machine, entry in hosts.items() if machine != "default"}


def _expanded(text: str, home: Path | None) -> Path:
    return home / text[2:] if home is not None and text.startswith("~/") else Path(text)


def _line(error: IniError) -> str:
    from configparser import (
        DuplicateOptionError,
        DuplicateSectionError,
        MissingSectionHeaderError,
        ParsingError,
    )

    if isinstance(error, (MissingSectionHeaderError, DuplicateOptionError, DuplicateSectionError)):
        return str(error.lineno)
    return str(error.errors[0][0]) if isinstance(error, ParsingError) and error.errors else "unknown"


def _unreadable(file: Path, error: OSError | UnicodeDecodeError) -> ConfigurationError:
    reason = (
        (error.strerror or type(error).__name__) if isinstance(error, OSError) else "it is not UTF-8 text"
    )
    return ConfigurationError(f"{file} cannot be read ({reason}): correct its permissions or its content")
