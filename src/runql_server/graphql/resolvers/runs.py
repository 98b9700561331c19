"""Resolvers of run fields that are not plain columns."""

from __future__ import annotations

from typing import Final

from ariadne import ObjectType
from graphql import GraphQLResolveInfo

from runql_server import lenient_json
from runql_server.access import accounts
from runql_server.access.accounts import User
from runql_server.graphql import context
from runql_server.lenient_json import JsonObject
from runql_server.runs import run_values, runs
from runql_server.runs.runs import Run
from runql_server.storage import projects
from runql_server.storage.projects import Project

run: Final = ObjectType("Run")


@run.field("project")
def run_project(source: Run, info: GraphQLResolveInfo) -> Project:
    """Return its project."""
    return projects.by_number(context.of(info).connection, source.project_number)


@run.field("user")
def run_user(source: Run, info: GraphQLResolveInfo) -> User:
    """Return the user who created it."""
    return accounts.user_by_number(context.of(info).connection, source.user_number)


@run.field("tags")
def run_tags(source: Run, info: GraphQLResolveInfo) -> list[str]:
    """Return the tags in the order of their assignment."""
    return runs.tags(context.of(info).connection, source.number)


@run.field("config")
def run_config(source: Run, _info: GraphQLResolveInfo, keys: list[str] | None = None) -> str:
    """Return the JSON string as the client sent it, or only the requested keys."""
    if keys is None:
        return source.config_text
    return lenient_json.dump(
        lenient_json.pick(lenient_json.parse_object(source.config_text, what="config"), keys)
    )


@run.field("wandbConfig")
def run_wandb_config(source: Run, _info: GraphQLResolveInfo, keys: list[str] | None = None) -> str | None:
    """Return the SDK's own entries of the config, without the ``value`` level; null when there are none."""
    internal = run_values.unwrap(lenient_json.parse_object(source.config_text, what="config").get("_wandb"))
    return lenient_json.dump(lenient_json.pick(internal, keys)) if isinstance(internal, dict) else None


@run.field("summaryMetrics")
def run_summary(source: Run, _info: GraphQLResolveInfo, keys: list[str] | None = None) -> str:
    """Return the JSON string as the client sent it, or only the requested keys."""
    if keys is None:
        return source.summary_text
    return lenient_json.dump(
        lenient_json.pick(lenient_json.parse_object(source.summary_text, what="summary"), keys)
    )


@run.field("runInfo")
def run_info(source: Run, _info: GraphQLResolveInfo) -> JsonObject:
    """Return what the SDK sent about the machine at creation; wandb-metadata.json has the rest."""
    git: JsonObject | None = {"commit": source.commit} if source.commit else None
    return {"program": source.job_program, "git": git}


BINDABLES = [run]
