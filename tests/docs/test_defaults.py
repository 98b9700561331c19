"""docs/reliability.md and docs/observability.md state the defaults of the code: each number, attempt, limit and name."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Callable
from dataclasses import fields
from fractions import Fraction
from inspect import signature
from pathlib import Path
from typing import Final, TypeAlias

import httpx
import pytest

import runql
from runql import Api, AsyncApi, Limits, RetryPolicy, limits
from runql.config import DEFAULT_TIMEOUT
from runql.errors import ConnectionFailedError, RequestTimedOutError, TransportError
from runql.resources.history.exports.parts import MOST_TRIES
from runql.resources.runs.adaptive_pages import HOPELESS, Streak
from runql.transport.deadlines.budget import REFUND
from runql.transport.diagnosis import diagnose
from runql.transport.flow import MOST_TRANSFERS
from runql.transport.limits.decoding import STEP
from runql.transport.observation import log_setup, spans
from runql.transport.pacing.concurrency import AT_FIRST as TRANSFERS_AT_FIRST
from runql.transport.pacing.congestion import AT_FIRST, FIRST_SHARE, RECOVERY
from runql.transport.retry import Outcome, send_with_retries
from runql.transport.wire import Failure, Request, Response, Traffic

DOCS: Final = Path(__file__).parents[2] / "docs"
RELIABILITY: Final = (DOCS / "reliability.md").read_text("utf-8")
OBSERVABILITY: Final = (DOCS / "observability.md").read_text("utf-8")
POLICY: Final = RetryPolicy(chance=lambda: 0.0)
WORDS: Final = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
UNITS: Final = {"MiB": 1 << 20, "GiB": 1 << 30}


def table(document: str, head: str) -> dict[str, list[str]]:
    """The rows of the table whose first column has this head, by their first cells."""
    lines = document[document.index(f"\n| {head} |") :].lstrip().split("\n\n")[0].splitlines()[2:]
    rows = [re.split(r"(?<!\\) \| ", line.strip("| ")) for line in lines]
    return {row[0]: row[1:] for row in rows}


def prose(document: str) -> str:
    """The document on one line."""
    return " ".join(document.split())


# -- docs/reliability.md -----------------------------------------------------------------------------------------

OPTIONS: Final = table(RELIABILITY, "option")
BUDGET: Final = RetryPolicy().new_budget().left


def test_the_options_have_the_defaults_of_the_code() -> None:
    assert [*OPTIONS] == ["`deadline`", "`timeout`", "`retries`", "`RetryPolicy.call_seconds`", "`partial`"]
    for api in (Api, AsyncApi):
        assert signature(api).parameters["deadline"].default is None
        assert signature(api).parameters["retries"].default is None
        assert OPTIONS["`partial`"][0] == f'`"{signature(api).parameters["partial"].default}"`'
    assert OPTIONS["`deadline`"][0].startswith("none: ")
    assert OPTIONS["`timeout`"][0] == f"{DEFAULT_TIMEOUT:g} s (`WANDB_HTTP_TIMEOUT`)"
    assert POLICY.jitter == Fraction(1, 4)
    assert OPTIONS["`retries`"][0] == (
        f"`RetryPolicy()`: {POLICY.max_attempts} attempts. Between them {POLICY.first_delay:g} s, doubled each time up to "
        f"{POLICY.max_delay:g} s, and up to a quarter more. None later than {POLICY.total_seconds:g} s after the first"
    )
    assert OPTIONS["`RetryPolicy.call_seconds`"][0] == f"the waits of one request: {BUDGET:.0f} s"
    assert RetryPolicy().call_seconds is None


@pytest.mark.parametrize("name", [cells[2] for cells in OPTIONS.values()])
def test_the_errors_of_the_options_are_public(name: str) -> None:
    assert all(hasattr(runql, each) for each in re.findall(r"`(\w+)`", name))


def test_the_backoff_doubles_up_to_the_longest() -> None:
    request, down = Request("x", "http://host"), Response(503, b"")
    waits = [
        POLICY.delay(request, down, attempt=attempt, spent=0) for attempt in range(1, POLICY.max_attempts)
    ]
    assert waits == [
        min(POLICY.first_delay * 2**doubling, POLICY.max_delay) for doubling in range(len(waits))
    ]
    assert POLICY.delay(request, down, attempt=POLICY.max_attempts, spent=0) is None
    assert POLICY.delay(request, down, attempt=1, spent=POLICY.total_seconds) is None


def test_the_numbers_of_the_sentences_are_those_of_the_code() -> None:
    late, timed_out = Streak(), 0
    while not late.is_hopeless:
        late.fail(RequestTimedOutError("late"))
        timed_out += 1
    sentences = [
        f"each successful request gives {REFUND:g} s back",
        f"Reads of many runs give up after {WORDS[HOPELESS]} runs in a row that fail ({WORDS[timed_out]} that time out)",
        f"go on at {WORDS[round(FIRST_SHARE * 10)]} tenths of the rate that the server allowed",
        f"reach that rate after {RECOVERY:g} s",
        f"A client begins with {WORDS[AT_FIRST]} at the same time",
        f"Downloads of many files begin with {WORDS[TRANSFERS_AT_FIRST]} at a time",
        f"at most `max_concurrency` ({MOST_TRANSFERS})",
    ]
    assert [each for each in sentences if each not in prose(RELIABILITY)] == []


def test_one_failure_in_five_never_exhausts_the_budget() -> None:
    assert "a server that fails one request in five never exhausts it" in prose(RELIABILITY)
    budget, now = RetryPolicy().new_budget(), 0.0
    for _ in range(1000):
        assert budget.spend(now, POLICY.first_delay * (1 + POLICY.jitter))
        now += 60
        for _ in range(4):
            budget.refill()


def test_no_other_number_stands_in_the_document() -> None:
    known = {POLICY.max_attempts, POLICY.first_delay, POLICY.max_delay, POLICY.total_seconds, DEFAULT_TIMEOUT}
    known |= {round(BUDGET), REFUND, RECOVERY, MOST_TRANSFERS}
    text = re.sub(r"```.*?```", "", RELIABILITY, flags=re.DOTALL).partition("## What is sent again")
    after = text[2].partition("## The rate limit")[2]
    found = {float(each) for each in re.findall(r"\b\d+(?:\.\d+)?\b", text[0] + after)}
    # A size of a download, as an example, and a status.
    assert found == {float(each) for each in known} | {50.0, 429.0}


# What the server or the network does for ever, by the rows of the table; each with the requests that it is about.

Failing: TypeAlias = Callable[[Request], Outcome]

QUERY: Final = Request("Read", "http://host", b"{}")
FILE: Final = Request("/file", "http://host/file", repeats_conflicts=True)
CHANGE: Final = Request("Change", "http://host", b"{}", repeatable=False)
IDEMPOTENT: Final = Request("Set", "http://host", b"{}", repeats_conflicts=True)
PARQUET: Final = Request("/parquet", "http://host/p", most_attempts=MOST_TRIES, repeats_conflicts=True)


def status(number: int, content: bytes = b"") -> Failing:
    return lambda _: Response(number, content)


def lost(error: TransportError) -> Failing:
    return lambda _: Failure(type(error)(error.message))


def broken(error: httpx.HTTPError, cause: Exception | None = None, *, is_known: bool = False) -> Failing:
    error.__cause__ = cause

    def fail(_: Request) -> Failure:
        found = diagnose(error, httpx.URL("http://host"), is_known=is_known)
        return Failure(ConnectionFailedError(found.message), most_attempts=found.most_attempts)

    return fail


def beyond_a_limit(_: Request) -> Failure:
    error = limits.ResponseTooLargeError("large", limit="response_bytes", most=1)
    return Failure(error, most_attempts=1)


NO_NAME: Final = socket.gaierror(socket.EAI_NONAME, "no name")
NO_SERVER: Final = socket.gaierror(socket.EAI_AGAIN, "try again")
WRONG: Final = ssl.SSLCertVerificationError("wrong")
REFUSED: Final = ConnectionRefusedError("refused")
CONNECT: Final = httpx.ConnectError

CLASSES: Final[dict[str, tuple[list[Failing], list[Request]]]] = {
    "429 (the server did nothing), 425": ([status(429), status(425)], [QUERY, FILE, CHANGE, IDEMPOTENT]),
    "408, 5xx (not 501), connection closed": (
        [status(408), status(500), status(502), status(504), broken(httpx.ReadError("closed"))],
        [QUERY, FILE, IDEMPOTENT],
    ),
    "connection refused or name unknown at a host that responded before; proxy fails (5xx)": (
        [
            broken(CONNECT("x"), REFUSED, is_known=True),
            broken(CONNECT("x"), NO_NAME, is_known=True),
            broken(httpx.ProxyError("503 busy")),
        ],
        [QUERY, FILE, IDEMPOTENT],
    ),
    "no response in time": ([lost(RequestTimedOutError("late"))], [QUERY, FILE, IDEMPOTENT]),
    "status 200 and an empty or cut-off body": ([status(200), status(200, b'{"data"')], [QUERY, IDEMPOTENT]),
    "409": ([status(409)], [FILE, IDEMPOTENT]),
    "a parquet file of a history": ([status(503), status(409), broken(httpx.ReadError("closed"))], [PARQUET]),
    "a port that does not speak HTTP or TLS, a name server that fails": (
        [
            broken(httpx.RemoteProtocolError("hangs up")),
            broken(CONNECT("x"), ssl.SSLError("wrong version")),
            broken(CONNECT("x"), NO_SERVER),
        ],
        [QUERY, FILE],
    ),
    "wrong certificate, unknown name, refused connection, proxy refuses (4xx), body that is not compressed as its headers say": (
        [
            broken(CONNECT("x"), WRONG),
            broken(CONNECT("x"), NO_NAME),
            broken(CONNECT("x"), REFUSED),
            broken(httpx.ProxyError("403 no")),
            broken(httpx.ProxyError("407 password")),
            broken(httpx.DecodingError("x")),
        ],
        [QUERY, FILE],
    ),
    "a response beyond one of the `Limits`, other statuses, GraphQL errors": (
        [
            beyond_a_limit,
            status(400),
            status(404),
            status(501),
            status(200, b'{"errors": [{"message": "no"}]}'),
        ],
        [QUERY, FILE, CHANGE],
    ),
}
# The rows about single kinds of requests leave the others at one attempt.
ONCE: Final[dict[str, tuple[Failing, list[Request]]]] = {
    "408, 5xx (not 501), connection closed": (status(503), [CHANGE]),
    "409": (status(409), [QUERY, CHANGE]),
}


def attempts(request: Request, failing: Failing) -> int:
    """How often a request is sent whose outcome is always the same."""
    steps, count = send_with_retries(request, POLICY), 0
    try:
        step = next(steps)
        while True:
            if isinstance(step, Request):
                count += 1
                step = steps.send(failing(step))
            else:
                step = next(steps)
    except (StopIteration, TransportError):
        return count


def test_each_class_of_failures_is_in_the_table() -> None:
    assert [*table(RELIABILITY, "outcome")] == [*CLASSES]


@pytest.mark.parametrize("row", CLASSES)
def test_each_class_gets_the_attempts_of_its_row(row: str) -> None:
    stated = re.split(r"[,; ]", table(RELIABILITY, "outcome")[row][0])[0]
    wanted = POLICY.max_attempts if stated == "all" else int(stated)
    failing, requests = CLASSES[row]
    found = [attempts(request, each) for request in requests for each in failing]
    assert found == [wanted] * len(found)


@pytest.mark.parametrize("row", ONCE)
def test_requests_that_a_row_does_not_name_are_sent_once(row: str) -> None:
    failing, requests = ONCE[row]
    assert [attempts(request, failing) for request in requests] == [1] * len(requests)


# -- docs/observability.md ---------------------------------------------------------------------------------------


def test_the_counts_are_those_of_traffic() -> None:
    named = re.findall(r"`(\w+)`", " ".join(table(OBSERVABILITY, "field")))
    assert sorted(named) == sorted(each.name for each in fields(Traffic))


def test_the_limits_have_the_defaults_of_the_code() -> None:
    rows = table(OBSERVABILITY[OBSERVABILITY.index("## Limits") :], "field")
    stated: dict[str, int] = {}
    for name, (default, error) in rows.items():
        number, _, unit = default.partition(" ")
        stated[name.strip("`")] = int(number) * UNITS.get(unit, 1)
        [named] = re.findall(r"^`(\w+)`", error)
        assert issubclass(getattr(runql, named), runql.ResponseLimitError)
    assert stated == {each.name: getattr(Limits(), each.name) for each in fields(Limits)}
    assert f"goes in steps of {STEP // UNITS['MiB']} MiB" in OBSERVABILITY


def test_the_levels_of_the_log_are_those_of_the_code() -> None:
    [levels] = re.findall(r"`RUNQL_LOG=(\w+)`((?:, `\w+`)*) or `(\w+)` in the environment", OBSERVABILITY)
    assert levels[0] == "debug"
    assert re.findall(r"\w+", " ".join(levels)) == [*log_setup.LEVELS]


def test_the_attributes_of_spans_are_those_of_the_code() -> None:
    named = set(re.findall(r"`([\w.]+)`", " ".join(table(OBSERVABILITY, "attribute"))))
    source = Path(spans.__file__).read_text("utf-8")
    written = set(re.findall(r'"((?:http|url|server|graphql|error)\.[\w.]+)"', source))
    assert named == written
