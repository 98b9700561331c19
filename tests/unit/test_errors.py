"""Every error of runql, class by class: it can be copied and pickled, and says the same afterwards."""

from __future__ import annotations

import copy
import errno
import importlib
import pickle
import pkgutil
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pytest

import runql
from runql import ArchiveError, errors, limits, values
from runql.errors import GraphQLProblem, RunqlError

MISSING_FILE = FileNotFoundError(errno.ENOENT, "No such file or directory", "/a/b")
PROBLEM = GraphQLProblem("Boom", ("project", 0))
SAMPLES: dict[type[RunqlError], RunqlError] = {
    type(error): error
    for error in (
        RunqlError("root"),
        errors.ConfigurationError("no such setting"),
        errors.MissingCredentialsError("no key"),
        errors.PathError("no path"),
        errors.MissingExtraError("pandas", extra="pandas", needed_for="a frame"),
        errors.DriftInputError("no schema"),
        errors.IntrospectionRefusedError("hidden"),
        errors.TransportError("nothing came", operation="GetRun", attempts=3),
        errors.ConnectionFailedError("unreachable", operation="GetRun", attempts=2),
        errors.RequestTimedOutError("silent", operation="GetRun"),
        errors.DeadlineExceededError("too late", operation="GetRun"),
        errors.DigestMismatchError("other bytes", operation="/a.txt"),
        limits.ResponseLimitError("the response is beyond", limit="row_bytes", most=9, operation="GetRun"),
        limits.ResponseTooLargeError(
            "the response is large", limit="response_bytes", most=9, operation="GetRun"
        ),
        limits.RowTooLargeError("row 3 is large", limit="row_bytes", most=9),
        limits.JSONTooDeepError("a config is deep", limit="json_depth", most=9),
        limits.TooManyRedirectsError("/a is redirected", limit="redirects", most=5, attempts=2),
        errors.AnswerError("no", status=418, operation="GetRun", attempts=3),
        errors.AuthenticationError("no key", status=401),
        errors.AccessDeniedError("no", status=403),
        errors.RateLimitedError("slow", status=429, operation="GetRun", attempts=7, retry_after=2.5),
        errors.ServerFailureError("down", status=502, operation="GetRun", attempts=7),
        errors.InvalidAnswerError("no JSON", status=200),
        errors.QueryError("Boom", status=200, problems=[PROBLEM], data={"project": {"name": "p"}}),
        errors.OutdatedServerError("old", status=400, problems=[PROBLEM], unknown=["Run.projectId"]),
        errors.NotFoundError("nothing"),
        errors.ProjectNotFoundError("e", "p"),
        errors.RunNotFoundError("e", "p", "r"),
        errors.SweepNotFoundError("e", "p", "s"),
        errors.FileNotFoundInRunError("e/p/r", "a.txt"),
        errors.ArtifactNotFoundError("no artifact"),
        errors.EntryNotFoundError("e/p/a:v0", "a.txt"),
        errors.UnsafeNameError({"../a": "it leads out"}, [Path("b")]),
        errors.LocalFileError("cannot read", MISSING_FILE),
        errors.UnreadableTableError("no table"),
        errors.FrameValueError("team/p/abc", "loss", "low", "Float64"),
        errors.UnreadableValueError("not JSON"),
        errors.UnexpectedValueError(
            "e/p/r", "config", "lr", "fast", "float", ["lr is 'fast'", "n is missing"], 3
        ),
        errors.UploadRefusedError("no"),
        errors.DeletionRefusedError("no"),
        errors.DeletionUnconfirmedError("run e/p/r", None, "timed out"),
        errors.ChangeRefusedError("no"),
        errors.ArtifactPendingError("e/p/a:v0", "PENDING"),
        errors.ManifestError("unknown form"),
        ArchiveError("no whole archive"),
        errors.ArtifactDamagedError("e/p/a:v0", ["a"], ["b"], ["c"]),
        errors.ReferenceUnavailableError("e/p/a:v0", {"a": "s3://b/c"}, "no fsspec"),
        errors.RunChangedError("e/p/r", ["tags", "summary"]),
        errors.IncompleteUpdateError("run e/p/r", ["tags"], ["summary"], "no"),
        errors.NoItemError("<Runs e/p>"),
        errors.SeveralItemsError("<Runs e/p>"),
        errors.UnorderedError("e/p", "-summary_metrics.acc", "the 2 runs"),
        errors.NotLoadedError("await run.load()"),
        errors.ClientClosedError("closed"),
        errors.UnshareableError("one process only"),
        errors.MismatchedResponseError("run e/p/r", "run e/p/s"),
        errors.SchemaDriftError("GetRun", ["project.run.id: Field required"]),
        errors.PaginationError("stands still"),
        errors.HistoryNotExportedError("e/p/r", 3),
        errors.IncompleteHistoryError("e/p/r", 3, 5, "left out", [{"_step": 0}]),
        errors.CorruptHistoryError("e/p/r", 1, "not JSON"),
        values.UnreadableRowError(1, "not JSON"),
        errors.IncompleteHistoriesError([{"run_id": "r", "loss": 0.5}], ["r2", "r3"], "down"),
        errors.RunStillActiveError("still running"),
    )
}


def pickled(protocol: int, error: RunqlError) -> RunqlError:
    copied = pickle.loads(pickle.dumps(error, protocol))
    assert isinstance(copied, RunqlError)
    return copied


COPIES: dict[str, Callable[[RunqlError], RunqlError]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{f"pickle {protocol}": partial(pickled, protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)},
}


def classes(root: type[RunqlError] = RunqlError) -> Iterator[type[RunqlError]]:
    """The class and all that derive from it, in our own modules."""
    if root.__module__.split(".")[0] == "runql":
        yield root
    for child in root.__subclasses__():
        yield from classes(child)


def everything_is_imported() -> None:
    for module in pkgutil.walk_packages(runql.__path__, "runql."):
        if module.name == "runql.cli._demo_script":  # a script
            continue
        importlib.import_module(module.name)


def seen(error: BaseException) -> dict[str, object]:
    """What a caller can see of an error: its words, and every attribute that is public."""
    names = [
        name for name in dir(error) if not name.startswith("_") and not callable(getattr(error, name, None))
    ]
    public: dict[str, object] = {name: getattr(error, name, None) for name in names}
    return public | {
        "type": type(error),
        "str": str(error),
        "repr": repr(error),
        "args": error.args,
        "notes": getattr(error, "__notes__", None),
    }


def raised(kind: type[RunqlError]) -> None:
    """Raise the sample; other processes find it by its class."""
    raise SAMPLES[kind]


def test_every_class_has_a_sample() -> None:
    everything_is_imported()
    assert set(classes()) == set(SAMPLES), "an error class is new or gone: give it a sample"


@pytest.mark.parametrize("way", COPIES)
@pytest.mark.parametrize("kind", SAMPLES, ids=lambda kind: kind.__name__)
def test_a_copy_says_the_same(kind: type[RunqlError], way: str) -> None:
    error = COPIES[way](SAMPLES[kind])
    assert seen(error) == seen(SAMPLES[kind])
    assert error is not SAMPLES[kind]


@pytest.mark.parametrize("way", COPIES)
def test_notes_and_what_a_caller_set_travel_and_causes_do_not_as_in_python(way: str) -> None:
    error = errors.RunNotFoundError("e", "p", "r")
    error.add_note("while resuming")
    error.__cause__ = OSError("below")
    copied = COPIES[way](error)
    assert copied.__notes__ == ["while resuming"]
    assert copied.__cause__ is None
    copied.__notes__.append("once more")
    assert way == "copy" or error.__notes__ == ["while resuming"]


def test_a_class_of_a_user_travels_too() -> None:
    error = NamedRunError("e", "p", "r", nickname="best")
    copied = pickle.loads(pickle.dumps(error))
    assert (copied.nickname, copied.run_id, str(copied)) == ("best", "r", str(error))


def test_they_come_back_from_another_process() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        for kind, sample in SAMPLES.items():
            error = pool.submit(partial(raised, kind)).exception()
            assert error is not None
            assert seen(error) == seen(sample)


class NamedRunError(errors.RunNotFoundError):
    """As a user may derive one."""

    def __init__(self, entity: str, project: str, run_id: str, *, nickname: str) -> None:
        super().__init__(entity, project, run_id)
        self.nickname = nickname
