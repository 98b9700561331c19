"""Invalid arguments to public members: runql's own error before any request, never another library's."""

from __future__ import annotations

import inspect
import math
from collections.abc import AsyncIterable, Callable, Hashable, Iterable, Iterator
from pathlib import Path
from traceback import extract_tb
from typing import Final

import httpx
import pytest
from tests.architecture.surface import members_of
from tests.contract.both_clients import Face, PassingTransport
from tests.contract.test_sweeps import make_sweep
from tests.contract.untyped import Untyped, listed, taken

import runql
from runql import AsyncRun, Run, RunqlError
from runql_server.running import RunningServer
from runql_server.seed import SeedRun
from runql_server.seed_artifacts import SeedArtifact

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

OURS: Final = str(Path(runql.__file__).parent)
OUR_WORDS: Final = (TypeError, ValueError, LookupError)
HALF: Final = "a\ud800b"


def nested(levels: int, wrap: Callable[[object], object]) -> object:
    value: object = 1
    for _ in range(levels):
        value = wrap(value)
    return value


def circle() -> dict[str, object]:
    held: dict[str, object] = {}
    held["a"] = held
    return held


class Unshowable:
    """Something whose repr fails."""

    def __repr__(self) -> str:
        raise OSError("no repr")


HOSTILE: Final[dict[str, object]] = {
    "half a surrogate pair": HALF,
    "null character": "a\0b",
    "empty": "",
    "long": "x" * 100_000,
    "not UTF-8": b"\xff",
    "huge": 10**5000,
    "huge and negative": -(10**5000),
    "beyond 64 bits": 2**70,
    "negative": -1,
    "bool": True,
    "float": 1.5,
    "NaN": math.nan,
    "infinity": math.inf,
    "deep dict": nested(10_000, lambda inner: {"x": inner}),
    "deep list": nested(10_000, lambda inner: [inner]),
    "hundreds deep": nested(400, lambda inner: {"x": inner}),
    "circle": circle(),
    "object": object(),
    "no repr": Unshowable(),
    "keys of int": {1: 2},
    "mixed keys": {1: 2, "a": 3, None: 4},
    "half a pair as key": {HALF: 1},
    "half a pair in list": [HALF],
    "list of None": [None],
    "set": {1},
    "dict": {"a": 1},
}

# What a call needs beside the argument that is hostile.
GOOD: Final[dict[str, object]] = {
    "path": "a.txt",
    "name": "rows:v0",
    "type_name": "dataset",
    "type": "dataset",
    "project_name": "p",
    "username_or_email": "x",
    "key": "loss",
    "keys": ["loss"],
    "file": "a.txt",
}
# Callbacks are not called here; the others are made by us.
LEFT_OUT: Final = frozenset({"progress", "client", "api", "transport", "self", "fields"})


class Refusing(PassingTransport):
    """Lets requests through until it is closed, then counts and refuses them."""

    def __init__(self) -> None:
        super().__init__()
        self.is_open = True
        self.refused = 0

    def before(self, request: httpx.Request) -> httpx.Request | httpx.Response:
        if self.is_open:
            return request
        self.refused += 1
        return httpx.Response(400, json={"errors": [{"message": "refused"}]})


@pytest.fixture
def transport() -> Refusing:
    return Refusing()


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with RunningServer() as running:
        yield running


@pytest.fixture
def subjects(
    server: RunningServer, face: Face, transport: Refusing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Untyped]:
    """One of each public class, read while everything was well."""
    monkeypatch.chdir(tmp_path)
    project = tmp_path.name
    sweep = make_sweep(server, project)
    server.seed(project, [SeedRun(name="r", sweep=sweep, config={"lr": 1}, summary={"loss": 1}, tags=("a",))])
    server.seed_artifacts(project, [SeedArtifact(name="rows", files={"a.txt": b"a"}, logged_by="r")])
    home = f"{server.entity}/{project}"
    api: Untyped = face.api(
        server.url,
        server.api_key,
        overrides={"entity": server.entity, "project": project},
        transport=transport,
    )
    run, artifact = taken(face, api.run(f"{home}/r")), taken(face, api.artifact(f"{home}/rows:v0"))
    runs, files = taken(face, api.runs(home)), artifact.files()
    found = {
        "api": api,
        "run": run,
        "runs": runs,
        "summary": run.summary,
        "scan": run.scan_history(),
        "full scan": runs.scan_histories(),
        "sweep": taken(face, api.sweep(f"{home}/{sweep}")),
        "project": taken(face, api.project(home)),
        "files": run.files(),
        "artifact": artifact,
        "artifact files": files,
        "artifact file": listed(face, files)[0],
        "entry": taken(face, artifact.get_entry("a.txt")) if hasattr(artifact, "get_entry") else artifact,
        "kind": taken(face, api.artifact_type("dataset", home)),
        "collection": taken(face, api.artifact_collection("dataset", f"{home}/rows")),
    }
    _ = run.config, run.tags, artifact.metadata
    transport.is_open = False
    return found


SUBJECTS: Final = (
    *("api", "run", "runs", "summary", "scan", "full scan", "sweep", "project", "files"),
    *("artifact", "artifact files", "artifact file", "entry", "kind", "collection"),
)


def calls_of(subject: object) -> Iterator[tuple[str, Callable[[object], object]]]:
    """Each parameter of each public method, as a call that is given its value."""
    for name, member in members_of(type(subject)).items():
        if member.kind != "method":
            continue
        parameters = [
            each
            for each in inspect.signature(member.function).parameters.values()
            if each.name not in LEFT_OUT and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
        ]
        needed = [each for each in parameters if each.default is inspect.Parameter.empty]
        for parameter in parameters:
            yield f"{name}({parameter.name}=…)", _call(subject, name, parameter, needed)


def _call(
    subject: Untyped, name: str, parameter: inspect.Parameter, needed: list[inspect.Parameter]
) -> Callable[[object], object]:
    def call(value: object) -> object:
        values = {each.name: GOOD.get(each.name, subject) for each in needed} | {parameter.name: value}
        if name in ("use_artifact", "log_artifact") and parameter.name != "artifact":
            values["artifact"] = _artifacts[type(subject).__name__]
        positional = [
            values.pop(each.name) for each in needed if each.kind is inspect.Parameter.POSITIONAL_ONLY
        ]
        if parameter.kind is inspect.Parameter.POSITIONAL_ONLY and parameter.name in values:
            positional = [values.pop(parameter.name)]
        return getattr(subject, name)(*positional, **values)

    return call


_artifacts: dict[str, Untyped] = {}


def foreign(error: BaseException, refused: int) -> str:
    """What is wrong with an exception that a call raised; empty when it is ours."""
    if isinstance(error, RunqlError):
        return ""
    last = extract_tb(error.__traceback__)[-1]
    if isinstance(error, OUR_WORDS) and last.filename.startswith(OURS) and "encoding" not in last.filename:
        kind = "" if type(error) in (TypeError, ValueError, KeyError, IndexError) else "foreign class "
        return kind + (f"after {refused} requests" if refused else "")
    return f"at {Path(last.filename).name}:{last.lineno}"


def problems(face: Face, transport: Refusing, call: Callable[[object], object]) -> list[str]:
    """What goes wrong with each hostile value."""
    found: list[str] = []
    for name, value in HOSTILE.items():
        transport.refused = 0
        try:
            consumed(face, call(value))
        except BaseException as error:
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            if wrong := foreign(error, transport.refused):
                found.append(f"{name}: {type(error).__name__} {wrong}: {str(error)[:80]!r}")
    return found


def consumed(face: Face, answer: Untyped) -> None:
    """Await what is to be awaited, and look at the first of what is many."""
    result: Untyped = taken(face, answer)
    is_many = isinstance(result, (Iterable, AsyncIterable)) and not isinstance(result, (str, dict, list))
    if is_many:
        listed(face, result)


@pytest.mark.filterwarnings("ignore:.* is deprecated:DeprecationWarning")  # older names work, and warn
@pytest.mark.parametrize("name", SUBJECTS)
def test_no_argument_of_a_public_method_raises_what_is_not_ours(
    name: str, subjects: dict[str, Untyped], face: Face, transport: Refusing
) -> None:
    _artifacts.update(Run=subjects["artifact"], AsyncRun=subjects["artifact"])
    wrong = {
        called: found
        for called, call in calls_of(subjects[name])
        if (found := problems(face, transport, call))
    }
    assert wrong == {}, "\n".join(f"{called}: {each}" for called, found in wrong.items() for each in found)


def written(subject: Untyped, member: str, save: str) -> Callable[[object], object]:
    def write(value: object) -> object:
        setattr(subject, member, value)
        return getattr(subject, save)()

    return write


@pytest.mark.parametrize(
    "member", ["name", "display_name", "notes", "description", "group", "job_type", "tags", "config"]
)
def test_no_assigned_value_of_a_run_raises_what_is_not_ours(
    member: str, subjects: dict[str, Untyped], face: Face, transport: Refusing
) -> None:
    assert problems(face, transport, written(subjects["run"], member, "update")) == []


@pytest.mark.parametrize("member", ["description", "metadata", "tags", "aliases", "ttl"])
def test_no_assigned_value_of_an_artifact_raises_what_is_not_ours(
    member: str, subjects: dict[str, Untyped], face: Face, transport: Refusing
) -> None:
    assert problems(face, transport, written(subjects["artifact"], member, "save")) == []


@pytest.mark.parametrize("as_key", [False, True], ids=["value", "key"])
@pytest.mark.parametrize(
    ("name", "held", "save"),
    [("run", "config", "update"), ("run", "summary", "update"), ("artifact", "metadata", "save")],
)
def test_no_stored_value_raises_what_is_not_ours(
    name: str,
    held: str,
    save: str,
    as_key: bool,
    subjects: dict[str, Untyped],
    face: Face,
    transport: Refusing,
) -> None:
    subject = subjects[name]
    values: dict[object, object] = getattr(subject, held)
    before = set(values)

    def call(value: object) -> object:
        for key in set(values) - before:
            del values[key]
        # What cannot be the key of a dict is Python's business.
        if not as_key:
            values["k"] = value
        elif isinstance(value, Hashable):
            values[value] = 1
        return getattr(subject, save)()

    assert problems(face, transport, call) == []


@pytest.mark.parametrize("parameter", ["overrides", "timeout", "api_key", "base_url", "entity"])
def test_no_setting_raises_what_is_not_ours(parameter: str, face: Face, transport: Refusing) -> None:
    transport.is_open = False

    def call(value: object) -> object:
        given: dict[str, Untyped] = {"base_url": "http://127.0.0.1:9", "api_key": "k" * 40}
        given |= {"overrides": {"entity": value}} if parameter == "entity" else {parameter: value}
        api: Untyped = face.api(given.pop("base_url"), transport=transport, **given)
        return api.viewer if parameter != "entity" else taken(face, api.runs("p")).length

    assert problems(face, transport, call) == []


@pytest.mark.parametrize("parameter", ["run_id", "project", "entity"])
def test_no_argument_of_a_new_run_raises_what_is_not_ours(
    parameter: str, subjects: dict[str, Untyped], face: Face, transport: Refusing
) -> None:
    made: Untyped = Run if face.name == "sync" else AsyncRun

    def call(value: object) -> object:
        return made.create(subjects["api"], **{"project": "p", "entity": "e", parameter: value})

    assert problems(face, transport, call) == []
