"""Read GraphQL exchanges from recordings of vcrpy; documents and long responses may be separate files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from runql.drift.responses.strict import Exchange
from runql.errors import DriftInputError, MissingExtraError
from runql.values import JSONValue, parse_json

SUFFIXES: Final = (".yaml", ".yml")
DOCUMENTS_FOLDER: Final = "documents"
"""A folder above the recordings. A request body may name a ``document`` in it instead of its ``query``."""

SEPARATE_FILE: Final = re.compile(r"kept in (\S+)$")
"""A body that refers to a file, relative to a folder above the recording; several recordings may share it."""

EXCHANGE_START: Final = re.compile(r"^- request:", re.MULTILINE)


def read_recordings(paths: Sequence[Path]) -> list[Exchange]:
    """Read the GraphQL exchanges in these files, and in all YAML files below these folders.

    Raises:
        DriftInputError: no exchange was found, or a file is not a recording.
        MissingExtraError: PyYAML is not installed.
    """
    files = [file for path in paths for file in _files(path)]
    found = [exchange for file in files for exchange in _exchanges(file)]
    if not found:
        raise DriftInputError(f"no GraphQL exchange in {', '.join(str(path) for path in paths)}")
    return found


def _load_yaml(file: Path, content: str) -> JSONValue:
    if find_spec("yaml") is None:
        raise MissingExtraError("pyyaml", extra="yaml", needed_for="reading recordings")
    yaml = import_module("yaml")
    broken: type[Exception] = yaml.YAMLError
    try:
        value: JSONValue = yaml.safe_load(content)
    except broken as error:
        raise DriftInputError(f"{file} is not a recording: {error}") from error
    return value


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(each for each in path.rglob("*") if each.suffix in SUFFIXES)
    if not path.is_file():
        raise DriftInputError(f"{path} does not exist")
    return [path]


def _exchanges(file: Path) -> Iterator[Exchange]:
    content = file.read_text(encoding="utf-8")
    body = _load_yaml(file, content)
    interactions = body.get("interactions") if isinstance(body, dict) else None
    if not isinstance(interactions, list):
        raise DriftInputError(f"{file} is not a recording of vcrpy: it has no interactions")
    lines = [content.count("\n", 0, each.start()) + 1 for each in EXCHANGE_START.finditer(content)]
    for number, interaction in enumerate(interactions):
        exchange = _exchange(interaction, file, lines[number] if number < len(lines) else 1)
        if exchange is not None:
            yield exchange


def _exchange(interaction: JSONValue, file: Path, line: int) -> Exchange | None:
    """Return one exchange, None if it is not GraphQL or if the response has no data."""
    sent = _object(_string(_at(interaction, "request", "body")))
    content = _string(_at(interaction, "response", "body", "string"))
    separate = SEPARATE_FILE.match(content)
    response = _object(_read_from_parents(file, separate[1]) if separate else content)
    document, name = sent.get("query"), sent.get("document")
    if isinstance(name, str):
        document = _read_from_parents(file, f"{DOCUMENTS_FOLDER}/{name}.graphql")
    variables, data = sent.get("variables"), response.get("data")
    if not isinstance(document, str) or data is None:
        return None
    return Exchange(
        operation=str(sent.get("operationName") or ""),
        document=document,
        variables=variables if isinstance(variables, dict) else {},
        data=data,
        path=file,
        line=line,
    )


def _at(value: JSONValue, *keys: str) -> JSONValue:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _string(value: JSONValue) -> str:
    return value if isinstance(value, str) else ""


def _object(source: str) -> dict[str, JSONValue]:
    try:
        value = parse_json(source)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _read_from_parents(file: Path, name: str) -> str:
    for folder in file.parents:
        if (folder / name).is_file():
            return (folder / name).read_text(encoding="utf-8")
    raise DriftInputError(f"{file} names {name}, which is in no folder above it")
