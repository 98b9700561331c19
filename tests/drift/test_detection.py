"""Every kind of schema change through every source: a check reports those that break an operation, and no others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from graphql import GraphQLSchema, parse, validate
from tests.drift.conftest import Connect
from tests.drift.schema_changes import SchemaChange, all_changes
from tests.drift.schema_server import SchemaServer, ServerBehaviour
from tests.profiles import quick_part, usual_part

from runql.drift import CheckedOperation, Report, check_server, compare, load_schema
from runql.drift.operations.combined_document import combine

ALL_CHANGES = all_changes()
# The quick profile takes one change of each kind, alternating between used and unused parts.
KINDS = list(dict.fromkeys(each.kind for each in ALL_CHANGES))
CHANGES = quick_part(
    sorted(ALL_CHANGES, key=lambda each: each.is_unused_part != KINDS.index(each.kind) % 2),
    lambda each: each.kind,
)
pytestmark = [pytest.mark.nightly, pytest.mark.long]

SOURCES: tuple[str, ...] = ("sdl", "introspection", "probe", "probe of py-gql")
each_change = pytest.mark.parametrize("change", CHANGES, ids=lambda each: each.name)

# py-gql is slow, so it gets every eighth change. It gets no changes of input objects, which it does not validate (each
# report says so of the operations with variables of these), and none that remove the type of a fragment, where it fails (500).
PY_GQL = "probe of py-gql"
UNSUPPORTED_BY_PY_GQL = (
    "input ",
    "required input",
    "optional input",
    "enum ",
    "type removed",
    "type renamed",
)


def _changes_by_source() -> dict[str, list[SchemaChange]]:
    """Return the changes that each source checks.

    Introspection differs from a file in how the schema arrives, not in what is compared: one change of each kind is enough.
    """
    second = [each for each in CHANGES if not each.name.startswith(UNSUPPORTED_BY_PY_GQL)][::8]
    one_of_each = usual_part(CHANGES, lambda each: each.kind)
    return {"sdl": CHANGES, "introspection": one_of_each, "probe": CHANGES, PY_GQL: second}


CHANGES_BY_SOURCE = _changes_by_source()


@dataclass(frozen=True)
class Outcome:
    """The report of a source about a change, the fields that the server resolved, and the operations that are invalid."""

    report: Report
    resolved: tuple[str, ...] = ()
    invalid: frozenset[str] = frozenset()


Outcomes = dict[tuple[str, str], Outcome]


@pytest.fixture(scope="module")
def outcomes(
    known: GraphQLSchema,
    operations: list[CheckedOperation],
    connect: Connect,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Outcomes]:
    """Check every change through every source, with real servers."""
    folder = tmp_path_factory.mktemp("schemas")
    found: Outcomes = {}
    documents = Documents(operations)
    with (
        SchemaServer("") as open_server,
        SchemaServer("", behaviour=ServerBehaviour(introspection=False, status=400)) as hidden,
        SchemaServer("", engine="py-gql", behaviour=ServerBehaviour(introspection=False)) as second,
    ):
        clients = {server: connect(server.url) for server in (open_server, hidden, second)}
        for number, change in enumerate(CHANGES):
            sdl = change.sdl
            path = folder / f"{number}.graphql"
            path.write_text(sdl)
            schema = load_schema(path)
            report = compare(known, schema, operations)
            found[change.name, "sdl"] = Outcome(report, (), documents.invalid_under(schema))
            for source, server in (("introspection", open_server), ("probe", hidden), (PY_GQL, second)):
                if change not in CHANGES_BY_SOURCE[source]:
                    continue
                server.serve(sdl)
                flow = check_server(known, operations, source="", introspection=source == "introspection")
                report = clients[server].run(flow)
                found[change.name, source] = Outcome(report, tuple(server.resolved))
        yield found


class Documents:
    """The operations as documents, parsed once: all in one, and each on its own."""

    def __init__(self, operations: Sequence[CheckedOperation]) -> None:
        self._all = parse(combine(operations).source)
        self._each = {each.name: parse(combine([each]).source) for each in operations}

    def invalid_under(self, schema: GraphQLSchema) -> frozenset[str]:
        """Return the operations that graphql-core refuses, each on its own."""
        if not validate(schema, self._all):
            return frozenset()
        return frozenset(name for name, document in self._each.items() if validate(schema, document))


def test_there_are_many_changes_of_many_kinds() -> None:
    assert len(ALL_CHANGES) >= 60
    assert len(KINDS) >= 30
    assert {change.kind for change in CHANGES} == set(KINDS)
    assert len({change.name for change in ALL_CHANGES}) == len(ALL_CHANGES)
    assert sum(change.breaks for change in ALL_CHANGES) >= 25
    assert sum(change.breaks_if_used and not change.breaks for change in ALL_CHANGES) >= 20
    assert sum(change.breaks for change in CHANGES) >= 10
    assert sum(change.breaks_if_used and not change.breaks for change in CHANGES) >= 10


@pytest.mark.parametrize(
    ("source", "change"),
    [
        pytest.param(source, each, id=f"{source}: {each.name}")
        for source in SOURCES
        for each in CHANGES_BY_SOURCE[source]
    ],
)
def test_what_breaks_is_found_and_nothing_else_fails(
    source: str, change: SchemaChange, outcomes: Outcomes
) -> None:
    report = outcomes[change.name, source].report
    if source == PY_GQL:
        assert all("Input" in each.reason and each.is_valid for each in report.undecided)
        assert report.verdict() == ("breaking" if change.breaks else "unchecked"), report.findings
        report = report.accepting_unproved()
    assert report.undecided == ()
    assert report.verdict() == ("breaking" if change.breaks else "ok"), report.findings


@each_change
def test_strict_counts_what_nobody_uses(change: SchemaChange, outcomes: Outcomes) -> None:
    for source in ("sdl", "introspection"):
        if change in CHANGES_BY_SOURCE[source]:
            report = outcomes[change.name, source].report
            assert (report.verdict(strict=True) == "breaking") == change.breaks_if_used
            if change.breaks_if_used:
                assert any(change.coordinate in each.coordinate for each in report.counting(strict=True))


@each_change
def test_the_probe_says_what_the_sdl_says_of_every_operation_that_becomes_invalid(
    change: SchemaChange, outcomes: Outcomes
) -> None:
    invalid = outcomes[change.name, "sdl"].invalid
    for source in ("sdl", "introspection", "probe"):
        if change not in CHANGES_BY_SOURCE[source]:
            continue
        hit = {use.operation for each in outcomes[change.name, source].report.counting() for use in each.uses}
        assert invalid <= hit, source


@each_change
def test_a_probe_takes_three_requests_and_runs_nothing(change: SchemaChange, outcomes: Outcomes) -> None:
    for source in ("probe", PY_GQL):
        if change in CHANGES_BY_SOURCE[source]:
            outcome = outcomes[change.name, source]
            assert outcome.resolved == ()
            assert outcome.report.requests <= 3, source


def test_precision_and_recall(outcomes: Outcomes, capsys: pytest.CaptureFixture[str]) -> None:
    scores = {source: score(source, outcomes) for source in SOURCES}
    with capsys.disabled():
        print(f"\n\n{len(CHANGES)} schema changes, {sum(each.breaks for each in CHANGES)} of them breaking")
        print(
            f"{'source':<16} {'tried':>6} {'found':>6} {'missed':>7} {'false':>6} {'precision':>10} {'recall':>7}"
        )
        for source, each in scores.items():
            print(
                f"{source:<16} {len(CHANGES_BY_SOURCE[source]):>6} {each.found:>6} {each.missed:>7} {each.wrong:>6}"
                f" {each.precision:>10.0%} {each.recall:>7.0%}"
            )
    assert {(each.missed, each.wrong) for each in scores.values()} == {(0, 0)}


@dataclass(frozen=True)
class Score:
    """How many breaking changes a source found and missed, and how many others it reported as breaking."""

    found: int
    missed: int
    wrong: int

    @property
    def precision(self) -> float:
        """The share of its reports that are true."""
        return self.found / (self.found + self.wrong)

    @property
    def recall(self) -> float:
        """The share of the breaking changes that it reported."""
        return self.found / (self.found + self.missed)


def score(source: str, outcomes: Outcomes) -> Score:
    """Compare the verdicts of a source with the truth."""
    verdicts = [
        (outcomes[each.name, source].report.verdict() == "breaking", each.breaks)
        for each in CHANGES_BY_SOURCE[source]
    ]
    return Score(verdicts.count((True, True)), verdicts.count((False, True)), verdicts.count((True, False)))


def test_the_files_of_the_team_are_named(outcomes: Outcomes) -> None:
    hit = next(each for each in CHANGES if each.name.startswith("union member removed"))
    for source in ("sdl", "introspection", "probe"):
        uses = [use for each in outcomes[hit.name, source].report.counting() for use in each.uses]
        assert uses, source
        for use in uses:
            assert use.operation == "WhoMade"
            assert use.path is not None
            assert "... on User" in Path(use.path).read_text().splitlines()[use.line - 1]
