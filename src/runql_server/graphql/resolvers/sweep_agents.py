"""Resolvers of sweep agents: registration, lists, and heartbeats that return commands."""

# ruff: noqa: A002 - arguments have the names of the schema

from __future__ import annotations

from typing import Final, Required, TypedDict

from ariadne import MutationType, ObjectType, SchemaBindable
from graphql import GraphQLResolveInfo

from runql_server import ids, lenient_json
from runql_server.errors import NotFoundError
from runql_server.graphql import context
from runql_server.graphql.resolvers.mutations import DEFAULT_PROJECT
from runql_server.listing import cursors, pages
from runql_server.listing.pages import RunPage, check_first, in_row_order
from runql_server.storage import projects
from runql_server.sweeps import agents, dispatch, sweeps
from runql_server.sweeps.agents import OF_AGENT, Agent
from runql_server.sweeps.sweeps import Sweep

mutation: Final = MutationType()
sweep: Final = ObjectType("Sweep")
agent: Final = ObjectType("Agent")


class AgentInput(TypedDict, total=False):
    """CreateAgentInput."""

    host: Required[str]
    sweep: Required[str]
    project_name: str | None
    entity_name: str | None
    client_mutation_id: str | None


class HeartbeatInput(TypedDict, total=False):
    """AgentHeartbeatInput."""

    id: Required[str]
    metrics: str | None
    run_state: str | None
    client_mutation_id: str | None


@sweep.field("agents")
def sweep_agents(
    source: Sweep, info: GraphQLResolveInfo, after: str | None = None, first: int | None = None
) -> dict[str, object]:
    """Return the agents of a sweep, oldest first."""
    size = check_first(first)
    start = cursors.decode_number("agents", after, start=0)
    found = agents.page(context.of(info).connection, source.number, after=start, first=size + 1)
    return in_row_order("agents", found, size, after=after)


@sweep.field("agent")
def sweep_agent(source: Sweep, info: GraphQLResolveInfo, agent_name: str) -> Agent | None:
    """Return an agent by its name; null when absent."""
    return agents.by_name(context.of(info).connection, source.number, agent_name)


@agent.field("runs")
def agent_runs(
    source: Agent,
    info: GraphQLResolveInfo,
    after: str | None = None,
    first: int | None = None,
    order: str | None = None,
    **_backwards: str | int | None,
) -> RunPage:
    """Return its runs, oldest first."""
    request = context.of(info)
    return pages.list_runs(
        request.connection,
        source.number,
        filters=None,
        order=order,
        first=first,
        after=after,
        crash_before=request.crash_before,
        scope=OF_AGENT,
    )


@mutation.field("createAgent")
def create_agent(_root: object, info: GraphQLResolveInfo, input: AgentInput) -> dict[str, object]:
    """Register an agent of a sweep."""
    request = context.of(info)
    entity = input.get("entity_name") or request.user.entity
    project = input.get("project_name") or DEFAULT_PROJECT
    with request.writing() as connection:
        home = projects.find(connection, entity, project)
        wanted = None if home is None else sweeps.find(connection, home.number, input["sweep"])
        if wanted is None:
            raise NotFoundError(f"sweep {entity}/{project}/{input['sweep']} not found")
        number = agents.create(connection, wanted, input["host"])
    return {
        "agent": agents.by_number(request.connection, number),
        "client_mutation_id": input.get("client_mutation_id"),
    }


@mutation.field("agentHeartbeat")
def agent_heartbeat(_root: object, info: GraphQLResolveInfo, input: HeartbeatInput) -> dict[str, object]:
    """Record what an agent runs, and return its next commands: a list as a JSON string."""
    request = context.of(info)
    number = ids.decode_number("Agent", input["id"])
    states = lenient_json.parse_object(input.get("run_state") or "{}", what="runState")
    reported = sorted(name for name, is_running in states.items() if is_running)
    with request.writing() as connection:
        asking = agents.by_number(connection, number)
        command = dispatch.command(connection, asking, reported, crash_before=request.crash_before)
    return {
        "agent": agents.by_number(request.connection, number),
        "commands": lenient_json.dump([] if command is None else [command]),
        "client_mutation_id": input.get("client_mutation_id"),
    }


BINDABLES: list[SchemaBindable] = [mutation, sweep, agent]
