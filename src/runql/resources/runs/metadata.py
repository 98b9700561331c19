"""What the SDK noted of the machine and the program: a file of the run, read as an object."""

from __future__ import annotations

from runql.paths import RunAddress
from runql.resources.files.record import find_entry
from runql.transport.flow import Flow, download
from runql.values import JSONValue, parse_object

METADATA = "wandb-metadata.json"


def read_metadata(entity: str, project: str, run: str) -> Flow[dict[str, JSONValue] | None]:
    """The content of `wandb-metadata.json`, None when the run has no such file; two requests, one when it has none.

    Asked by name, the server answers an entry for a file that does not exist too; such an entry was never updated.
    """
    entry = yield from find_entry(RunAddress(entity, project, run), METADATA)
    if entry is None or entry.updated_at is None:
        return None
    content = yield from download(entry.url or entry.direct_url)
    return parse_object(content.decode("utf-8", "replace"))
