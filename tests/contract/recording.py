"""Recordings: the stored parts of an exchange, the comparison of requests, and stale recordings.

`documents/` holds each GraphQL document once, under its operation's name and a hash; exchanges refer to it by name. A
request equals a recorded one if method, path, document and variables are equal. `answers/` holds long responses once,
because many tests read the same runs.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import re
from collections.abc import Mapping, MutableMapping
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

FOLDER = Path(__file__).parent.parent / "recorded"
DOCUMENTS = FOLDER / "documents"
ANSWERS = FOLDER / "answers"
LONG = 700
_NAMED_ANSWER = "kept in answers/"
ORIGIN = "http://recorded.test"
"""The server's base URL in recordings; no request goes there."""

_ANY_SERVER = re.compile(r"http://127\.0\.0\.1:\d+")
_SIGNED_QUERY = re.compile(r'(/(?:artifact-)?storage/[^?"\\]*)\?[^"\\]*')
# The sample's running run gets a new heartbeat at each start, which would change every recording.
_SIGN_OF_LIFE = re.compile(r'("state":"running".*?"heartbeatAt":")[^"]*')

_errors: Any = importlib.import_module("vcr.errors")  # Any: vcrpy has no types
NoSuchExchange: type[Exception] = _errors.CannotOverwriteExistingCassetteException


class StaleRecordingError(AssertionError):
    """The requests of a test differ from the recorded ones."""


class RecordedRequest(Protocol):
    """A request in vcrpy."""

    method: str
    uri: str
    path: str
    body: bytes | None
    headers: MutableMapping[str, str]


@runtime_checkable
class Cassette(Protocol):
    """A recording in vcrpy."""

    requests: list[RecordedRequest]
    play_counts: Mapping[int, int]


class Recorder(Protocol):
    """The extension points of vcrpy."""

    def register_matcher(self, name: str, matcher: object) -> None: ...
    def use_cassette(self, path: str, **settings: object) -> AbstractContextManager[Cassette]: ...


def prepare(recorder: Recorder) -> None:
    """Register the comparison of bodies with vcrpy."""
    recorder.register_matcher("json_body", same_json_body)


def settings(*, record: bool) -> dict[str, object]:
    """Return the settings of vcrpy: match without hosts, record without credentials."""
    return {
        "record_mode": "rewrite" if record else "none",
        "match_on": ["method", "path", "json_body"],
        "before_record_request": partial(scrubbed_request, keep_document=record),
        "before_record_response": partial(scrubbed_response, keep_answer=record),
        "decode_compressed_response": True,
    }


def replaying(recording: Path) -> AbstractContextManager[Cassette]:
    """Replay one file, as the `recorded` world does."""
    recorder: Recorder = importlib.import_module("vcr").VCR()
    prepare(recorder)
    return recorder.use_cassette(str(recording), **settings(record=False))


def same_json_body(sent: RecordedRequest, recorded: RecordedRequest) -> None:
    """Compare two requests: the same operation, document and variables."""
    today, then = _json_body(sent), _json_body(recorded)
    for part in sorted({*today, *then}):
        if today.get(part) != then.get(part):
            raise AssertionError(f"{part} is {today.get(part)!r} and was {then.get(part)!r}")


def scrubbed_request(request: RecordedRequest, *, keep_document: bool) -> RecordedRequest:
    """Remove the server's address, signatures and all headers, and replace the document by its name."""
    request.uri = _scrubbed(request.uri)
    request.headers = {}
    body = _json_body(request)
    document = body.pop("query", None)
    if isinstance(document, str):
        body["document"] = document_name(str(body["operationName"]), document)
        request.body = json.dumps(body).encode()
        if keep_document:
            _keep(DOCUMENTS / f"{body['document']}.graphql", document)
    return request


def document_name(operation: str, document: str) -> str:
    """Return the file name of a document: the operation's name and a hash."""
    return f"{operation}-{_hash(document)}"


def answer_name(text: str) -> str:
    """Return the file name of a long response."""
    return f"{_hash(text)}.json"


def scrubbed_response(
    response: dict[str, Any],  # Any: vcrpy's own form
    *,
    keep_answer: bool,
) -> dict[str, Any]:
    """Keep status, body and content headers; remove the server's address and signatures.

    vcrpy calls it when it records an exchange, and when it reads one; then a named body replaces its name.
    """
    kept = {name: value for name, value in response["headers"].items() if name.lower() == "content-type"}
    body = response["body"]["string"]
    text = _scrubbed(body.decode() if isinstance(body, bytes) else body)
    if text.startswith(_NAMED_ANSWER):
        text = (ANSWERS / text.removeprefix(_NAMED_ANSWER)).read_text()
    elif keep_answer and len(text) > LONG:
        name = answer_name(text)
        _keep(ANSWERS / name, text)
        text = _NAMED_ANSWER + name
    return {**response, "headers": kept, "body": {"string": text.encode()}}


def check_all_played(cassette: Cassette) -> None:
    """Refuse recorded exchanges that the test did not request."""
    unplayed = [
        f"{index + 1}. {_described(request)}"
        for index, request in enumerate(cassette.requests)
        if not cassette.play_counts[index]
    ]
    if unplayed:
        raise StaleRecordingError(
            f"stale recording: {len(unplayed)} of {len(cassette.requests)} recorded exchanges were never asked for "
            f"({'; '.join(unplayed)}). Run `make record`, and look at the diff"
        )


def stale(error: Exception) -> StaleRecordingError:
    """Convert vcrpy's error for a request that was not recorded."""
    return StaleRecordingError(
        "stale recording: a request of today equals no recorded one that is still unplayed. "
        f"Run `make record`, and look at the diff. {error}"
    )


def _keep(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _scrubbed(text: str) -> str:
    text = _SIGN_OF_LIFE.sub(r"\g<1>2099-01-01T00:00:00", _ANY_SERVER.sub(ORIGIN, text))
    return _SIGNED_QUERY.sub(r"\1?signature=scrubbed", text)


def _json_body(request: RecordedRequest) -> dict[str, object]:
    body: dict[str, object] = json.loads(request.body) if request.body else {}
    return body


def _described(request: RecordedRequest) -> str:
    return str(_json_body(request).get("operationName") or f"{request.method} {request.path}")
