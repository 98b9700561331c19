"""People and what they belong to."""

from __future__ import annotations

from dataclasses import dataclass

from runql.errors import AuthenticationError
from runql.transport.flow import Flow, fetch
from runql_graphql.operations import get_viewer


@dataclass(frozen=True, slots=True)
class User:
    """A user.

    Attributes:
        name: the full name.
        username: the short name, in URLs.
        email: None for other people, unless the key is an admin's.
        entity: name of the default entity; None where it was not asked for.
        admin: whether the user is an admin of the server; None where it was not asked for.
        teams: names of the teams; empty where they were not asked for.
    """

    name: str
    username: str | None = None
    email: str | None = None
    entity: str | None = None
    admin: bool | None = None
    teams: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name


def read_viewer() -> Flow[User]:
    """The user that the API key belongs to; one request.

    Raises:
        AuthenticationError: the server knows no user for this key (it answers null).
    """
    viewer = (yield from fetch(get_viewer())).viewer
    if viewer is None:
        raise AuthenticationError(
            "the server knows no user for this API key: check WANDB_API_KEY",
            status=200,
            operation="GetViewer",
        )
    edges = viewer.teams.edges if viewer.teams else []
    return User(
        name=viewer.name,
        username=viewer.username,
        email=viewer.email,
        entity=viewer.entity,
        admin=viewer.admin,
        teams=tuple(edge.node.name for edge in edges if edge.node),
    )
