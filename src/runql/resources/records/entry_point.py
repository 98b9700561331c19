"""What the entry points of both clients share."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

from runql.config import Settings
from runql.errors import ConfigurationError
from runql.transport.endpoint import USER_AGENT
from runql.transport.wire import Traffic


class SupportsTraffic(Protocol):
    """A client of either kind."""

    settings: Settings
    traffic: Traffic


C = TypeVar("C", bound=SupportsTraffic)


class EntryPoint(Generic[C]):
    """The members of `Api` that send nothing."""

    client: C

    @property
    def settings(self) -> Settings:
        """The resolved settings; their repr hides the key."""
        return self.client.settings

    @property
    def traffic(self) -> Traffic:
        """Counts of what was sent and received so far."""
        return self.client.traffic

    @property
    def user_agent(self) -> str:
        """The User-Agent that runql sends: ``runql/`` and its version."""
        return USER_AGENT

    def flush(self) -> None:
        """Do nothing; kept for compatibility. There is no cache that could go stale."""


def known_entity(entity: str | None) -> str:
    """Return the entity.

    Raises:
        ConfigurationError: there is none.
    """
    if not entity:
        raise ConfigurationError(
            "the path names no entity and the API key's user has no default one: "
            "write entity/project/…, or set WANDB_ENTITY"
        )
    return entity
