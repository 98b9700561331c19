"""Default display names of runs, and checks of entity, project, run and file names."""

from __future__ import annotations

import re
import secrets
import string

from runql_server.errors import RequestError

_ADJECTIVES = [
    "amber",
    "brave",
    "bright",
    "calm",
    "clear",
    "cosmic",
    "crisp",
    "daring",
    "deep",
    "eager",
    "early",
    "fair",
    "fresh",
    "gentle",
    "golden",
    "grand",
    "happy",
    "honest",
    "jolly",
    "keen",
    "kind",
    "lively",
    "lucid",
    "lucky",
    "mellow",
    "noble",
    "polar",
    "proud",
    "quick",
    "quiet",
    "rapid",
    "ruby",
    "silver",
    "smooth",
    "solar",
    "steady",
    "sunny",
    "swift",
    "vivid",
    "warm",
    "wise",
    "young",
]
_NOUNS = [
    "aspen",
    "bay",
    "beacon",
    "birch",
    "breeze",
    "brook",
    "canyon",
    "cedar",
    "cloud",
    "comet",
    "coral",
    "dawn",
    "delta",
    "dune",
    "ember",
    "falcon",
    "fern",
    "field",
    "fjord",
    "forest",
    "galaxy",
    "glade",
    "grove",
    "harbor",
    "heron",
    "island",
    "lagoon",
    "lake",
    "meadow",
    "mesa",
    "moon",
    "oak",
    "orchid",
    "peak",
    "pine",
    "planet",
    "pond",
    "prairie",
    "reef",
    "river",
    "shore",
    "sky",
    "star",
    "stone",
    "stream",
    "summit",
    "valley",
    "wave",
]
_RUN_ID_LETTERS = string.ascii_lowercase + string.digits
_DRIVE = re.compile(r"^[A-Za-z]:")


def display_name(number: int) -> str:
    """Make a friendly name for the n-th run of a project: adjective-noun-n."""
    return f"{secrets.choice(_ADJECTIVES)}-{secrets.choice(_NOUNS)}-{number}"


def run_id() -> str:
    """Make a new run id: eight lower-case letters and digits."""
    return "".join(secrets.choice(_RUN_ID_LETTERS) for _ in range(8))


def check_name(name: str, *, what: str, longest: int = 128) -> str:
    """Refuse a name that cannot be part of a URL path; return the name."""
    if not name or len(name) > longest or any(letter in name for letter in "/\\#?%:\0\r\n"):
        raise RequestError(rf"invalid {what} {name[:140]!r}: 1 to {longest} characters, none of / \ # ? % :")
    return name


def check_file_name(name: str) -> str:
    """Refuse a file name that is no relative path inside a folder; return the name."""
    parts = name.replace("\\", "/").split("/")
    bad = (
        not name
        or len(name) > 1024
        or "\0" in name
        or parts[0] == ""
        or _DRIVE.match(name) is not None
        or any(part in {"..", "."} for part in parts)
    )
    if bad:
        raise RequestError(
            f"invalid file name {name[:140]!r}: it must be a relative path without . and .. parts"
        )
    return name
