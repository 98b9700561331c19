"""Files of a run, as far as reading its metadata needs them."""

from __future__ import annotations

from runql.errors import ProjectNotFoundError, RunNotFoundError
from runql.transport.flow import Flow, download, fetch
from runql.values import JSONValue, parse_object
from runql_graphql.operations import list_run_files

METADATA = "wandb-metadata.json"


def read_metadata(entity: str, project: str, run: str) -> Flow[dict[str, JSONValue] | None]:
    """The content of `wandb-metadata.json`, None when the run has no such file; two requests, one when it has none.

    Asked by name, the server answers an entry for a file that does not exist too; such an entry was never updated.
    """
    answer = yield from fetch(
        list_run_files(entity=entity, project=project, run=run, names=[METADATA], first=1)
    )
    if answer.project is None:
        raise ProjectNotFoundError(entity, project)
    if answer.project.run is None:
        raise RunNotFoundError(entity, project, run)
    files = answer.project.run.files
    node = files.edges[0].node if files and files.edges else None
    if node is None or node.updated_at is None:
        return None
    content = yield from download(node.url or node.direct_url)
    return parse_object(content.decode("utf-8", "replace"))
