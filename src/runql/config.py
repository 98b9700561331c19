"""Where the server, the API key, the entity and the project come from, and which of them cannot be used."""

from __future__ import annotations

import math
import os
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

from runql.arguments import shown
from runql.config_files import find_netrc, find_settings_files, home_folder, read_netrc, read_settings_file
from runql.errors import ConfigurationError, MissingCredentialsError
from runql.hosts import api_url_for_app_host, app_url_of, is_wandb_cloud, netrc_machines
from runql.paths import is_name

DEFAULT_BASE_URL = "https://api.wandb.ai"

# One try of the newest official SDK lasts 30 s; the older 19 s cuts off pages of history that the server does answer.
DEFAULT_TIMEOUT = 30.0

# Further, an operating system cannot count its waits.
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
    """Which server to talk to, as whom, and what to assume when a path leaves a part out.

    Attributes:
        base_url: the API's URL, without a trailing slash.
        app_url: the web pages' URL, without a trailing slash.
        api_key: never shown by ``repr`` or ``str``.
        entity: the default entity; None leaves it to the server, which knows the key's owner.
        project: the default project, or None.
        timeout: seconds to wait for a connection, and for each further piece of an answer.
    """

    base_url: str
    app_url: str
    api_key: SecretStr
    entity: str | None = None
    project: str | None = None
    timeout: float = DEFAULT_TIMEOUT

    @property
    def graphql_url(self) -> str:
        """The URL that every operation is posted to."""
        return f"{self.base_url}/graphql"


@dataclass(frozen=True, slots=True)
class _SourcedValue:
    """A value, and the place to name when it cannot be used."""

    text: str = field(repr=False)
    source: str


def resolve_settings(
    *,
    base_url: str | None = None,
    api_key: str | None = None,
    entity: str | None = None,
    project: str | None = None,
    timeout: float | None = None,
    overrides: Mapping[str, str | None] | None = None,
    environ: Mapping[str, str] | None = None,
    home: Path | None = None,
    cwd: Path | None = None,
) -> Settings:
    """Settle each setting by the first place that has it.

    The places, in order: the arguments, ``overrides``, the environment, ``./wandb/settings``,
    ``$WANDB_CONFIG_DIR/settings`` (or ``~/.config/wandb/settings``), and netrc for the key.
    An empty variable or line counts as absent, but for an empty API key, which is an error.

    Args:
        base_url: the API's URL.
        api_key: the API key.
        entity: the default entity.
        project: the default project.
        timeout: seconds to wait for a connection, and for each further piece of an answer.
        overrides: defaults by name: base_url, app_url, entity, project, organization (read by nothing yet).
        environ: stands in for the process's environment.
        home: stands in for the user's home folder.
        cwd: stands in for the current folder.

    Raises:
        ConfigurationError: a setting cannot be used; the text says where it came from.
        MissingCredentialsError: there is no API key in any of the places.
    """
    environ = os.environ if environ is None else environ
    home = home_folder() if home is None else home
    files = {file: read_settings_file(file) for file in find_settings_files(environ, home, cwd or Path())}
    given = ChainMap(
        _from_arguments({"base_url": base_url, "api_key": api_key, "entity": entity, "project": project}),
        _from_overrides(overrides or {}),
        _from_environment(environ),
        *(_from_settings_file(file, values) for file, values in files.items()),
    )
    _check_tls(environ, files)
    server = _checked_base_url(given.get("base_url", _SourcedValue(DEFAULT_BASE_URL, "the default")))
    pages = _checked_url("app_url", given["app_url"]) if "app_url" in given else app_url(server, environ)
    return Settings(
        base_url=server,
        app_url=pages,
        api_key=_checked_key(
            given.get("api_key") or _key_from_netrc(server, pages, find_netrc(environ, home))
        ),
        entity=_checked_name("entity", given.get("entity")),
        project=_checked_name("project", given.get("project")),
        timeout=_checked_timeout(timeout, given.get("timeout")),
    )


def app_url(base_url: str, environ: Mapping[str, str]) -> str:
    """The web pages' URL that belongs to an API's URL, without a trailing slash.

    ``WANDB_APP_URL`` wins; otherwise W&B's own hosts drop ``api.``, other ``api.`` hosts have their pages on
    ``app.``, and any other server serves both from one host.
    """
    variable = environ.get("WANDB_APP_URL", "").strip("/")
    if variable:
        return _checked_url("app_url", _SourcedValue(variable, "the environment variable WANDB_APP_URL"))
    return app_url_of(base_url)


def _check_tls(environ: Mapping[str, str], files: Mapping[Path, Mapping[str, str]]) -> None:
    """Refuse a request for unchecked certificates, which would show the API key to anybody on the way."""
    asked = {"the environment variable WANDB_INSECURE_DISABLE_SSL": environ.get("WANDB_INSECURE_DISABLE_SSL")}
    asked |= {
        f"insecure_disable_ssl in {file}": values.get("insecure_disable_ssl")
        for file, values in files.items()
    }
    for source, value in asked.items():
        if (value or "").strip().lower() not in _OFF:
            raise ConfigurationError(
                f"{source} asks for connections whose certificates nobody checks, which runql does not make: they "
                "would show the API key to anybody on the way. Unset it, and name the file of the certificate of "
                "your server's authority by SSL_CERT_FILE, REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE"
            )


def _from_arguments(arguments: Mapping[str, str | None]) -> dict[str, _SourcedValue]:
    # An empty base_url is kept, to be refused: falling back would send the key to another server.
    return {
        name: _SourcedValue(_text(name, value), f"the argument {name}")
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
        name: _SourcedValue(_text(f"overrides[{name!r}]", value), f"overrides[{name!r}]")
        for name, value in overrides.items()
        if value is not None and (value != "" or name == "base_url")
    }


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a str, not {type(value).__name__}")
    return value


def _from_environment(environ: Mapping[str, str]) -> dict[str, _SourcedValue]:
    # WANDB_API_KEY="" is kept, to be refused: it is what CI sets when a secret is missing.
    return {
        name: _SourcedValue(environ[variable], f"the environment variable {variable}")
        for name, variable in _VARIABLES.items()
        if environ.get(variable) or (name == "api_key" and variable in environ)
    }


def _from_settings_file(file: Path, values: Mapping[str, str]) -> dict[str, _SourcedValue]:
    return {name: _SourcedValue(values[name], f"{name} in {file}") for name in _FILE_KEYS if values.get(name)}


def _key_from_netrc(base_url: str, pages: str, file: Path | None) -> _SourcedValue:
    passwords = {} if file is None else read_netrc(file)
    machines = netrc_machines(base_url)
    for machine in machines:
        if machine in passwords:
            return _SourcedValue(passwords[machine], f"machine {machine} in {file}")
    raise MissingCredentialsError(
        f"no API key for {machines[0]}: looked at the argument api_key, the environment variable WANDB_API_KEY, "
        f"and {f'machine {machines[0]} in {file}' if file else 'netrc (no such file)'}. "
        f"Copy your key from {pages}/authorize and set WANDB_API_KEY"
    )


def _checked_url(name: str, given: _SourcedValue) -> str:
    # No message shows the URL: it may hold a password, and a mistaken one may be the API key itself.
    start = f"{name} from {given.source}"
    example = DEFAULT_BASE_URL if name == "base_url" else "https://wandb.ai"
    if any(not letter.isprintable() or letter.isspace() for letter in given.text):
        raise ConfigurationError(f"{start} has blanks or line breaks in it: give it like {example}")
    parts = _split(given.text)
    if parts is None:
        raise ConfigurationError(
            f"{start} is no http:// or https:// URL with a host, and a port up to 65535 if any: "
            f"give it like {example} or http://127.0.0.1:8080"
        )
    if "@" in parts.netloc:
        raise ConfigurationError(
            f"{start} holds a user name or password: leave them out, and give the API key by WANDB_API_KEY"
        )
    if "?" in given.text or "#" in given.text:
        raise ConfigurationError(f"{start} has a query or fragment: end it before the `?` or `#`")
    return f"{parts.scheme}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        (parts.hostname or "").encode("idna")
    except (
        ValueError
    ):  # brackets without an IPv6 address, no number for a port, an empty or overlong part of the host
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


def _checked_key(given: _SourcedValue) -> SecretStr:
    key = given.text
    # A prefix up to the first dash marks keys of private servers; later keys may themselves hold dashes.
    longest = max(len(part) for part in key.split("-", 1))
    if not key:
        problem = "is empty"
    elif any(letter.isspace() for letter in key):
        problem = "has blanks or line breaks in it"
    elif not (key.isascii() and key.isprintable()):
        problem = "has characters that no key has (only printable ASCII occurs)"
    elif longest < _SHORTEST_KEY and key.count(".") != 2:  # two dots: a JSON web token
        problem = (
            f"is too short: {longest} characters, not counting a prefix such as `local-`, of {_SHORTEST_KEY}"
        )
    else:
        return SecretStr(key)
    raise ConfigurationError(
        f"the API key from {given.source} {problem}: copy it once more, the whole of it, from the web page /authorize"
    )


def _checked_name(name: str, given: _SourcedValue | None) -> str | None:
    if given is None:
        return None
    if "/" in given.text or not is_name(given.text):
        raise ConfigurationError(
            f"{name} from {given.source} is {given.text[:100]!r}: give the name alone, without `/` or line breaks"
        )
    return given.text


def _checked_timeout(argument: object, given: _SourcedValue | None) -> float:
    if argument is not None:
        seconds, source = _seconds(argument), f"the argument timeout is {argument!r:.40}"
    elif given is not None:
        seconds, source = _seconds_of_text(given.text), f"timeout from {given.source} is {given.text[:40]!r}"
    else:
        return DEFAULT_TIMEOUT
    if not 0 < seconds <= LONGEST_TIMEOUT:  # NaN fails this too
        raise ConfigurationError(
            f"{source}: give a positive number of seconds, such as 30, {LONGEST_TIMEOUT:,} at most"
        )
    return seconds


def _seconds(argument: object) -> float:
    if isinstance(argument, bool) or not isinstance(argument, (int, float)):
        raise TypeError(f"timeout must be a number of seconds, not {type(argument).__name__}")
    try:
        return float(argument)
    except OverflowError:
        return math.inf


def _seconds_of_text(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
