"""Resolvers of viewer, users, entities and server info."""

# ruff: noqa: A002 - arguments have the names of the schema

from __future__ import annotations

from typing import Final

from ariadne import ObjectType, QueryType, SchemaBindable
from graphql import GraphQLResolveInfo

from runql_server.access import accounts
from runql_server.access.accounts import Entity, User
from runql_server.graphql import context
from runql_server.lenient_json import JsonObject
from runql_server.listing import cursors
from runql_server.listing.pages import check_first, page_info
from runql_server.storage import projects

FEATURES = (
    "ARTIFACT_COLLECTIONS_FILTERING_SORTING",
    "ARTIFACT_COLLECTION_MEMBERSHIP_FILES",
    "ARTIFACT_COLLECTION_MEMBERSHIP_FILE_DOWNLOAD_HANDLER",
    "ARTIFACT_MEMBERSHIP_IN_LINK_ARTIFACT_RESPONSE",
    "ARTIFACT_TAGS",
    "ARTIFACT_V2_DOWNLOAD_HANDLER_SUPPORTS_ARTIFACT_ID",
    "CLIENT_IDS",
    "FILESTREAM_GZIP",
    "LARGE_FILENAMES",
    "MARK_RUN_FILES_UPLOADED",
    "PROJECT_ARTIFACT_COLLECTION_MEMBERSHIP",
    "TOTAL_COUNT_IN_FILE_CONNECTION",
    "USE_ARTIFACT_WITH_ENTITY_AND_PROJECT_INFORMATION",
)
"""Optional parts of the protocol that this server implements."""

# The SDK refuses to log, or warns, when its own version is above this one; this server accepts every version.
_NEWEST_SDK = "999.0.0"
_VERSION = "0.80.0"

query: Final = QueryType()
user: Final = ObjectType("User")
entity: Final = ObjectType("Entity")


@query.field("viewer")
def viewer(_root: object, info: GraphQLResolveInfo, **_entity_name: str | None) -> User:
    """Return the caller; the application refuses requests without a valid key before."""
    return context.of(info).user


@query.field("serverInfo")
def server_info(_root: object, _info: GraphQLResolveInfo) -> JsonObject:
    """Return versions that no SDK complains about, and the features."""
    return {
        "cli_version_info": {"max_cli_version": _NEWEST_SDK},
        "latest_local_version_info": {
            "out_of_date": False,
            "latest_version_string": _VERSION,
            "version_on_this_instance_string": _VERSION,
        },
        "features": [{"name": name, "is_enabled": True} for name in FEATURES],
    }


@query.field("entity")
def entity_by_name(
    _root: object, info: GraphQLResolveInfo, name: str | None = None, **_login: bool | None
) -> Entity | None:
    """Return an entity by name, without one the caller's own; null when absent."""
    request = context.of(info)
    return accounts.entity_by_name(request.connection, request.user.entity if name is None else name)


@query.field("users")
def users(
    _root: object,
    info: GraphQLResolveInfo,
    query: str | None = None,
    usernames: list[str] | None = None,
    ids: list[str] | None = None,
    first: int | None = None,
    **_cursors: str | int | None,
) -> dict[str, object]:
    """Return all matching users in one page, because there are few."""
    found = accounts.users(context.of(info).connection, query=query)
    found = [each for each in found if usernames is None or each.username in usernames]
    found = [each for each in found if ids is None or each.id in ids][: check_first(first, len(found))]
    edges = [{"cursor": cursors.encode_number("users", each.number), "node": each} for each in found]
    return {"edges": edges, "page_info": page_info([], more=False, after=None)}


@query.field("user")
def one_user(
    _root: object, info: GraphQLResolveInfo, id: str | None = None, user_name: str | None = None
) -> User | None:
    """Return a user by node id or username; null when absent."""
    found = accounts.users(context.of(info).connection)
    return next((each for each in found if user_name == each.username or id == each.id), None)


@user.field("teams")
def teams(source: User, info: GraphQLResolveInfo, **_page: str | int | None) -> dict[str, object]:
    """Return the entities that the user may write to: the personal one."""
    own = accounts.entity_of_user(context.of(info).connection, source.number)
    return {"edges": [{"cursor": cursors.encode_number("teams", own.number), "node": own}]}


@user.field("apiKeys")
def api_keys(_source: User, _info: GraphQLResolveInfo) -> dict[str, list[object]]:
    """Return no keys: the store has only their hashes."""
    return {"edges": []}


@user.field("organizations")
def organizations(_source: User, _info: GraphQLResolveInfo) -> list[object]:
    """Return none: this server has no organizations."""
    return []


@entity.field("user")
def entity_user(source: Entity, info: GraphQLResolveInfo) -> User:
    """Return the user of the personal entity."""
    return accounts.user_by_number(context.of(info).connection, source.user_number)


@entity.field("project")
def entity_project(
    source: Entity, info: GraphQLResolveInfo, name: str | None = None
) -> projects.Project | None:
    """Return a project of the entity; null when absent."""
    return None if name is None else projects.find(context.of(info).connection, source.name, name)


BINDABLES: list[SchemaBindable] = [query, user, entity]
