"""Parts of the schema that a server does not know: finding them in its errors, and leaving them out of operations."""

# `queries/` marks fields that some servers lack, and that runql can work without, with `@include(if: true)`. The mark is
# never sent. When a server refuses marked fields and nothing else, the client sends the operation again without them,
# and leaves them out from then on.

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

MARK: Final = " @include(if: true)"

# The messages of graphql-js, graphql-core, gqlgen and graph-gophers; their quotes differ.
_MESSAGES: Final = (
    re.compile(r"""Cannot query field ["'](?P<name>\w+)["'] on type ["'](?P<owner>\w+)["']"""),
    re.compile(r"""Unknown argument ["'](?P<name>\w+)["'] on field ["'](?P<owner>[\w.]+)["']"""),
    re.compile(r"""Field ["'](?P<name>\w+)["'] is not defined by type ["']?(?P<owner>\w+)"""),
    re.compile(r"""Unknown type ["'](?P<name>\w+)["']"""),
)
_FRAGMENT: Final = re.compile(r"fragment (\w+) on (\w+) \{")
_SPREAD: Final = re.compile(r"\.\.\.(\w+)")
_MARKED_FIELD: Final = re.compile(r"  (?:\w+: )?(\w+)[^{]*" + re.escape(MARK) + r"( \{)?")

SINCE: Final[Mapping[str, str]] = {"Run.projectId": "0.51"}
"""The version of W&B's server that introduced a part, where it is known; see the descriptions in the SDL."""


def unknown_parts(messages: Iterable[str]) -> list[str]:
    """Return the fields, arguments, input fields and types that error messages call unknown, such as ``Run.projectId``."""
    found: dict[str, None] = {}
    for message in messages:
        for pattern in _MESSAGES:
            match = pattern.search(message)
            if match:
                parts = match.groupdict()
                owner = parts.get("owner")
                found[f"{owner}.{parts['name']}" if owner else parts["name"]] = None
                break
    return list(found)


def describe_unknown_parts(parts: Collection[str]) -> str:
    """Say that the server does not know these parts, and the likely reason."""
    since = [f"W&B's own servers know {part} since version {SINCE[part]}" for part in parts if part in SINCE]
    why = "; ".join(since) or "it is older than this runql, or not one of W&B's own"
    return f"this server does not know {', '.join(parts)} ({why})"


def optional_fields(document: str) -> frozenset[str]:
    """Return the marked fields of a document, such as ``Run.projectId``."""
    return frozenset(field for _, field, _ in _lines(document) if field)


def without_fields(document: str, unknown: Collection[str]) -> str:
    """Return the document to send: without marks, and without the marked fields that are ``unknown``."""
    if not unknown:
        return document.replace(MARK, "")
    kept: list[str] = []
    is_inside = False
    for line, field, opens in _lines(document):
        if field in unknown:
            is_inside = opens
        elif not is_inside:
            kept.append(line.replace(MARK, ""))
        elif line == "  }":
            is_inside = False
    return _with_used_fragments("\n".join(kept))


def _with_used_fragments(document: str) -> str:
    """Return the document without unused fragments, which servers refuse."""
    definitions = document.split("\n\n")
    while True:
        spread = {name for definition in definitions for name in _SPREAD.findall(definition)}
        used = [
            definition
            for definition in definitions
            if not (begun := _FRAGMENT.match(definition)) or begun[1] in spread
        ]
        if len(used) == len(definitions):
            # A document ends with a line break, even when its last fragment was removed.
            return "\n\n".join(used).rstrip("\n") + "\n"
        definitions = used


def _lines(document: str) -> Iterator[tuple[str, str, bool]]:
    """Yield each line, the marked field that it begins or an empty str, and whether that field has a selection."""
    owner = ""
    for line in document.split("\n"):
        if begun := _FRAGMENT.match(line):
            owner = begun[2]
        marked = _MARKED_FIELD.fullmatch(line)
        yield line, f"{owner}.{marked[1]}" if marked else "", bool(marked and marked[2])
