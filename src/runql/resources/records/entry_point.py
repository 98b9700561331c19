"""What the entry points of both clients share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar

from runql.config import Settings
from runql.errors import ConfigurationError
from runql.limits import Limits
from runql.partial_results import OnPartial
from runql.postponed import postponed
from runql.resources.records.travelling import Travelling
from runql.transport.endpoint import USER_AGENT
from runql.transport.wire import Traffic

if TYPE_CHECKING:
    from runql.transport.retry import RetryPolicy
else:
    globals().update(postponed("RetryPolicy"))


class SupportsOptions(Protocol):
    """A client of either kind."""

    settings: Settings
    traffic: Traffic

    def with_options(
        self,
        *,
        timeout: float | None = None,
        retries: int | RetryPolicy | None = None,
        deadline: float | None = None,
        limits: Limits | None = None,
        partial: OnPartial | None = None,
    ) -> Self:
        """Return a copy with other options; see `Api.with_options`."""
        ...


C = TypeVar("C", bound=SupportsOptions)


class EntryPoint(Travelling, Generic[C]):
    """The members of `Api` that send nothing."""

    client: C

    _CLIENT = "client"
    _STAYS = frozenset({"_viewer"})

    def __copy__(self) -> Self:
        return self.with_options()

    def __deepcopy__(self, memo: object) -> Self:
        return self.with_options()

    def _token(self) -> tuple[object, ...]:
        return ()

    def with_options(
        self,
        *,
        timeout: float | None = None,
        retries: int | RetryPolicy | None = None,
        deadline: float | None = None,
        limits: Limits | None = None,
        partial: OnPartial | None = None,
    ) -> Self:
        """Return a copy with other options for single calls; sends nothing.

        For a call that takes the server long::

            api.with_options(timeout=300, retries=0).run("team/vision/abc123").history()

        The copy shares connections, the viewer, the rate limit, `traffic`, and what was learned about the server. Runs,
        lists and files that it returns use its options. Options that are None are those of this client.

        `close` of the copy closes the copy alone. `close` of this client closes its connections, so its copies raise
        `ClientClosedError`, too. Threads and forked processes may share both.

        Args:
            timeout: seconds to wait for a connection, and for each further piece of a response.
            retries: how often to send a failed request again; 0 sends each request once. Or a `RetryPolicy`.
            deadline: seconds that each call may take in all, see `__init__`; infinity for no limit.
            limits: what to accept from the server at most.
            partial: ``"allow"`` lets reads of many runs return without the runs that cannot be read, see `__init__`.

        Raises:
            ValueError, TypeError: an option is not valid.
        """
        other = object.__new__(type(self))
        client = self.client.with_options(
            timeout=timeout, retries=retries, deadline=deadline, limits=limits, partial=partial
        )
        vars(other).update(vars(self), client=client)
        return other

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
