"""What is asked in an older way, and what is done to links: with a sample of their own, as one of them is deleted."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest
from tests.contract.both_clients import PassingTransport

from runql import Api
from runql_server.sample import Sample, start

UNKNOWN = 'Cannot query field "artifactCollectionMembership" on type "Project".'


@pytest.fixture(scope="module")
def own_sample() -> Iterator[Sample]:
    with start() as sample:
        yield sample


class WithoutMemberships(PassingTransport):
    """Refuses what servers from before memberships refuse, and passes everything else on."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def before(self, request: httpx.Request) -> httpx.Request | httpx.Response:
        name: str = json.loads(request.read())["operationName"]
        self.asked.append(name)
        if name == "GetArtifactMembership":
            return httpx.Response(400, json={"errors": [{"message": UNKNOWN}]})
        return request


def test_an_artifact_is_found_on_a_server_from_before_memberships(own_sample: Sample) -> None:
    transport = WithoutMemberships()
    with Api(base_url=own_sample.url, api_key=own_sample.api_key, transport=transport) as api:
        found = api.artifact(f"{own_sample.entity}/{own_sample.project}/champion:v0")
    assert transport.asked == ["GetArtifactMembership", "GetNamedArtifact"]
    assert found.qualified_name.endswith("champion:v0")


def test_of_a_link_only_the_link_is_deleted(own_sample: Sample) -> None:
    with Api(base_url=own_sample.url, api_key=own_sample.api_key) as api:
        link = api.artifact(f"{own_sample.entity}/{own_sample.project}/champion:v0")
        assert link.is_link
        link.delete()
        assert not api.artifact_exists(f"{own_sample.entity}/{own_sample.project}/champion:v0")
        assert api.artifact_exists(link.source_qualified_name)
