"""Send runql's own queries to a live server, to read the responses strictly; nothing on the server changes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from graphql import NonNullTypeNode, OperationDefinitionNode, parse

from runql.drift.findings import Unchecked
from runql.drift.operations.documents import CheckedOperation
from runql.drift.responses.strict import Exchange
from runql.drift.server_errors.request import fetch_data
from runql.errors import AnswerError
from runql.transport.flow import Flow
from runql.values import JSONValue

PAGE_SIZE: Final = 5
"""Number of items in a page, and of rows."""

VARIABLE_VALUES: Final[Mapping[str, JSONValue]] = {
    "first": PAGE_SIZE,
    "last": PAGE_SIZE,
    "samples": PAGE_SIZE,
    "files": PAGE_SIZE,
    "lines": PAGE_SIZE,
    "filters": "{}",
    "order": "+created_at",
    "specs": [json.dumps({"keys": ["_step"], "samples": PAGE_SIZE})],
    "minStep": 0,
    "pattern": "%",
    "whole": True,
    "system": True,
    "chosen": True,
    "withKeys": True,
    "withExports": True,
    "withFiles": True,
}
"""Value of each variable, by its name."""

VARIABLES_FROM_NODES: Final[Mapping[str, tuple[str, str]]] = {
    "runs": ("name", "run"),
    "sweeps": ("name", "sweep"),
    "artifactTypes": ("name", "typeName"),
    "artifactCollections": ("name", "collection"),
    "artifacts": ("id", "id"),
}
"""By connection, the field of its first node that other queries need, and the variable that receives it."""

LATEST: Final = "latest"
"""The alias that every artifact collection with a version has."""


@dataclass(slots=True)
class LiveAnswers:
    """The responses of a live server, and the queries that could not be sent."""

    exchanges: list[Exchange] = field(default_factory=list[Exchange])
    unchecked: list[Unchecked] = field(default_factory=list[Unchecked])
    requests: int = 0


def read_live_answers(operations: Sequence[CheckedOperation], entity: str, project: str) -> Flow[LiveAnswers]:
    """Send every query whose variables have a value; earlier responses name the runs and sweeps for later queries.

    Requests: one for each query.

    Raises:
        AnswerError: the server refuses the API key (401, 403), or fails.
        TransportError: the server cannot be reached.
    """
    known: dict[str, JSONValue] = {**VARIABLE_VALUES, "entity": entity, "project": project, "query": entity}
    answers = LiveAnswers()
    waiting = [each for each in operations if each.definition.kind == "query"]
    while waiting:
        ready = [each for each in waiting if not _missing(each, known)]
        if not ready:
            break
        for operation in ready:
            yield from _send(operation, known, answers)
        waiting = [each for each in waiting if each not in ready]
    answers.unchecked += [
        Unchecked(each.name, f"no value for ${', $'.join(_missing(each, known))}") for each in waiting
    ]
    return answers


def _send(operation: CheckedOperation, known: dict[str, JSONValue], answers: LiveAnswers) -> Flow[None]:
    document = "\n".join(each.text for each in (operation.definition, *operation.fragments))
    variables = {name: known[name] for name, _ in _variables(operation) if name in known}
    answers.requests += 1
    try:
        data = yield from fetch_data(document, operation.name, variables)
    except AnswerError as error:
        if error.status in {401, 403, 429}:
            raise
        answers.unchecked.append(Unchecked(operation.name, str(error)))
        return
    answers.exchanges.append(Exchange(operation.name, document, variables, data))
    for connection, first in _first_nodes(data):
        field_name, variable = VARIABLES_FROM_NODES.get(connection, ("", ""))
        if variable and isinstance(first.get(field_name), str):
            known.setdefault(variable, first[field_name])
    if "collection" in known:
        known.setdefault("name", f"{known['collection']}:{LATEST}")


def _missing(operation: CheckedOperation, known: Mapping[str, JSONValue]) -> list[str]:
    return [name for name, is_required in _variables(operation) if is_required and name not in known]


def _variables(operation: CheckedOperation) -> Iterator[tuple[str, bool]]:
    for node in parse(operation.definition.text).definitions:
        if isinstance(node, OperationDefinitionNode):
            for each in node.variable_definitions:
                yield each.variable.name.value, isinstance(each.type, NonNullTypeNode)


def _first_nodes(value: JSONValue, key: str = "") -> Iterator[tuple[str, dict[str, JSONValue]]]:
    """Yield the first node of every connection in a response, with the name of the connection."""
    if isinstance(value, list):
        for each in value:
            yield from _first_nodes(each, key)
    if isinstance(value, dict):
        edges = value.get("edges")
        first = edges[0] if isinstance(edges, list) and edges else None
        node = first.get("node") if isinstance(first, dict) else None
        if isinstance(node, dict):
            yield key, node
        for name, inner in value.items():
            yield from _first_nodes(inner, key if name in {"edges", "node"} else name)
