"""Every documented member through the official SDK and runql: the same result, or a deliberate difference."""

from __future__ import annotations

import os
import re

import pytest
from tests.architecture.surface import members_of
from tests.conformance import differences, member_table, newcomers, report
from tests.conformance.calls.every import CALLS
from tests.conformance.comparison import VERSIONS, Comparison, compare_all, mismatches
from tests.conformance.plain_values import Json

import runql

pytestmark = pytest.mark.long

BESIDE_THE_REFERENCE = (
    runql.File,
    runql.Sweep,
    runql.Project,
    runql.User,
    runql.Artifact,
    runql.ArtifactEntry,
    runql.ArtifactFile,
    runql.ArtifactType,
    runql.ArtifactCollection,
)
REFUSED = {
    *("made_with_a_wrong_key", "runs_of_no_project", "runs_by_an_unknown_order", "beyond_the_end"),
    *("histories_in_no_format", "made_by_hand_of_nothing", "summary_of_an_unknown_key"),
    *("files_by_name_and_pattern", "sweep_that_is_missing", "artifact_of_another_type"),
    *("artifacts_of_no_collection", "artifact_type_that_is_missing", "artifact_collection_that_is_missing"),
    *("get_entry_that_is_missing", "download_references_to_s3", "upload_file_missing", "delete_twice"),
    *("update_deleted", "log_artifact_elsewhere", "project_that_is_missing"),
    *("from_path_of_nothing", "unlink", "update_state_to_nothing"),
}
"""Calls that both libraries must refuse."""
EACH_VERSION = pytest.mark.parametrize("version", VERSIONS)
COVERED = set(member_table.covered())


@pytest.fixture(scope="session")
def comparisons() -> dict[str, Comparison]:
    """Compare every call; needs both official SDKs."""
    missing = [variable for variable in VERSIONS.values() if not os.environ.get(variable)]
    if missing:
        pytest.skip(f"{' and '.join(missing)} name no interpreter with the official SDK: use `make test`")
    return compare_all()


@pytest.mark.oracle
@EACH_VERSION
def test_results_differ_only_on_purpose(version: str, comparisons: dict[str, Comparison]) -> None:
    comparison = comparisons[version]
    on_purpose = {each.call for each in differences.load() if version in each.sdk}
    differ = {name for name, compared in comparison.items() if compared.mismatches}
    assert differ - on_purpose == set(), report.explained(comparison, differ - on_purpose)
    assert on_purpose - differ == set(), "listed as different, and the same"


@pytest.mark.oracle
@EACH_VERSION
def test_both_clients_have_equal_results(version: str, comparisons: dict[str, Comparison]) -> None:
    assert {
        name: compared.between_clients
        for name, compared in comparisons[version].items()
        if compared.between_clients
    } == {}


@pytest.mark.oracle
@EACH_VERSION
def test_both_clients_send_the_same_number_of_requests(
    version: str, comparisons: dict[str, Comparison]
) -> None:
    sent = {
        name: (compared.ours.requests, compared.awaited.requests)
        for name, compared in comparisons[version].items()
    }
    assert {name: both for name, both in sent.items() if both[0] != both[1]} == {}


@pytest.mark.oracle
@EACH_VERSION
def test_the_project_holds_what_is_to_be_compared(version: str, comparisons: dict[str, Comparison]) -> None:
    official = {name: compared.official for name, compared in comparisons[version].items()}
    assert set(map(str, official["Run.state"].answers.values())) == {
        *("running", "crashed", "finished", "failed", "killed", "pending")
    }
    for call, label, least in (
        ("scan_history", "rich", 1_200),
        ("scan_history", "running", 3),
        ("scan_history", "crashed", 3),
        ("history_of_machines", "rich", 2),
        ("files", "rich", 9),
        ("sweep_of_a_run", "swept-1", 2),
        ("manifest", "data:v1", 5),
        ("download_references", "elsewhere:kept", 3),
    ):
        answer = official[call].answers[label]
        assert isinstance(answer, (list, dict)), call
        assert len(answer) >= least, call
    # A call that fails through both libraries compares only errors, so it must be one of REFUSED.
    assert {
        name
        for name, answer in official.items()
        if all(isinstance(each, dict) and "raises" in each for each in answer.answers.values())
        and not comparisons[version][name].mismatches
    } <= REFUSED


@pytest.mark.oracle
def test_the_report_is_fresh(comparisons: dict[str, Comparison]) -> None:
    assert report.FILE.read_text("utf-8") == report.render(comparisons, differences.load()), (
        "run `make conformance`"
    )


def test_every_documented_member_is_called() -> None:
    assert len(member_table.documented()) > 60
    assert set(member_table.documented()) - COVERED == set()


def test_the_table_of_members_is_fresh() -> None:
    text = member_table.FILE.read_text("utf-8")
    assert member_table.refreshed(text) == text, "run `make conformance`"
    listed = set(re.findall(r"`([A-Za-z_.]+)` ✓", member_table.table()))
    assert {member.partition(".")[2] for member in member_table.documented()} <= listed


def test_the_table_for_newcomers_is_that_of_the_report() -> None:
    text = newcomers.FILE.read_text("utf-8")
    assert newcomers.refreshed(text) == text, "run `make conformance`"
    rows = re.findall(r"^\| `.+ \|$", newcomers.table(report.FILE.read_text("utf-8")), re.MULTILINE)
    newest = [each for each in differences.load() if newcomers.NEWEST in each.sdk]
    assert len(rows) == len({each.because for each in newest} - {newcomers.ADDED})


@pytest.mark.parametrize("owner", BESIDE_THE_REFERENCE, ids=lambda each: each.__name__)
def test_every_member_beside_the_reference_is_called_or_ours_alone(owner: type) -> None:
    fields = set(getattr(owner, "__dataclass_fields__", ()))
    members = fields | set(members_of(owner))
    alone = set(differences.of_ours_alone().get(owner.__name__, ()))
    covered = {member.removeprefix(f"{owner.__name__}.") for member in COVERED}
    assert members - covered - alone == set()
    assert alone & covered == set()
    assert alone <= members


def test_every_difference_is_of_a_call_and_says_why() -> None:
    listed = differences.load()
    assert {each.call for each in listed} <= set(CALLS)
    assert len({each.call for each in listed}) == len(listed)
    assert all(each.because and set(each.sdk) <= set(VERSIONS) for each in listed)


def test_mismatches_are_the_smallest_parts_that_differ() -> None:
    official: Json = {"a": [1, {"b": {"float": "1.0"}}], "c": 1, "d": {"raises": "KeyError"}}
    ours: Json = {"a": [1, {"b": {"float": "2.0"}}], "c": True, "d": {"x": 1}, "e": None}
    found = {"/".join(each.way): (each.official, each.ours) for each in mismatches(official, ours)}
    assert found == {
        "a/1/b": ({"float": "1.0"}, {"float": "2.0"}),
        "c": (1, True),
        "d": ({"raises": "KeyError"}, {"x": 1}),
        "e": ("nothing", None),
    }
    assert list(mismatches({"a": 1, "b": [2]}, {"b": [2], "a": 1})) == []
