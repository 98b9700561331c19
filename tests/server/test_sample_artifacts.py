"""Artifacts of the sample's runs: dataset, models, reports, image, table; and the sweep."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from runql_server.sample import Sample

FAMILIES = {"softmax": 8, "mlp": 8, "sgd": 9}
BRIGHTEST = 16


class Reader:
    """Asks the sample's server, without any library of ours."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def project(self, fields: str) -> dict[str, Any]:
        answer = self.http.post("/graphql", json={"query": f'{{ project(name: "digits") {{ {fields} }} }}'})
        body: dict[str, Any] = answer.json()
        assert "errors" not in body, body
        found: dict[str, Any] = body["data"]["project"]
        return found

    def files(self, artifact: str) -> dict[str, bytes]:
        """The files of a version, downloaded."""
        found = self.project(
            f'artifact(name: "{artifact}") {{ files {{ edges {{ node {{ name directUrl }} }} }} }}'
        )
        nodes = [edge["node"] for edge in found["artifact"]["files"]["edges"]]
        return {node["name"]: self.http.get(node["directUrl"], auth=None).content for node in nodes}


@pytest.fixture(scope="module")
def reader(sample_server: Sample) -> Iterator[Reader]:
    with httpx.Client(
        base_url=sample_server.url, auth=("api", sample_server.api_key), trust_env=False
    ) as client:
        yield Reader(client)


def held_out(reader: Reader) -> list[tuple[int, list[float]]]:
    """The digits that no model was trained on: what each shows, and its pixels."""
    text = reader.files("digits:latest")["held_out.csv"].decode()
    rows = [[int(cell) for cell in row] for row in list(csv.reader(io.StringIO(text)))[1:]]
    return [(row[0], [pixel / BRIGHTEST for pixel in row[1:]]) for row in rows]


def predicted(model: dict[str, Any], x: list[float]) -> int:
    """What a model of weights.json says, in a few lines of plain Python."""
    for layer in model["layers"]:
        bias = layer["bias"] or [0.0] * len(layer["weights"][0])
        columns = zip(*layer["weights"], strict=True)
        x = [
            sum(value * weight for value, weight in zip(x, column, strict=True)) + offset
            for column, offset in zip(columns, bias, strict=True)
        ]
        match layer["activation"]:
            case "relu":
                x = [max(value, 0.0) for value in x]
            case "tanh":
                x = [math.tanh(value) for value in x]
            case _:
                pass
    return x.index(max(x))


@pytest.mark.parametrize("family", FAMILIES)
def test_the_best_model_of_each_family_is_as_good_as_its_run_says(reader: Reader, family: str) -> None:
    found = reader.project(
        f'artifact(name: "{family}:best") {{ metadata createdBy {{ ... on Run {{ name summaryMetrics }} }} tags {{ name }} }}'
    )["artifact"]
    claimed = json.loads(found["createdBy"]["summaryMetrics"])["val_accuracy"]
    files = reader.files(f"{family}:best")
    about, model = json.loads(files["model.json"]), json.loads(files["weights.json"])
    digits = held_out(reader)
    right = sum(predicted(model, pixels) == shown for shown, pixels in digits)
    assert model["format"] == "dense-layers/1"
    assert len(digits) == 450
    assert right / len(digits) == claimed == about["accuracy"] == json.loads(found["metadata"])["accuracy"]
    assert (about["family"], about["run"]) == (family, found["createdBy"]["name"])


@pytest.mark.parametrize(("family", "count"), FAMILIES.items())
def test_every_finished_run_made_a_version_of_its_family(reader: Reader, family: str, count: int) -> None:
    found = reader.project(
        f"""artifactType(name: "model") {{ artifactCollection(name: "{family}") {{ artifacts(order: "+versionIndex") {{ edges {{ version node {{
            metadata aliases {{ alias }} createdBy {{ ... on Run {{ name group inputArtifacts {{ edges {{ node {{ artifactSequence {{ name }} }} }} }} }} }} }} }} }} }} }}"""
    )
    edges = found["artifactType"]["artifactCollection"]["artifacts"]["edges"]
    assert [edge["version"] for edge in edges] == [f"v{number}" for number in range(count)]
    runs = [edge["node"]["createdBy"] for edge in edges]
    assert len({run["name"] for run in runs}) == count
    assert {run["group"] for run in runs} == {family}
    assert all(
        run["inputArtifacts"]["edges"] == [{"node": {"artifactSequence": {"name": "digits"}}}] for run in runs
    )
    accuracies = [json.loads(edge["node"]["metadata"])["accuracy"] for edge in edges]
    best = next(edge for edge in edges if {"alias": "best"} in edge["node"]["aliases"])
    assert accuracies[edges.index(best)] == max(accuracies)


def test_all_runs_used_the_data_set_and_the_first_made_it(reader: Reader) -> None:
    found = reader.project(
        """artifact(name: "digits:split-0") { usedCount metadata fileCount tags { name } createdBy { ... on Run { name } } }
        runs { totalCount } run(name: "diverged") { outputArtifacts { totalCount } }"""
    )
    data = found["artifact"]
    assert (data["usedCount"], found["runs"]["totalCount"], data["fileCount"]) == (28, 28, 3)
    assert data["createdBy"] == {"name": "sgd00"}
    about = json.loads(data["metadata"])
    assert (about["train"], about["held_out"]) == (1347, 450)
    train = reader.files("digits:split-0")["train.csv"].decode().splitlines()
    assert len(train) == 1 + 1347
    assert train[0].startswith("digit,pixel_0_0,")
    assert found["run"]["outputArtifacts"] == {"totalCount": 0}, "its weights are not numbers"


def test_the_champion_is_linked_to_a_portfolio(reader: Reader) -> None:
    found = reader.project(
        """artifact(name: "champion:production") { metadata artifactSequence { name } aliases { alias } }
        artifactCollection(name: "champion") { __typename }"""
    )
    assert found["artifactCollection"]["__typename"] == "ArtifactPortfolio"
    accuracies = [
        json.loads(reader.project(f'artifact(name: "{family}:best") {{ metadata }}')["artifact"]["metadata"])[
            "accuracy"
        ]
        for family in FAMILIES
    ]
    assert json.loads(found["artifact"]["metadata"])["accuracy"] == max(accuracies)
    assert {"alias": "best"} in found["artifact"]["aliases"]


def test_reports_lie_in_folders_and_some_runs_have_a_picture_and_a_table(
    reader: Reader, sample_server: Sample
) -> None:
    found = reader.project(
        'run(name: "mlp02") { summaryMetrics files(first: 50) { edges { node { name directUrl sizeBytes } } } }'
    )["run"]
    files = {edge["node"]["name"]: edge["node"] for edge in found["files"]["edges"]}
    recalls = reader.http.get(files["report/held_out/recalls.json"]["directUrl"], auth=None).json()
    assert set(recalls) == {str(digit) for digit in range(10)}
    assert "report/held_out/confusion.csv" in files
    summary = json.loads(found["summaryMetrics"])
    picture = reader.http.get(files[summary["confusion"]["path"]]["directUrl"], auth=None).content
    assert summary["confusion"]["_type"] == "image-file"
    assert picture.startswith(b"\x89PNG\r\n")
    assert len(picture) < 10_000
    table = json.loads(reader.files("run-mlp02-mistakes:latest")["mistakes.table.json"])
    assert table["columns"] == ["shown", "taken_for", "times"]
    assert sum(times for _, _, times in table["data"]) == round(450 * (1 - summary["val_accuracy"]))
    assert summary["mistakes"]["_type"] == "table-file"


def test_the_softmax_family_is_a_sweep(reader: Reader) -> None:
    found = reader.project(
        """sweeps { edges { node { displayName config state bestLoss runCount runs { edges { node { group summaryMetrics } } } } } }"""
    )
    (edge,) = found["sweeps"]["edges"]
    sweep = edge["node"]
    runs = [each["node"] for each in sweep["runs"]["edges"]]
    assert (sweep["runCount"], {run["group"] for run in runs}) == (8, {"softmax"})
    assert sweep["bestLoss"] == min(json.loads(run["summaryMetrics"])["val_loss"] for run in runs)
    assert sweep["state"] == "FINISHED"
    assert "method: grid" in sweep["config"]
