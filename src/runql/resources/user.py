"""People and what they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from runql.errors import AuthenticationError
from runql.resources.pages.listing import read_sparse_page, refuse_circle
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
        entity: name of the default entity; None where it was not asked for.
        admin: whether the user is an admin of the server; None where it was not asked for or the server does not say.
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
    return _user(viewer)


def list_matching_users(query: str) -> Flow[list[User]]:
    """The users whose username or e-mail address holds the text; one request for every 200."""
    found: list[User] = []
    seen: set[str | None] = set()
    after: str | None = None
    while True:
        answer = yield from fetch(list_users(query=query, first=USERS_A_PAGE, after=after))
        if answer.users is None:
            return found
        page = read_sparse_page(answer.users.page_info, answer.users.edges, after)
        refuse_circle(page, seen)
        found += [_user(fields) for fields in page.nodes]
        after = page.cursor
        if not page.more:
            return found


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
