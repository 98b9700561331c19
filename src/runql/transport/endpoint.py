"""The rules of both drivers: where a request goes, which headers it carries, and what httpx's exceptions mean."""

from __future__ import annotations

import re
from collections.abc import Iterable
from copy import copy
from functools import lru_cache
from urllib.parse import unquote

from pydantic import SecretStr

from runql.api_key import AbsentKey
from runql.config import Settings
from runql.errors import (
    ConfigurationError,
    ConnectionFailedError,
    MissingCredentialsError,
    OutdatedServerError,
    RequestTimedOutError,
    TransportError,
)
from runql.limits import ResponseLimitError
from runql.transport.codec import encode, refused_parts
from runql.transport.connections.long_bodies import FOR_A_FILE, PIECE, WHOLE
from runql.transport.credentials.authorization import Credentials
from runql.transport.diagnosis import ONCE, PASSWORD_WANTED, diagnose, diagnose_407, host_of
from runql.transport.flow import Download, Post, Send, Upload
from runql.transport.http_library import httpx
from runql.transport.limits.decoding import ACCEPTED
from runql.transport.retry import Outcome
from runql.transport.unknown_parts import describe_unknown_parts, optional_fields
from runql.transport.wire import Failure, Request, Response
from runql.version import __version__

USER_AGENT = f"runql/{__version__}"

# Errors raised before the request was sent: the server has not seen it.
UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

NO_REQUEST = httpx.Request("GET", "")
"""Takes the place of the request in a response of a caller's transport: that one holds the API key."""

_ABSOLUTE = re.compile(r"https?://", re.IGNORECASE)


@lru_cache(maxsize=64)
def parsed(url: str) -> httpx.URL:
    """Parse a request's URL. The result is cached: parsing takes as long as sending a small request.

    Raises:
        httpx.InvalidURL, ValueError: no request can be sent to it.
    """
    read = httpx.URL(url)
    if not 0 < (1 if read.port is None else read.port) < 65536:
        raise ValueError("its port is above 65535, or 0")
    if read.scheme in {"http", "https"} and not read.host:
        raise ValueError("it has no host")
    if "%" in read.host and ":" not in read.host:  # only the zone of an IPv6 address may be escaped
        raise ValueError("its host holds a character that no host name may hold")
    if read.host.startswith("xn--"):  # httpx raises an error of its own, httpx2 keeps the host
        raise ValueError("its host is no encoding of an international name")
    # The system's resolver encodes it the same way, and fails on labels that are empty or too long.
    read.host.encode("idna")
    return read


class Endpoint:
    """The API that a client talks to, and the credentials, which are sent to it alone."""

    def __init__(self, settings: Settings) -> None:
        """Raises ConfigurationError when no request can be built from the settings; `resolve_settings` checks its own."""
        try:
            self._base = parsed(settings.base_url.rstrip("/") + "/")
            self._take(settings.api_key)
        except (httpx.InvalidURL, ValueError):
            # The error shows neither: a URL may hold a password.
            raise ConfigurationError(
                "base_url or the API key cannot be used: the URL has no valid host, or a port above "
                "65535, or one of them holds half a surrogate pair"
            ) from None
        self._graphql_url = settings.graphql_url
        self._timeout = settings.timeout
        self._unknown: set[str] = set()
        self._known_hosts: set[str] = set()

    def with_timeout(self, seconds: float) -> Endpoint:
        """Return the same endpoint for requests of another timeout; both share what they learn about the server."""
        other = copy(self)
        vars(other)["_timeout"] = seconds
        return other

    def with_key(self, key: SecretStr) -> Endpoint:
        """Return the same endpoint for another key; both share what they learn about the server."""
        other = copy(self)
        other._take(key)  # noqa: SLF001 - of the same class
        return other

    def _take(self, key: SecretStr) -> None:
        self.credentials: Credentials = Credentials(key)
        self._no_key = key.reason if isinstance(key, AbsentKey) else None

    def request(self, effect: Send | Download | Upload | Post) -> Request:
        """Return the HTTP request of an effect.

        Raises:
            ConnectionFailedError: the server named a URL that cannot be requested.
            OutdatedServerError: the server has refused before a part that the effect needs.
            MissingCredentialsError: the client was unpickled where there is no key.
        """
        if self._no_key is not None:
            raise MissingCredentialsError(
                f"what was unpickled brought no API key, and this process has none: {self._no_key}; "
                "or give it one by with_key(key)"
            )
        if isinstance(effect, Download):
            url = self._resolved(effect.url)
            part = None if effect.part is None else effect.part.header
            return Request(
                url.path,
                str(url),
                most_attempts=effect.most_attempts,
                repeats_conflicts=True,
                sink=effect.sink,
                part=part,
            )
        if isinstance(effect, Upload):
            # `join` would drop the base URL's own path, which a relative upload URL needs in front.
            address = f"{self._base}{effect.url[1:]}" if effect.url.startswith("/") else effect.url
            url = self._resolved(address)
            return Request(
                url.path,
                str(url),
                repeats_conflicts=True,
                source=effect.source,
                source_headers=effect.headers,
            )
        if isinstance(effect, Post):
            url = self._resolved(f"{self._base}{effect.path}")
            return Request(url.path, str(url), content=effect.content, repeats_conflicts=True)
        operation = effect.operation
        if lacking := [part for part in effect.needs if part in self._unknown]:
            raise OutdatedServerError(
                describe_unknown_parts(lacking), status=200, operation=operation.name, unknown=lacking
            )
        return Request(
            operation.name,
            self._graphql_url,
            content=encode(operation, self._unknown),
            repeatable=operation.kind == "query" or effect.repeatable,
            fail_fast=effect.fail_fast,
            repeats_conflicts=effect.repeatable,
        )

    def reduced_request(
        self, effect: Send | Download | Upload | Post, sent: Request, response: Response
    ) -> Request | None:
        """Return the request without the fields that the server does not know; None unless it was refused for them alone.

        Later requests leave the fields out from the start.
        """
        if not isinstance(effect, Send) or not (refused := refused_parts(response)):
            return None
        self._unknown |= refused.intersection(effect.needs)
        if not refused <= optional_fields(effect.operation.document):
            return None
        self._unknown |= refused
        # The server refuses fields that were not sent: retrying would not end.
        again = self.request(effect)
        return None if again.content == sent.content else again

    def headers(self, request: Request) -> dict[str, str]:
        """Return the request's headers, without credentials."""
        headers = {"Accept": "*/*", "Accept-Encoding": ACCEPTED, "User-Agent": USER_AGENT}
        if request.source is not None:
            given = {
                name: value for name, value in request.source_headers if name.lower() != "content-length"
            }
            return headers | given | {"Content-Length": str(request.size)}
        if request.sink is not None:
            headers |= request.sink.headers()
        if request.part is not None:
            # Not encoded: a range of an encoded body would count other bytes.
            headers |= {"Range": request.part, "Accept-Encoding": "identity"}
        if request.content is not None:
            headers["Content-Type"] = "application/json"
        return headers

    def http_request(
        self,
        request: Request,
        content: bytes | Iterable[bytes] | None,
        timeout: float | None,
    ) -> httpx.Request:
        """Return what a transport of httpx sends: with the credentials, if the URL is below the base URL."""
        headers = self.headers(request)
        if self.carries_key(request):
            name, value = self.credentials.header()
            headers[name] = value
        return httpx.Request(
            request.method,
            parsed(request.url),
            headers=headers,
            content=content,
            extensions={
                "timeout": httpx.Timeout(timeout).as_dict(),
                PIECE: WHOLE if request.sink is None else FOR_A_FILE,
            },
        )

    def carries_key(self, request: Request) -> bool:
        """Whether a request carries the credentials: only if there are any, and its URL is below the base URL."""
        return (
            not self.credentials.is_anonymous and request.source is None and self._is_below_base(request.url)
        )

    def failure(
        self, request: Request, error: httpx.HTTPError | ResponseLimitError, elapsed: float
    ) -> Failure:
        """Return the failure that an exception of httpx means; its error names the host, never the URL, which may be signed.

        A response beyond a limit is beyond it the next time, too, so it is not requested again.
        """
        if isinstance(error, ResponseLimitError):
            return Failure(error, elapsed, most_attempts=ONCE)
        url = parsed(request.url)
        most_attempts = None
        if isinstance(error, httpx.TimeoutException):
            raised: TransportError = RequestTimedOutError(
                f"{host_of(url)} was silent for {self._timeout:g} s: "
                "raise the timeout (Api(timeout=...) or WANDB_HTTP_TIMEOUT), or ask for smaller pages",
                operation=request.name,
            )
        else:
            found = diagnose(error, url, is_known=host_of(url) in self._known_hosts)
            raised, most_attempts = (
                ConnectionFailedError(self.credentials.redact(found.message), operation=request.name),
                found.most_attempts,
            )
        raised.__cause__ = error
        raised.sent = not isinstance(error, UNSENT)
        return Failure(raised, elapsed, sent=raised.sent, most_attempts=most_attempts)

    def response(
        self, request: Request, http_response: httpx.Response, content: bytes, elapsed: float
    ) -> Outcome:
        """Return httpx's response as our own value; a failure when it is a proxy's 407, as the server got nothing."""
        url = parsed(request.url)
        if http_response.status_code == PASSWORD_WANTED:
            found = diagnose_407(url)
            error = ConnectionFailedError(found.message, operation=request.name)
            return Failure(error, elapsed, sent=False, most_attempts=found.most_attempts)
        self._known_hosts.add(host_of(url))
        redact = self.credentials.redact
        headers = {redact(name): redact(value) for name, value in http_response.headers.items()}
        return Response(
            http_response.status_code,
            content,
            headers,
            elapsed,
            # A response that a transport of the caller has read shows no count.
            received=http_response.num_bytes_downloaded or len(content),
            redact=self.credentials.redact_bytes,
        )

    def _resolved(self, url: str) -> httpx.URL:
        try:
            return parsed(url if _ABSOLUTE.match(url) else str(self._base.join(url)))
        except (httpx.InvalidURL, ValueError) as error:
            raise ConnectionFailedError("the server named a URL that cannot be requested") from error

    def _is_below_base(self, address: str) -> bool:
        # httpx.URL has normalised the host's case, a default port and `..`.
        base, url = self._base, parsed(address)
        same_host = (base.scheme, base.host, base.port) == (url.scheme, url.host, url.port)
        climbs = ".." in unquote(url.path).split("/")
        return same_host and not url.userinfo and not climbs and url.path.startswith(base.path)
