"""Users, and the teams that they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from runql.errors import AuthenticationError
from runql.resources.pages.listing import Page, read_all, read_edges, require_connection
from runql.resources.records.snake_case import SnakeCaseAttributes
from runql.transport.flow import Flow, fetch
from runql_graphql.fragments import ViewerFields
from runql_graphql.operations import get_viewer, list_users

USERS_A_PAGE: Final = 200


@dataclass(frozen=True, slots=True)
class User(SnakeCaseAttributes):
    """A user.

    Attributes:
        name: the full name.
        username: the short name, in URLs.
        email: None for other people, unless the key is an admin's.
        entity: name of the default entity; None where runql did not ask for it.
        admin: whether the user is an admin of the server; None where runql did not ask, or the server does not say.
        teams: names of the teams; empty where runql did not ask for them.
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
        AuthenticationError: the server knows no user for this key: it returns null.
    """
    viewer = (yield from fetch(get_viewer())).viewer
    if viewer is None:
        raise AuthenticationError(
            "the server knows no user for this API key: check WANDB_API_KEY",
            status=200,
            operation="GetViewer",
        )
    return _user(viewer)


def list_matching_users(query: str) -> Flow[list[User]]:
    """The users whose username or e-mail address contains the query; one request for every 200."""

    def read(after: str | None) -> Flow[Page[ViewerFields]]:
        users = (yield from fetch(list_users(query=query, first=USERS_A_PAGE, after=after))).users
        found = require_connection(users, "the users that match")
        return read_edges(found.page_info, found.edges, after)

    return [_user(fields) for fields in (yield from read_all(read))]


def best_match(users: Sequence[User], name: str) -> User | None:
    """The user who has exactly this username or e-mail address, else the first."""
    exact = (user for user in users if name in {user.username, user.email})
    return next(exact, users[0] if users else None)


def _user(fields: ViewerFields) -> User:
    edges = fields.teams.edges if fields.teams else []
    return User(
        name=fields.name,
        username=fields.username,
        email=fields.email,
        entity=fields.entity,
        admin=fields.admin,
        teams=tuple(edge.node.name for edge in edges if edge.node),
    )
