"""Which parts of its schema a server says it does not know: how an older server is told from a query that is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

# In the words of graphql-js, graphql-core, gqlgen and graph-gophers; the quotes differ.
_WORDINGS: Final = (
    re.compile(r"""Cannot query field ["'](?P<name>\w+)["'] on type ["'](?P<owner>\w+)["']"""),
    re.compile(r"""Unknown argument ["'](?P<name>\w+)["'] on field ["'](?P<owner>[\w.]+)["']"""),
    re.compile(r"""Field ["'](?P<name>\w+)["'] is not defined by type ["']?(?P<owner>\w+)"""),
    re.compile(r"""Unknown type ["'](?P<name>\w+)["']"""),
)

SINCE: Final[Mapping[str, str]] = {"Run.projectId": "0.51"}
"""The server version that brought a part, where that is known; see the descriptions in the SDL."""


def unknown_parts(messages: Iterable[str]) -> list[str]:
    """The fields, arguments, input fields and types that a server does not know, such as ``Run.projectId``."""
    found: dict[str, None] = {}
    for message in messages:
        for wording in _WORDINGS:
            match = wording.search(message)
            if match:
                parts = match.groupdict()
                owner = parts.get("owner")
                found[f"{owner}.{parts['name']}" if owner else parts["name"]] = None
                break
    return list(found)


def older_than(parts: Iterable[str]) -> str:
    """What a server is older than that does not know these parts."""
    versions = [SINCE[part] for part in parts if part in SINCE]
    return f"version {max(versions)}" if versions else "what this runql was built for"
