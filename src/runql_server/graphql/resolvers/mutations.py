"""Resolvers of mutations on runs, files and projects."""

# ruff: noqa: A002 - arguments have the names of the schema

from __future__ import annotations

from typing import Final, Required, TypedDict

from ariadne import MutationType
from graphql import GraphQLResolveInfo

from runql_server import ids
from runql_server.artifacts import deletion
from runql_server.errors import NotFoundError, RequestError
from runql_server.graphql import context
from runql_server.graphql.context import RequestContext
from runql_server.names import check_file_name
from runql_server.runs import forks, runs
from runql_server.runs.runs import RunChange
from runql_server.storage import files, projects
from runql_server.storage.projects import Project, ProjectChange
from runql_server.sweeps import trials

DEFAULT_PROJECT = "uncategorized"

mutation: Final = MutationType()


class BucketInput(TypedDict, total=False):
    """The used part of UpsertBucketInput; names as the schema conversion writes them."""

    id: str | None
    name: str | None
    model_name: str | None
    entity_name: str | None
    display_name: str | None
    group_name: str | None
    job_type: str | None
    description: str | None
    notes: str | None
    tags: list[str | None] | None
    config: str | None
    summary_metrics: str | None
    state: str | None
    sweep: str | None
    commit: str | None
    host: str | None
    job_program: str | None
    client_mutation_id: str | None


class DeleteRunInput(TypedDict, total=False):
    """DeleteRunInput."""

    id: Required[str]
    delete_artifacts: bool | None
    client_mutation_id: str | None


class RunFilesInput(TypedDict):
    """CreateRunFilesInput and MarkRunFilesUploadedInput."""

    entity_name: str
    project_name: str
    run_name: str
    files: list[str]


class ModelInput(TypedDict, total=False):
    """The used part of UpsertModelInput."""

    id: str | None
    name: str | None
    entity_name: str | None
    description: str | None
    access: str | None
    views: str | None
    repo: str | None
    docker_image: str | None
    is_benchmark: bool | None


@mutation.field("upsertBucket")
def upsert_bucket(_root: object, info: GraphQLResolveInfo, input: BucketInput) -> dict[str, object]:
    """Create a run, or set the given fields; config, summary and tags replace the stored ones.

    With `config_merge` the server merges the config instead. A new fork begins with its parent's rows.
    """
    request = context.of(info)
    with request.writing() as connection:
        number, inserted = _find_or_create(request, input)
        tags, config = input.get("tags"), input.get("config")
        point = forks.branch_point(config) if inserted and config is not None else None
        if point is not None:
            forks.copy_parent_rows(connection, number, point)
        if request.config_merge and config is not None:
            config = runs.merged_config(connection, number, config)
        runs.change(
            connection,
            number,
            RunChange(
                display_name=input.get("display_name"),
                group_name=input.get("group_name"),
                job_type=input.get("job_type"),
                description=input.get("description"),
                notes=input.get("notes"),
                tags=None if tags is None else [tag for tag in tags if tag is not None],
                config=config,
                summary=input.get("summary_metrics"),
                state=input.get("state"),
                sweep=input.get("sweep"),
                commit_sha=input.get("commit"),
                host=input.get("host"),
                job_program=input.get("job_program"),
            ),
        )
    bucket = runs.by_number(request.connection, number, crash_before=request.crash_before)
    return {
        "bucket": bucket,
        "inserted": inserted,
        # `wandb sync` of older SDKs stops at a null here, and says that it is done.
        "server_settings": {"server_messages": []},
        "client_mutation_id": input.get("client_mutation_id"),
    }


@mutation.field("deleteRun")
def delete_run(_root: object, info: GraphQLResolveInfo, input: DeleteRunInput) -> dict[str, object]:
    """Delete a run with its rows and files, and on request the artifacts that it created."""
    request = context.of(info)
    number = ids.decode_number("Run", input["id"])
    with request.writing() as connection:
        blobs = files.blobs_of(connection, number)
        if input.get("delete_artifacts"):
            blobs += deletion.delete_outputs(connection, number)
        trials.delete_of_run(connection, number)
        runs.delete(connection, number)
    files.remove_blobs(request.store, blobs)
    return {"client_mutation_id": input.get("client_mutation_id")}


@mutation.field("rewindRun")
def rewind_run(_root: object, _info: GraphQLResolveInfo, input: dict[str, object]) -> None:
    """Refuse: this server never deletes acknowledged rows."""
    raise RequestError(
        f"rewindRun (resume_from) is not supported by the embedded server: run {input['run_name']} keeps its rows. "
        "fork_from begins a new run at a step of another one."
    )


@mutation.field("stopRun")
def stop_run(_root: object, info: GraphQLResolveInfo, input: dict[str, str | None]) -> dict[str, object]:
    """Request that a run stops; idempotent."""
    request = context.of(info)
    number = ids.decode_number("Run", input["id"] or "")
    with request.writing() as connection:
        runs.by_number(connection, number, crash_before=request.crash_before)
        runs.request_stop(connection, number)
    return {"success": True, "client_mutation_id": input.get("client_mutation_id")}


_TRANSITIONS = {
    "pending": {"running", "failed", "crashed", "preempted"},
    "failed": {"pending", "running"},
}


@mutation.field("updateRunState")
def update_run_state(_root: object, info: GraphQLResolveInfo, input: dict[str, str]) -> dict[str, bool]:
    """Set a run pending or failed, where its state allows it."""
    request = context.of(info)
    number = ids.decode_number("Run", input["id"])
    with request.writing() as connection:
        before = runs.by_number(connection, number, crash_before=request.crash_before).state
        if before not in _TRANSITIONS.get(input["state"], set()):
            raise RequestError(f"invalid state transition from {before!r} to {input['state']!r}")
        runs.change(connection, number, RunChange(state=input["state"]))
    return {"success": True}


@mutation.field("createRunFiles")
def create_run_files(_root: object, info: GraphQLResolveInfo, input: RunFilesInput) -> dict[str, object]:
    """Return upload URLs for the names; the server stores nothing before the upload."""
    connection = context.of(info).connection
    number = runs.number_of(connection, input["entity_name"], input["project_name"], input["run_name"])
    found = files.by_names(connection, number, input["files"])
    return {"run_id": ids.encode("Run", number), "upload_headers": [], "files": found}


@mutation.field("markRunFilesUploaded")
def mark_run_files_uploaded(_root: object, info: GraphQLResolveInfo, input: RunFilesInput) -> dict[str, bool]:
    """Return whether the server has the named files; the PUT alone makes them visible."""
    connection = context.of(info).connection
    number = runs.number_of(connection, input["entity_name"], input["project_name"], input["run_name"])
    return {
        "success": all(each.blob is not None for each in files.by_names(connection, number, input["files"]))
    }


@mutation.field("deleteFiles")
def delete_files(_root: object, info: GraphQLResolveInfo, input: dict[str, list[str]]) -> dict[str, bool]:
    """Delete files by their node ids; idempotent."""
    request = context.of(info)
    wanted = [files.by_id(opaque) for opaque in input["files"]]
    with request.writing() as connection:
        blobs = [files.delete(connection, run, check_file_name(name)) for run, name in wanted]
    files.remove_blobs(request.store, blobs)
    return {"success": True}


@mutation.field("upsertModel")
def upsert_model(_root: object, info: GraphQLResolveInfo, input: ModelInput) -> dict[str, object]:
    """Create a project, or set the given fields."""
    request = context.of(info)
    with request.writing() as connection:
        found, inserted = _find_or_create_project(request, input)
        changed = projects.change(
            connection,
            found,
            ProjectChange(
                description=input.get("description"),
                access=input.get("access"),
                views=input.get("views"),
                repo=input.get("repo"),
                docker_image=input.get("docker_image"),
                is_benchmark=input.get("is_benchmark"),
            ),
        )
    return {"project": changed, "model": changed, "inserted": inserted}


@mutation.field("renameProject")
def rename_project(_root: object, info: GraphQLResolveInfo, input: dict[str, str]) -> dict[str, object]:
    """Rename a project."""
    request = context.of(info)
    with request.writing() as connection:
        found = projects.find(connection, input["entity_name"], input["old_project_name"])
        if found is None:
            raise NotFoundError(f"project {input['entity_name']}/{input['old_project_name']} not found")
        return {"project": projects.rename(connection, found, input["new_project_name"]), "inserted": False}


def _find_or_create(request: RequestContext, wanted: BucketInput) -> tuple[int, bool]:
    opaque, name = wanted.get("id"), wanted.get("name")
    if opaque:
        number = ids.decode_number("Run", opaque)
        runs.by_number(request.connection, number, crash_before=request.crash_before)
        return number, False
    project = projects.ensure(
        request.connection,
        wanted.get("entity_name") or request.user.entity,
        wanted.get("model_name") or DEFAULT_PROJECT,
        user=request.user_number,
    )
    if name:
        found = runs.find(request.connection, project.number, name, crash_before=request.crash_before)
        if found is not None:
            return found.number, False
    return runs.create(request.connection, project, name, user=request.user_number), True


def _find_or_create_project(request: RequestContext, wanted: ModelInput) -> tuple[Project, bool]:
    opaque, name = wanted.get("id"), wanted.get("name")
    if opaque:
        return projects.by_number(request.connection, ids.decode_number("Project", opaque)), False
    if not name:
        raise RequestError("upsertModel: a name or an id is needed")
    entity = wanted.get("entity_name") or request.user.entity
    found = projects.find(request.connection, entity, name)
    if found is not None:
        return found, False
    return projects.ensure(request.connection, entity, name, user=request.user_number), True


BINDABLES = [mutation]
