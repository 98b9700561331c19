"""The awaited classes equal the others, both ways: names, kinds, parameters, defaults, return types, overloads."""

from __future__ import annotations

import inspect
import re

import pytest
from tests.architecture.surface import Member, members_of, written
from tests.architecture.twins import twins
from typing_extensions import get_original_bases

import runql
from runql.resources.artifacts.catalog import ArtifactCatalog, AsyncArtifactCatalog
from runql.resources.history.arrow.members import ArrowScan, AsyncArrowScan
from runql.resources.pages.listing import AsyncLazySequence, LazySequence
from runql.resources.records.imports import AsyncProjectImports, ProjectImports
from runql.resources.runs.connections import ApiConnection, AsyncApiConnection
from runql.resources.runs.frames.run_frames import AsyncRunFrames, RunFrames
from runql.resources.runs.parts.lists import AsyncSplittableRuns, SplittableRuns

PAIRS: list[tuple[type, type]] = [
    (runql.Api, runql.AsyncApi),
    (runql.Runs, runql.AsyncRuns),
    (runql.Run, runql.AsyncRun),
    (runql.ConsoleLogs, runql.AsyncConsoleLogs),
    (runql.Sweep, runql.AsyncSweep),
    (runql.Sweeps, runql.AsyncSweeps),
    (runql.Project, runql.AsyncProject),
    (runql.Projects, runql.AsyncProjects),
    (runql.File, runql.AsyncFile),
    (runql.Files, runql.AsyncFiles),
    (runql.HistoriesScan, runql.AsyncHistoriesScan),
    (runql.HistoryScan, runql.AsyncHistoryScan),
    (runql.Summary, runql.AsyncSummary),
    (runql.TypedRun, runql.AsyncTypedRun),
    (runql.TypedRuns, runql.AsyncTypedRuns),
    (runql.Artifact, runql.AsyncArtifact),
    (runql.ArtifactEntry, runql.AsyncArtifactEntry),
    (runql.ArtifactFile, runql.AsyncArtifactFile),
    (runql.ArtifactFiles, runql.AsyncArtifactFiles),
    (runql.Artifacts, runql.AsyncArtifacts),
    (runql.RunArtifacts, runql.AsyncRunArtifacts),
    (runql.ArtifactCollection, runql.AsyncArtifactCollection),
    (runql.ArtifactCollections, runql.AsyncArtifactCollections),
    (runql.ProjectArtifactCollections, runql.AsyncProjectArtifactCollections),
    (runql.ArtifactType, runql.AsyncArtifactType),
    (runql.ArtifactTypes, runql.AsyncArtifactTypes),
    (ArtifactCatalog, AsyncArtifactCatalog),
    (ProjectImports, AsyncProjectImports),
    (ApiConnection, AsyncApiConnection),
    (runql.RetryingClient, runql.AsyncRetryingClient),
    (LazySequence, AsyncLazySequence),
    (RunFrames, AsyncRunFrames),
    (ArrowScan, AsyncArrowScan),
    (SplittableRuns, AsyncSplittableRuns),
]
BOTH = pytest.mark.parametrize(("plain", "awaited"), PAIRS, ids=lambda each: each.__name__)

# What stands for what; everything else is equal to the letter.
TYPES = {
    **{awaited.__name__: plain.__name__ for plain, awaited in PAIRS},
    "AsyncIterable": "Iterable",
    "AsyncIterator": "Iterator",
    "AsyncBaseTransport": "BaseTransport",
}
SPECIAL = {
    "__aiter__": "__iter__",
    "__anext__": "__next__",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
}

# `len()` cannot be awaited: `await runs.length` takes its place. Nor can `reversed()` and `in`; `index` and `count` are those of a `Sequence`.
# A consumer of an Arrow stream pulls from it without awaiting, and so does polars from a lazy frame.
WITHOUT_TWIN = {
    *("__len__", "__reversed__", "__contains__", "index", "count"),
    *("__arrow_c_stream__", "stream_error", "to_arrow_reader"),
    "lazy",
}

# A `Sequence` is read without awaiting.
BASES_WITHOUT_TWIN = {"Sequence[T]"}

# What is in memory is looked at alike on both faces.
IN_MEMORY: set[type] = {runql.AsyncSummary}

# What asks the server on one face is awaited on the other; naming it here keeps either from changing alone.
CATALOG = {
    *("artifact", "artifact_exists", "artifact_type", "artifact_types", "artifact_versions", "artifacts"),
    *("artifact_collection", "artifact_collection_exists", "artifact_collections"),
    "default_entity",
}
RUN_FRAMES = {"to_arrow", "to_pandas", "to_polars"}
LISTED = {"__aiter__", "__anext__", "__getitem__", "first", "length", "next", "one"}


AWAITED: dict[str, set[str]] = {
    "AsyncApi": {
        "capabilities",
        *CATALOG,
        "__aenter__",
        "__aexit__",
        "close",
        *("create_project", "create_run", "from_path"),
        "project",
        "projects",
        "run",
        "runs",
        "sweep",
        "import_project",
        "user",
        "users",
        "viewer",
    },
    "AsyncRuns": {*LISTED, *RUN_FRAMES, "histories", "split", "upgrade_to_full"},
    "AsyncSplittableRuns": {"split"},
    "AsyncRunFrames": RUN_FRAMES,
    "AsyncArrowScan": set(),
    "AsyncConsoleLogs": LISTED,
    "AsyncRun": {
        *("create", "delete", "history", "lastHistoryStep", "load", "metadata", "save", "sweep", "update"),
        *("file", "table", "upload_file", "wait_until_finished"),
        *("load_full_data", "stop", "update_state"),
        *("download_history", "download_history_exports", "log_artifact", "use_artifact"),
    },
    "AsyncArtifactCatalog": CATALOG,
    "AsyncProjectImports": {"import_project"},
    "AsyncArtifact": {
        *(
            "delete",
            "download",
            "entries",
            "get",
            "get_entry",
            "logged_by",
            "manifest",
            "save",
            "used_by",
            "verify",
        ),
        *("collection", "file", "get_path", "source_artifact", "source_collection", "unlink"),
    },
    "AsyncArtifactEntry": {"download"},
    "AsyncArtifactFile": {"download"},
    "AsyncArtifactFiles": LISTED,
    "AsyncArtifacts": LISTED,
    "AsyncRunArtifacts": LISTED,
    "AsyncArtifactCollection": {"delete", "save"},
    "AsyncProjectArtifactCollections": LISTED,
    "AsyncArtifactCollections": LISTED,
    "AsyncArtifactType": {"collection"},
    "AsyncArtifactTypes": LISTED,
    "AsyncSummary": {"update"},
    "AsyncTypedRun": set(),
    "AsyncTypedRuns": {"__aiter__"},
    "AsyncApiConnection": {"default_entity"},
    "AsyncSweep": {"best_run", "load"},
    "AsyncSweeps": LISTED,
    "AsyncProject": {"export"},
    "AsyncProjects": LISTED,
    "AsyncFile": {"delete", "download"},
    "AsyncFiles": {*LISTED, "download"},
    "AsyncHistoriesScan": {"split", "__aiter__", "__anext__", "collect", "sink_parquet"},
    "AsyncHistoryScan": {"__aiter__", "__anext__", "to_arrow", "to_pandas", "to_polars"},
    "AsyncRetryingClient": {"__aenter__", "__aexit__", "close", "execute", "run"},
    "AsyncLazySequence": LISTED,
}


def plain_text(text: str) -> str:
    """An annotation of the awaited face in the words of the other."""
    text = re.sub(r"Awaitable\[(.+?)\](?= \||$)", r"\1", text)
    return re.sub(r"\w+", lambda word: TYPES.get(word[0], word[0]), text)


def plain_members(owner: type) -> dict[str, Member]:
    """The members of the awaited face under the names of the other."""
    return {SPECIAL.get(name, name): member for name, member in members_of(owner, special=True).items()}


def is_awaited(member: Member) -> bool:
    """Whether a member must be awaited or iterated over with `async for`."""
    function = member.function
    return (
        inspect.iscoroutinefunction(function)
        or inspect.isasyncgenfunction(function)
        or "Awaitable" in member.returns
    )


def test_annotations_are_put_in_the_words_of_the_plain_face() -> None:
    assert plain_text("Awaitable[T] | Awaitable[list[T]]") == "T | list[T]"
    assert plain_text("Awaitable[dict[str, list[T]]]") == "dict[str, list[T]]"
    assert plain_text("AsyncIterator[AsyncRun]") == "Iterator[Run]"
    assert written(list[dict[str, int | None]]) == "list[dict[str, int | NoneType]]"


@BOTH
def test_both_have_the_same_members(plain: type, awaited: type) -> None:
    assert set(plain_members(awaited)) == set(members_of(plain, special=True)) - (
        set() if awaited in IN_MEMORY else WITHOUT_TWIN
    )


@BOTH
def test_members_are_of_the_same_kind_and_give_the_same(plain: type, awaited: type) -> None:
    ours = members_of(plain, special=True)
    for name, twin in plain_members(awaited).items():
        member = ours[name]
        assert twin.kind == member.kind, name
        assert plain_text(twin.returns) == member.returns, name


@BOTH
def test_members_take_the_same(plain: type, awaited: type) -> None:
    ours = members_of(plain, special=True)
    for name, twin in plain_members(awaited).items():
        assert [plain_text(each) for each in twin.parameters] == ours[name].parameters, name


@BOTH
def test_members_have_the_same_overloads(plain: type, awaited: type) -> None:
    ours = members_of(plain, special=True)
    for name, twin in plain_members(awaited).items():
        overloads = [([plain_text(each) for each in given], plain_text(got)) for given, got in twin.overloads]
        assert overloads == ours[name].overloads, name


@BOTH
def test_both_stand_on_the_same_bases(plain: type, awaited: type) -> None:
    bases = [plain_text(written(base)) for base in get_original_bases(awaited)]
    ours = [written(base) for base in get_original_bases(plain)]
    assert bases == [base for base in ours if base not in BASES_WITHOUT_TWIN]


@BOTH
def test_what_asks_the_server_is_awaited(plain: type, awaited: type) -> None:
    assert not [name for name, member in members_of(plain, special=True).items() if is_awaited(member)]
    found = {name for name, member in members_of(awaited, special=True).items() if is_awaited(member)}
    assert found == AWAITED[awaited.__name__]


@BOTH
def test_an_awaited_list_is_not_iterated_over_by_accident(plain: type, awaited: type) -> None:
    """Without `__iter__ = None` Python falls back to `__getitem__`, and a `for` without `async` never ends."""
    if hasattr(awaited, "__getitem__") and awaited not in IN_MEMORY:
        assert hasattr(plain, "__iter__")
        assert getattr(awaited, "__iter__", "falls back") is None


def test_every_awaited_class_has_its_pair() -> None:
    pairs = {awaited.__name__ for _, awaited in PAIRS}
    assert {name for name in runql.__all__ if name.startswith("Async")} <= pairs


def test_overloads_are_seen() -> None:
    assert len(members_of(runql.Runs)["histories"].overloads) >= 4
    assert len(members_of(runql.Run)["history"].overloads) >= 3


def test_async_members_say_what_their_sync_twins_say() -> None:
    pairs = [*twins()]
    assert len(pairs) > 100
    stale = [f"{pair.awaited.owner}.{pair.awaited.name}" for pair in pairs if not pair.are_equal]
    assert stale == [], "run `python -m tests.architecture.twins`"
