"""What a server can do, on both faces, and what is said of one that is too old for a call."""

from __future__ import annotations

import re

import httpx
import pytest
from graphql import GraphQLSchema
from tests.contract.both_clients import DoubleTransport, Face
from tests.contract.world import FAKE_KEY

from runql import OutdatedServerError
from runql.drift import known_schema, own_operations
from runql.drift.operations.usage import usage_of
from runql.resources.capabilities import NEEDED, Capabilities
from runql_server.running import RunningServer


def test_the_embedded_server_takes_every_operation_in_full(face: Face, server: RunningServer) -> None:
    server.clear()
    found = face.take(face.api(server.url, server.api_key).capabilities())
    assert "MARK_RUN_FILES_UPLOADED" in found.features
    assert [each.operation for each in server.requests] == ["GetServerInfo"]


def test_what_a_server_lacks_limits_the_operations_that_need_it() -> None:
    assert Capabilities(frozenset()).limited_operations == NEEDED
    everything = frozenset(feature for features in NEEDED.values() for feature in features)
    assert Capabilities(everything).limited_operations == {}


def test_what_operations_need_is_what_the_sdl_says() -> None:
    schema = known_schema()
    usage = usage_of(own_operations(), schema)
    needed: dict[str, set[str]] = {}
    for coordinate, description in described(schema).items():
        # Of arguments, input fields and fields alike: "Only on servers with the feature `X`".
        features = re.findall(r"feature\s+`([A-Z][A-Z_]+)`", description)
        for use in usage.of(coordinate) if features else ():
            needed.setdefault(use.operation, set()).update(features)
    assert needed == NEEDED


def described(schema: GraphQLSchema) -> dict[str, str]:
    """The descriptions of everything that is selected, given or filled, by coordinate."""
    found: dict[str, str] = {}
    for owner in schema.type_map.values():
        for name, field in getattr(owner, "fields", {}).items():
            found[f"{owner.name}.{name}"] = field.description or ""
            for argument, each in getattr(field, "args", {}).items():
                found[f"{owner.name}.{name}({argument}:)"] = each.description or ""
    return found


UNVERSIONED = "it is older than this runql, or not one of W&B's own"


class OldServer(DoubleTransport):
    """Refuses every operation as a server does that lacks a field."""

    def __init__(self, message: str) -> None:
        self._message = message

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/graphql"
        return httpx.Response(400, json={"errors": [{"message": self._message}]})

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return self.handle_request(request)


@pytest.mark.parametrize(
    ("message", "why", "unknown"),
    [
        (
            'Cannot query field "projectId" on type "Run".',
            "W&B's own servers know Run.projectId since version 0.51",
            "Run.projectId",
        ),
        ("Cannot query field 'historyKeys' on type 'Run'.", UNVERSIONED, "Run.historyKeys"),
        ('Unknown argument "pattern" on field "Run.files".', UNVERSIONED, "Run.files.pattern"),
        ('Field "x" is not defined by type "DeleteRunInput".', UNVERSIONED, "DeleteRunInput.x"),
    ],
)
def test_a_server_that_knows_less_is_said_to(message: str, why: str, unknown: str, face: Face) -> None:
    api = face.api("http://old.test", FAKE_KEY, transport=OldServer(message))
    with pytest.raises(OutdatedServerError) as caught:
        face.take(api.run("e/p/r"))
    assert caught.value.unknown == (unknown,)
    assert f"this server does not know {unknown} ({why})" in str(caught.value)
    assert message in str(caught.value)
