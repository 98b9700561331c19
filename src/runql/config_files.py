"""Finding and reading the files that hold settings and API keys; no error quotes their lines."""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from runql.errors import ConfigurationError

if TYPE_CHECKING:
    from configparser import Error as IniError

logger: Final = logging.getLogger("runql.config")

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_reported: Final[set[Path]] = set()


def home_folder() -> Path | None:
    """Return the user's home folder; None for a container's user without a passwd entry."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def find_settings_files(environ: Mapping[str, str], home: Path | None, cwd: Path) -> list[Path]:
    """Return the paths of settings files, whether or not they exist; the first has precedence."""
    local = cwd / "wandb" / "settings"
    folder = environ.get("WANDB_CONFIG_DIR")
    if folder:
        return [local, _expanded(folder, home) / "settings"]
    return [local] if home is None else [local, home / ".config" / "wandb" / "settings"]


def read_settings_file(file: Path) -> dict[str, str]:
    """Return the settings of a file's section ``[default]``, by lower-case name; a missing file gives none.

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
        # The parser's message quotes the line, which may hold a secret: give its number, and do not chain.
        raise ConfigurationError(
            f"{file}, line {_line(error)}: this is no settings file. It needs a line [default], "
            "then lines such as `entity = my-team`: correct or remove it"
        ) from None
    return dict(parser.items("default")) if parser.has_section("default") else {}


def find_netrc(environ: Mapping[str, str], home: Path | None) -> Path | None:
    """Return the netrc file in use: the one that NETRC names, or the first of ``~/.netrc`` and ``~/_netrc``.

    Raises:
        ConfigurationError: a folder on the way cannot be read.
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
    """Return a netrc file's passwords by machine, without its ``default`` entry, which is meant for FTP.

    Raises:
        ConfigurationError: the file cannot be read or parsed.
    """
    import netrc

    # Given a path, the netrc module does not check the file's permissions.
    try:
        _refuse_byte_order_mark(file)
        hosts = netrc.netrc(str(file)).hosts
    except netrc.NetrcParseError as error:
        # As above, the parser's message may quote a password. Its line number is sometimes one too high.
        raise ConfigurationError(
            f"{file}, at or just before line {error.lineno}: this is no netrc entry. An entry reads "
            "`machine api.wandb.ai login user password <API key>`, and a comment needs a blank after its `#`: "
            "correct it, or set WANDB_API_KEY"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(file, error) from error
    return {machine: entry[2] or "" for machine, entry in hosts.items() if machine != "default"}


def report_open_permissions(file: Path) -> None:
    """Log, once in a process, that others than its owner may read or write a file that holds a key."""
    if os.name != "posix" or file in _reported:
        return
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
    except OSError:
        return
    if mode & _OTHERS:
        _reported.add(file)
        logger.warning(
            "other users of this machine may read or write %s (mode %04o), which holds an API key: chmod 600 it",
            file,
            mode,
        )


def _refuse_byte_order_mark(file: Path) -> None:
    """Name what editors and shells of Windows put before the first word; netrc readers take it for a part of the word."""
    with file.open("rb") as opened:
        start = opened.read(3)
    if start.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise ConfigurationError(
            f"{file} begins with a byte order mark: save it as UTF-8 without one (in PowerShell `Set-Content -Encoding "
            "ascii`), or set WANDB_API_KEY"
        )


def _expanded(path: str, home: Path | None) -> Path:
    begins = path.startswith("~/") or (os.name == "nt" and path.startswith("~\\"))
    return home / path[2:] if home is not None and begins else Path(path)


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
    reason = (error.strerror or type(error).__name__) if isinstance(error, OSError) else "it is not UTF-8"
    return ConfigurationError(f"{file} cannot be read ({reason}): correct its permissions or its content")
