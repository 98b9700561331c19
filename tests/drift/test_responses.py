"""Strict reading of responses, recorded and live: every departure from the SDL is a finding, and nothing else is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import pytest
from graphql import GraphQLSchema
from tests.patience import PATIENCE

from runql import RetryingClient
from runql.config import resolve_settings
from runql.drift import (
    Exchange,
    known_schema,
    own_operations,
    read_live_answers,
    read_recordings,
    read_strictly,
)
from runql.errors import DriftInputError
from runql.values import JSONValue

COMMAND = [sys.executable, "-m", "runql.cli.main", "drift", "responses"]
RECORDED = Path(__file__).parents[1] / "recorded"
QUERY = """
query One($run: String!, $whole: Boolean!) {
  project(name: "p") {
    run(name: $run) {
      ...Fields
    }
  }
}
fragment Fields on Run {
  id
  state
  tags
  createdAt
  historyLineCount
  config
  historyKeys
  label: displayName
  history(samples: 2) @include(if: $whole)
  user { username }
}
"""
RUN: dict[str, JSONValue] = {
    "id": "UnVuOjE=",
    "state": "finished",
    "tags": ["a"],
    "createdAt": "2026-11-24T03:24:35",
    "historyLineCount": 2,
    "config": '{"lr": {"value": 0.1, "desc": null}, "_wandb": {"value": {}}, "wandb_version": 1}',
    "historyKeys": {
        "keys": {"loss": {"typeCounts": [{"type": "number", "count": 2}]}},
        "sets": [],
        "lastStep": 1,
    },
    "label": "a run",
    "history": ['{"_step": 0, "loss": NaN}', '{"_step": 1.0}'],
    "user": {"username": "local"},
}


def exchange(run: JSONValue, *, whole: bool = True, document: str = QUERY) -> Exchange:
    data: JSONValue = {"project": {"run": run}}
    return Exchange("One", document, {"run": "r", "whole": whole}, data)


def departures(run: JSONValue, *, whole: bool = True) -> set[tuple[str, str]]:
    found = read_strictly(exchange(run, whole=whole), known_schema())
    return {(each.rule, each.coordinate) for each in found}


def test_a_valid_response_has_no_findings() -> None:
    assert departures(RUN) == set()
    assert departures(None) == set()


@pytest.mark.parametrize(
    ("change", "rule", "coordinate"),
    [
        ({"brandNew": 1}, "response-unknown-field", "Run.brandNew"),
        ({"id": None}, "response-null", "Run.id"),
        ({"tags": [None]}, "response-null", "Run.tags"),
        ({"tags": "a"}, "response-type", "Run.tags"),
        ({"state": 3}, "response-type", "Run.state"),
        ({"historyLineCount": True}, "response-type", "Run.historyLineCount"),
        ({"historyLineCount": "2"}, "response-type", "Run.historyLineCount"),
        ({"createdAt": "yesterday"}, "response-type", "Run.createdAt"),
        ({"config": "{"}, "response-type", "Run.config"),
        ({"config": '{"lr": 0.1}'}, "response-shape", "Run.config"),
        ({"config": '{"lr": {"value": 1, "unit": "x"}}'}, "response-shape", "Run.config"),
        ({"historyKeys": {"keys": {"loss": {"counts": []}}}}, "response-shape", "Run.historyKeys"),
        ({"historyKeys": []}, "response-shape", "Run.historyKeys"),
        ({"history": ["[1]"]}, "response-shape", "Run.history"),
        ({"history": ['{"_step": "0"}']}, "response-shape", "Run.history"),
        ({"user": "local"}, "response-type", "Run.user"),
        ({"user": {"username": "x", "apiKeys": {}}}, "response-unknown-field", "User.apiKeys"),
    ],
    ids=lambda each: str(each)[:40],
)
def test_each_departure_is_a_finding(change: dict[str, JSONValue], rule: str, coordinate: str) -> None:
    assert departures({**RUN, **change}) == {(rule, coordinate)}


@pytest.mark.parametrize(
    ("change", "level"),
    [
        ({"brandNew": 1}, "dangerous"),
        ({"historyLineCount": 2.0}, "dangerous"),
        ({"historyLineCount": 2.5}, "breaking"),
        ({"id": None}, "breaking"),
    ],
    ids=str,
)
def test_what_every_decoder_reads_is_dangerous_only(change: dict[str, JSONValue], level: str) -> None:
    [finding] = read_strictly(exchange({**RUN, **change}), known_schema())
    assert finding.level == level


def test_the_worse_of_two_departures_of_a_field_counts() -> None:
    document = 'query One { project(name: "p") { runs { edges { node { historyLineCount } } } } }'
    orders: list[list[JSONValue]] = [[2.0, "two"], ["two", 2.0]]
    for counts in orders:
        edges: JSONValue = [{"node": {"historyLineCount": count}} for count in counts]
        answer = Exchange("One", document, {}, {"project": {"runs": {"edges": edges}}})
        [finding] = read_strictly(answer, known_schema())
        assert finding.level == "breaking"


def test_the_document_tells_whose_operation_it_is() -> None:
    """A user's operation may have a name that runql's has, too."""
    [own] = [each for each in own_operations() if each.name == "GetViewer"]
    document = "\n".join(each.text for each in (own.definition, *own.fragments))
    theirs = "query GetViewer { viewer { id teams { edges { node { name } } } } }"
    broken: JSONValue = {"viewer": {"id": None}}
    for source, senders in ((document, own.methods), (theirs, ())):
        found = read_strictly(Exchange("GetViewer", source, {}, broken), known_schema())
        assert {each.uses[0].methods for each in found} == {senders}
    assert own.methods


def test_a_missing_field_is_a_finding() -> None:
    less = {key: value for key, value in RUN.items() if key not in {"label", "history"}}
    assert departures(less) == {
        ("response-missing-field", "Run.displayName"),
        ("response-missing-field", "Run.history"),
    }
    assert departures(less, whole=False) == {("response-missing-field", "Run.displayName")}
    assert departures(RUN, whole=False) == {("response-unknown-field", "Run.history")}


NONE: set[tuple[str, str]] = set()
COLLECTION = """
query One { artifactCollection(id: "x") { __typename name state ... on ArtifactPortfolio { description } } }
"""


@pytest.mark.parametrize(
    ("collection", "found"),
    [
        ({"__typename": "ArtifactPortfolio", "name": "a", "state": "READY", "description": None}, NONE),
        ({"__typename": "ArtifactSequence", "name": "a", "state": "READY"}, NONE),
        (
            {"__typename": "ArtifactSequence", "name": "a", "state": "FROZEN"},
            {("response-enum-value", "ArtifactCollectionState.FROZEN")},
        ),
        (
            {"__typename": "ArtifactShelf", "name": "a", "state": "READY"},
            {("response-unknown-type", "ArtifactCollection")},
        ),
    ],
)
def test_types_and_enums_that_the_sdl_does_not_have(
    collection: dict[str, JSONValue], found: set[tuple[str, str]], known: GraphQLSchema
) -> None:
    answer = Exchange("One", COLLECTION, {}, {"artifactCollection": collection})
    assert {(each.rule, each.coordinate) for each in read_strictly(answer, known)} == found


def test_all_recordings_are_valid(known: GraphQLSchema) -> None:
    exchanges = read_recordings([RECORDED])
    assert len(exchanges) > 300
    assert [each for exchange in exchanges for each in read_strictly(exchange, known)] == []


def test_a_users_recording_carries_its_query(tmp_path: Path, known: GraphQLSchema) -> None:
    body = json.dumps({"operationName": "One", "query": QUERY, "variables": {"run": "r", "whole": True}})
    answer = json.dumps({"data": {"project": {"run": {**RUN, "id": None}}}})
    text = f"interactions:\n- request:\n    body: '{body}'\n  response:\n    body:\n      string: '{answer}'\nversion: 1\n"
    (tmp_path / "mine.yaml").write_text(text.replace("\\n", " "))
    [read] = read_recordings([tmp_path])
    assert (read.path, read.line) == (tmp_path / "mine.yaml", 2)
    [finding] = read_strictly(read, known)
    assert finding.coordinate == "Run.id"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "is not a recording"),
        ("a: 1", "has no interactions"),
        ("interactions: []", "no GraphQL exchange"),
    ],
)
def test_a_file_that_is_not_a_recording_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(DriftInputError, match=message):
        read_recordings([tmp_path / "x.yaml"])


class Sample(Protocol):
    """The server of the pytest plugin's fixture `sample_server`."""

    url: str
    api_key: str
    entity: str
    project: str


def test_live_responses_of_the_sample_are_valid(sample_server: Sample, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *COMMAND,
            "--url",
            sample_server.url,
            "--project",
            f"{sample_server.entity}/{sample_server.project}",
            "--format",
            "json",
        ],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "WANDB_API_KEY": sample_server.api_key},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    report = json.loads(done.stdout)
    assert report["findings"] == []
    assert report["unchecked"] == []
    assert done.returncode == 0
    queries = [each for each in own_operations() if each.definition.kind == "query"]
    assert report["operations"] == report["requests"] == len(queries)


def test_a_query_without_values_for_its_variables_is_unchecked(sample_server: Sample) -> None:
    settings = resolve_settings(base_url=sample_server.url, api_key=sample_server.api_key)
    with RetryingClient(settings) as client:
        read = client.run(read_live_answers(own_operations(), sample_server.entity, "no-such-project"))
    assert "GetRun" in {each.subject for each in read.unchecked}
    assert all("no value for $" in each.reason for each in read.unchecked)
