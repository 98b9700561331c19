"""Settings: where the server's URL, the API key, the entity and the project come from, and checks of each."""

from __future__ import annotations

import math
import os
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

from runql.api_key import AbsentKey, AnonymousKey, ApiKey
from runql.arguments import shown
from runql.config_files import (
    find_netrc,
    find_settings_files,
    home_folder,
    read_netrc,
    read_settings_file,
    report_open_permissions,
)
from runql.errors import ConfigurationError, MissingCredentialsError
from runql.hosts import CLOUD_API_HOSTS, api_url_for_app_host, app_url_of, is_wandb_cloud, netrc_machines
from runql.paths import is_name
from runql.tracebacks import without_frames

DEFAULT_BASE_URL = "https://api.wandb.ai"

# The newest official SDK's timeout. Its older 19 s is too short for some pages of history.
DEFAULT_TIMEOUT = 30.0

# Operating systems cannot wait much longer.
LONGEST_TIMEOUT = 1_000_000_000

_OVERRIDES = ("base_url", "app_url", "entity", "project", "organization")
_VARIABLES = {
    "base_url": "WANDB_BASE_URL",
    "entity": "WANDB_ENTITY",
    "project": "WANDB_PROJECT",
    "api_key": "WANDB_API_KEY",
    "timeout": "WANDB_HTTP_TIMEOUT",
}
_FILE_KEYS = ("base_url", "entity", "project")
_SHORTEST_KEY = 40
_OFF = frozenset({"", "0", "f", "false", "n", "no", "off"})


@dataclass(frozen=True, slots=True)
class Settings:
    """The server's URL, the API key, and the defaults for parts that a path leaves out.

    Attributes:
        base_url: the API's URL, without a trailing slash.
        app_url: the web pages' URL, without a trailing slash.
        api_key: shown by `get_secret_value` alone. A pickle of the settings does not hold it: the process that loads the
            pickle takes the key from its own environment or netrc, or raises `MissingCredentialsError`.
        entity: the default entity; None means the entity of the key's owner, which the server knows.
        project: the default project, or None.
        timeout: seconds to wait for a connection, and for each further chunk of a response.
        allow_insecure: send the key over plain HTTP to hosts other than this machine.
    """

    base_url: str
    app_url: str
    api_key: SecretStr
    entity: str | None = None
    project: str | None = None
    timeout: float = DEFAULT_TIMEOUT
    allow_insecure: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.api_key, ApiKey):
            object.__setattr__(self, "api_key", ApiKey(self.api_key.get_secret_value()))

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[object, ...]:
        return _with_key_of_this_process, (fields_without_key(self),)

    @property
    def graphql_url(self) -> str:
        """The URL that every operation is posted to."""
        return f"{self.base_url}/graphql"


def fields_without_key(settings: Settings) -> dict[str, object]:
    """Return all fields but the key, by name."""
    return {each.name: getattr(settings, each.name) for each in fields(settings) if each.name != "api_key"}


@dataclass(frozen=True, slots=True)
class _SourcedValue:
    """A setting's value, and its source for error messages."""

    value: str = field(repr=False)
    source: str


_DEFAULT_SERVER: Final = _SourcedValue(DEFAULT_BASE_URL, "the default")


@without_frames
def resolve_settings(
    base_url: str | None = None,
    *,
    api_key: str | SecretStr | None = None,
    entity: str | None = None,
    project: str | None = None,
    timeout: float | None = None,
    overrides: Mapping[str, str | None] | None = None,
    allow_insecure: bool = False,
    needs_key: bool = True,
    environ: Mapping[str, str] | None = None,
    home: Path | None = None,
    cwd: Path | None = None,
) -> Settings:
    """Take each setting from the first source that has it.

    The sources, in order: the arguments, ``overrides``, the environment, ``./wandb/settings``,
    ``$WANDB_CONFIG_DIR/settings`` (or ``~/.config/wandb/settings``), and netrc for the key. ``./wandb/settings`` may
    name a server only if the user's own settings file or netrc names it, too.
    An empty variable or line counts as absent. An empty API key is an error.

    Args:
        base_url: the API's URL.
        api_key: the API key.
        entity: the default entity.
        project: the default project.
        timeout: seconds to wait for a connection, and for each further chunk of a response.
        overrides: defaults by name: base_url, app_url, entity, project, organization (not used yet).
        allow_insecure: send the key over plain HTTP, too; the variable RUNQL_ALLOW_INSECURE=1 does the same.
        needs_key: refuse to go on without a key; else the settings have an `AnonymousKey`, and requests carry none.
        environ: replaces the process's environment.
        home: replaces the user's home folder.
        cwd: replaces the current folder.

    Raises:
        ConfigurationError: a setting cannot be used; the message names its source.
        MissingCredentialsError: no source has an API key, and ``needs_key``.
    """
    environ = os.environ if environ is None else environ
    home = home_folder() if home is None else home
    local, *own = find_settings_files(environ, home, cwd or Path())
    files = {file: read_settings_file(file) for file in (local, *own)}
    netrc = find_netrc(environ, home)
    for file, values in files.items():
        if values.get("api_key"):
            report_open_permissions(file)
    key = api_key.get_secret_value() if isinstance(api_key, SecretStr) else api_key
    given = ChainMap(
        _from_arguments({"base_url": base_url, "api_key": key, "entity": entity, "project": project}),
        _from_overrides(overrides or {}),
        _from_environment(environ),
        *(_from_settings_file(file, values) for file, values in files.items()),
    )
    _check_tls(environ, files)
    server = _checked_base_url(given.get("base_url", _DEFAULT_SERVER))
    if "base_url" in given and given["base_url"].source == _line_of("base_url", local):
        _check_is_known(server, local, own={file: files[file] for file in own}, netrc=netrc)
    pages = _checked_url("app_url", given["app_url"]) if "app_url" in given else app_url(server, environ)
    try:
        checked = _checked_key(given.get("api_key") or _key_from_netrc(server, pages, netrc))
    except MissingCredentialsError as error:
        if needs_key:
            raise
        checked = AnonymousKey(str(error))
    return Settings(
        base_url=server,
        app_url=pages,
        api_key=checked,
        entity=_checked_name("entity", given.get("entity")),
        project=_checked_name("project", given.get("project")),
        timeout=_checked_timeout(timeout, given.get("timeout")),
        allow_insecure=allow_insecure or _is_on(environ.get("RUNQL_ALLOW_INSECURE")),
    )


def _with_key_of_this_process(kept: Mapping[str, Any]) -> Settings:  # Any: fields of several types
    """Complete unpickled settings with a key."""
    settings = settings_of_this_process(kept)
    if isinstance(settings.api_key, AbsentKey):
        raise MissingCredentialsError(
            f"unpickled settings hold no API key, and this process has none: {settings.api_key.reason}"
        )
    return settings


def settings_of_this_process(kept: Mapping[str, Any]) -> Settings:  # Any: fields of several types
    """Complete settings that came without a key; where this process has none, its place has an `AbsentKey`."""
    try:
        key = resolve_settings(base_url=kept["base_url"], overrides={"app_url": kept["app_url"]}).api_key
    except MissingCredentialsError as error:
        key = AbsentKey(str(error))
    return Settings(api_key=key, **kept)


@without_frames
def checked_key(given: SecretStr | None) -> ApiKey:
    """Check a key that a caller gave.

    Raises:
        ConfigurationError: it cannot be one.
        TypeError: it is no str.
    """
    key = _require_str("key", None if given is None else given.get_secret_value())
    return _checked_key(_SourcedValue(key, "the argument key"))


def app_url(base_url: str, environ: Mapping[str, str]) -> str:
    """Return the web pages' URL of a server, without a trailing slash.

    ``WANDB_APP_URL`` wins. Otherwise W&B's own hosts drop ``api.``, other ``api.`` hosts have their pages on
    ``app.``, and any other server has both on one host.
    """
    variable = environ.get("WANDB_APP_URL", "").strip("/")
    if variable:
        return _checked_url("app_url", _SourcedValue(variable, "the environment variable WANDB_APP_URL"))
    return app_url_of(base_url)


def _check_tls(environ: Mapping[str, str], files: Mapping[Path, Mapping[str, str]]) -> None:
    """Refuse settings that switch off certificate checks, as anybody on the way could then read the API key."""
    sources = {
        "the environment variable WANDB_INSECURE_DISABLE_SSL": environ.get("WANDB_INSECURE_DISABLE_SSL")
    }
    sources |= {
        f"insecure_disable_ssl in {file}": values.get("insecure_disable_ssl")
        for file, values in files.items()
    }
    for source, value in sources.items():
        if _is_on(value):
            raise ConfigurationError(
                f"{source} switches off certificate checks, which runql does not support: anybody on the way could "
                "read the API key. Unset it, and set SSL_CERT_FILE, REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE to the "
                "file of your server's certificate authority"
            )


def _is_on(value: str | None) -> bool:
    return (value or "").strip().lower() not in _OFF


def _from_arguments(arguments: Mapping[str, str | None]) -> dict[str, _SourcedValue]:
    # An empty base_url is kept and refused later: a fallback would send the key to another server.
    return {
        name: _SourcedValue(_require_str(name, value), f"the argument {name}")
        for name, value in arguments.items()
        if value is not None and (value != "" or name in {"base_url", "api_key"})
    }


def _from_overrides(overrides: Mapping[str, str | None]) -> dict[str, _SourcedValue]:
    unknown = sorted(shown(name) for name in overrides if name not in _OVERRIDES)
    if unknown:
        raise ConfigurationError(
            f"overrides has no setting {', '.join(unknown)}: it takes {', '.join(_OVERRIDES)}"
        )
    return {
        name: _SourcedValue(_require_str(f"overrides[{name!r}]", value), f"overrides[{name!r}]")
        for name, value in overrides.items()
        if value is not None and (value != "" or name == "base_url")
    }


def _require_str(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}")
    return value


def _from_environment(environ: Mapping[str, str]) -> dict[str, _SourcedValue]:
    # WANDB_API_KEY="" is kept and refused later: CI sets it so when a secret is missing.
    return {
        name: _SourcedValue(environ[variable], f"the environment variable {variable}")
        for name, variable in _VARIABLES.items()
        if environ.get(variable) or (name == "api_key" and variable in environ)
    }


def _from_settings_file(file: Path, values: Mapping[str, str]) -> dict[str, _SourcedValue]:
    return {
        name: _SourcedValue(values[name], _line_of(name, file)) for name in _FILE_KEYS if values.get(name)
    }


def _line_of(name: str, file: Path) -> str:
    return f"{name} in {file}"


def _check_is_known(
    server: str, local: Path, *, own: Mapping[Path, Mapping[str, str]], netrc: Path | None
) -> None:
    """Refuse a server that only the working directory names: the author of that file would get the user's key.

    The user knows the server of their own settings file, without one W&B's cloud, and the machines of netrc.
    """
    given = ChainMap(*(_from_settings_file(file, values) for file, values in own.items()))
    usual = _checked_base_url(given.get("base_url", _DEFAULT_SERVER))
    if _is_same_host(server, usual) or any(_is_same_file(local, file) for file in own):
        return
    passwords = {} if netrc is None else read_netrc(netrc)
    if any(machine in passwords for machine in netrc_machines(server)):
        return
    host = urlsplit(server).netloc
    raise ConfigurationError(
        f"base_url in {local} would send your API key to {host}, which your own settings do not name: the file belongs "
        f"to the working directory, and others may have written it. If you trust {host}, set WANDB_BASE_URL={server}, "
        f"pass base_url, or add `machine {host}` to netrc; otherwise remove the line"
    )


def _is_same_host(server: str, other: str) -> bool:
    one, two = urlsplit(server), urlsplit(other)
    both_cloud = {one.hostname, two.hostname} <= set(CLOUD_API_HOSTS)
    return one.scheme == two.scheme and (both_cloud or _address(one) == _address(two))


def _address(parts: SplitResult) -> tuple[str | None, int]:
    return parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def _is_same_file(one: Path, two: Path) -> bool:
    try:
        return one.samefile(two)
    except OSError:
        return False


def _key_from_netrc(base_url: str, pages: str, file: Path | None) -> _SourcedValue:
    passwords = {} if file is None else read_netrc(file)
    machines = netrc_machines(base_url)
    for machine in machines:
        if file is not None and machine in passwords:
            report_open_permissions(file)
            return _SourcedValue(passwords[machine], f"machine {machine} in {file}")
    raise MissingCredentialsError(
        f"no API key for {machines[0]}: searched the argument api_key, the environment variable WANDB_API_KEY, "
        f"and {f'machine {machines[0]} in {file}' if file else 'netrc (no such file)'}. "
        f"Copy your key from {pages}/authorize and set WANDB_API_KEY"
    )


def _checked_url(name: str, given: _SourcedValue) -> str:
    # No message shows the URL: it may hold a password, or be an API key given by mistake.
    start = f"{name} from {given.source}"
    example = DEFAULT_BASE_URL if name == "base_url" else "https://wandb.ai"
    if any(not letter.isprintable() or letter.isspace() for letter in given.value):
        raise ConfigurationError(f"{start} has blanks or line breaks in it: give it like {example}")
    parts = _split(given.value)
    if parts is None:
        raise ConfigurationError(
            f"{start} is no http:// or https:// URL with a host, and a port up to 65535 if any: "
            f"give it like {example} or http://127.0.0.1:8080"
        )
    if "@" in parts.netloc:
        raise ConfigurationError(
            f"{start} holds a user name or password: leave them out, and set WANDB_API_KEY"
        )
    if "?" in given.value or "#" in given.value:
        raise ConfigurationError(f"{start} has a query or fragment: end it before the `?` or `#`")
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        (parts.hostname or "").encode("idna")
    except ValueError:
        # Brackets without an IPv6 address, a port that is no number, or an empty or overlong label of the host.
        return None
    return parts if usable else None


def _checked_base_url(given: _SourcedValue) -> str:
    url = _checked_url("base_url", given)
    parts = urlsplit(url)
    host = parts.hostname or ""
    api = api_url_for_app_host(host)
    if api is not None:
        raise ConfigurationError(
            f"base_url from {given.source} is {url}, where the web pages are: the API is at {api}"
        )
    if is_wandb_cloud(host) and parts.scheme != "https":
        raise ConfigurationError(
            f"base_url from {given.source} is {url}, which would send the API key in the clear: "
            f"use https://{parts.netloc}"
        )
    return url


def _checked_key(given: _SourcedValue) -> ApiKey:
    key = given.value
    # Keys of private servers have a prefix before the first dash; newer keys may hold dashes themselves.
    longest = max(len(part) for part in key.split("-", 1))
    if not key:
        problem = "is empty"
    elif any(letter.isspace() for letter in key):
        problem = "has blanks or line breaks in it"
    elif not (key.isascii() and key.isprintable()):
        problem = "has characters that no key has (keys are printable ASCII)"
    elif longest < _SHORTEST_KEY and key.count(".") != 2:  # two dots: a JSON web token
        problem = f"is too short: {longest} characters without a prefix such as `local-`, of at least {_SHORTEST_KEY}"
    else:
        return ApiKey(key)
    raise ConfigurationError(
        f"the API key from {given.source} {problem}: copy the whole key again from the web page /authorize"
    )


def _checked_name(name: str, given: _SourcedValue | None) -> str | None:
    if given is None:
        return None
    if "/" in given.value or not is_name(given.value):
        raise ConfigurationError(
            f"{name} from {given.source} is {given.value[:100]!r}: give the name alone, without `/` or line breaks"
        )
    return given.value


def checked_timeout(argument: object) -> float:
    """Check a caller's timeout in seconds, and return it.

    Raises:
        ConfigurationError: it is not positive, or too long.
        TypeError: it is no number.
    """
    return _checked_timeout(argument, None)


def checked_deadline(argument: object) -> float | None:
    """Check a caller's deadline in seconds, and return it; None for None and for infinity, which set no limit.

    Raises:
        ConfigurationError: it is not positive.
        TypeError: it is no number.
    """
    if argument is None:
        return None
    seconds = _seconds("deadline", argument)
    if not seconds > 0:  # NaN fails this too
        raise ConfigurationError(
            f"the argument deadline is {argument!r:.40}: give a positive number of seconds, such as 60"
        )
    return None if math.isinf(seconds) else seconds


def _checked_timeout(argument: object, given: _SourcedValue | None) -> float:
    if argument is not None:
        seconds, source = _seconds("timeout", argument), f"the argument timeout is {argument!r:.40}"
    elif given is not None:
        seconds, source = _parse_seconds(given.value), f"timeout from {given.source} is {given.value[:40]!r}"
    else:
        return DEFAULT_TIMEOUT
    if not 0 < seconds <= LONGEST_TIMEOUT:  # NaN fails this too
        raise ConfigurationError(
            f"{source}: give a positive number of seconds, such as 30, and at most {LONGEST_TIMEOUT:,}"
        )
    return seconds


def _seconds(name: str, argument: object) -> float:
    if isinstance(argument, bool) or not isinstance(argument, (int, float)):
        raise TypeError(f"{name} must be a number of seconds, not {type(argument).__name__}")
    try:
        return float(argument)
    except OverflowError:
        return math.inf


def _parse_seconds(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        return math.nan
