"""The worlds: servers, or recordings of one, that behaviour tests read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import pytest
from tests.contract import recording

WorldName = Literal["recorded", "server", "record", "live"]
PROJECT = "digits"
ENTITY = "local"
FAKE_KEY = "0123456789" * 4


class SampleServer(Protocol):
    """A server with the sample project."""

    @property
    def url(self) -> str: ...
    @property
    def api_key(self) -> str: ...
    @property
    def entity(self) -> str: ...
    @property
    def project(self) -> str: ...


@dataclass(frozen=True)
class World:
    """A server, or recordings of one, with a project of many kinds of runs."""

    name: WorldName
    url: str
    api_key: str = field(repr=False)
    entity: str
    project: str

    @property
    def path(self) -> str:
        """Path of the project."""
        return f"{self.entity}/{self.project}"

    @property
    def is_sample(self) -> bool:
        """Whether the project is the sample, whose facts tests may assert."""
        return self.name != "live"


def recorded_world() -> World:
    """Return recordings without a server."""
    return World("recorded", recording.ORIGIN, FAKE_KEY, ENTITY, PROJECT)


def served_world(name: WorldName, server: SampleServer) -> World:
    """Return the sample on an embedded server."""
    return World(name, server.url, server.api_key, server.entity, server.project)


def live_world(environment: Mapping[str, str]) -> World:
    """Return a real server; the environment holds its URL and API key."""
    path, key = environment.get("RUNQL_LIVE_PATH", ""), environment.get("WANDB_API_KEY", "")
    entity, slash, project = path.partition("/")
    if not (slash and key):
        pytest.skip("the live world needs RUNQL_LIVE_PATH=entity/project and WANDB_API_KEY")
    return World("live", environment.get("WANDB_BASE_URL", "https://api.wandb.ai"), key, entity, project)
