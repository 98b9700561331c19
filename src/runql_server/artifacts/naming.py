"""Checks of names: artifact types, collections, aliases, tags and paths; and names of versions."""

from __future__ import annotations

import re
from typing import NamedTuple, Required, TypedDict

from runql_server import lenient_json
from runql_server.errors import RequestError
from runql_server.names import check_file_name, check_name

LATEST = "latest"
"""Alias of the newest version of a collection."""

_LONGEST = 128
_MOST_TAGS = 20
_TAG = re.compile(r"[-\w]+(?: +[-\w]+)*")
_VERSION = re.compile(r"v(0|[1-9]\d{0,17})")


class TagInput(TypedDict, total=False):
    """A tag in the input of mutations; names as the schema conversion writes them."""

    tag_name: Required[str]
    tag_category_name: str | None
    attributes: str | None


class NewTag(NamedTuple):
    """A validated tag."""

    name: str
    category: str
    attributes: str


def check_type_name(name: str) -> str:
    """Refuse an invalid name of an artifact type; return it."""
    return check_name(name, what="artifact type name", longest=_LONGEST)


def check_collection_name(name: str) -> str:
    """Refuse an invalid name of a collection; return it."""
    return check_name(name, what="artifact collection name", longest=_LONGEST)


def check_alias(alias: str) -> str:
    """Refuse an alias that is too long, cannot follow ``name:``, or looks like a version number."""
    if not alias or len(alias) > _LONGEST or any(letter in alias for letter in "/:\0\r\n"):
        raise RequestError(f"invalid alias {alias[:140]!r}: 1 to {_LONGEST} characters, none of / :")
    if _VERSION.fullmatch(alias):
        raise RequestError(f"invalid alias {alias!r}: v and a number is how versions are called")
    return alias


def check_tags(tags: list[TagInput] | None) -> list[NewTag]:
    """Refuse too many tags, too long ones, and characters other than words, spaces and hyphens."""
    given = tags or []
    if len(given) > _MOST_TAGS:
        raise RequestError(f"tags: at most {_MOST_TAGS} at once, got {len(given)}")
    return [_checked(tag) for tag in given]


def check_path(path: str) -> str:
    """Refuse a path that leaves the artifact's folder, or that UTF-8 cannot encode."""
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise RequestError(f"invalid path {path!r}: it is not valid Unicode") from error
    return check_file_name(path)


def version_name(version: int) -> str:
    """Make the name of a version: ``v3``."""
    return f"v{version}"


def version_number(text: str) -> int | None:
    """Parse the number in ``v3``; ``None`` for any other string."""
    found = _VERSION.fullmatch(text)
    return None if found is None else int(found[1])


def split(name: str) -> tuple[str, str]:
    """Split ``collection:alias``; a missing alias means the newest version."""
    collection, _, alias = name.partition(":")
    return collection, alias or LATEST


def _checked(tag: TagInput) -> NewTag:
    category = tag.get("tag_category_name") or ""
    for text in (tag["tag_name"], *([category] if category else [])):
        if len(text) > _LONGEST or not _TAG.fullmatch(text):
            raise RequestError(
                f"invalid tag {text[:140]!r}: at most {_LONGEST} characters: words of letters, digits, _ and -, "
                "with spaces between them"
            )
    attributes = tag.get("attributes") or "{}"
    lenient_json.parse_object(attributes, what="the attributes of a tag")
    return NewTag(tag["tag_name"], category, attributes)
