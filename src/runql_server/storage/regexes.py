"""Regular expressions of clients, matched in linear time by RE2."""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import Any, Final

from runql_server.errors import RequestError

OPTIONS: Final = "imsx"
"""Letters of ``$options``, as in MongoDB."""

_LONGEST: Final = 10_000
_re2: Final[Any] = import_module("re2")  # Any: the package has no types


class PatternError(RequestError):
    """The pattern is not one of RE2."""


class Pattern:
    """A compiled pattern; a search takes time linear in the string."""

    def __init__(self, compiled: Any) -> None:  # Any: RE2's own object
        self._compiled = compiled

    def is_in(self, text: str) -> bool:
        """Whether the string contains the pattern."""
        return self._compiled.search(text.encode("utf-8", "replace")) is not None


@lru_cache(maxsize=64)
def compiled(pattern: str, options: str) -> Pattern:
    """Compile a pattern with letters of `OPTIONS`; raises ``PatternError``."""
    if len(pattern) > _LONGEST:
        raise PatternError(f"it has {len(pattern)} characters, {_LONGEST} are allowed")
    flags = "".join(sorted(set(options) - {"x"}))
    bare = without_layout(pattern) if "x" in options else pattern
    settings = _re2.Options()
    settings.log_errors = False
    settings.never_capture = True
    try:
        found = _re2.compile(f"{f'(?{flags})' if flags else ''}{bare}".encode(), settings)
    except UnicodeEncodeError as error:
        raise PatternError("it holds a lone surrogate, which no stored string has") from error
    except _re2.error as error:
        raise PatternError(_advice(error)) from error
    return Pattern(found)


def without_layout(pattern: str) -> str:
    """Drop what ``$options: "x"`` ignores: blanks and comments outside of classes and escapes."""
    kept: list[str] = []
    at, in_class = 0, False
    while at < len(pattern):
        letter = pattern[at]
        size = 1
        if letter == "\\":
            size = 2
        elif in_class:
            in_class = letter != "]"
        elif letter == "[":
            # A bracket that comes first closes nothing: []a] and [^]a] hold it.
            in_class = True
            size = 1 + pattern.startswith("^", at + 1)
            size += pattern.startswith("]", at + size)
        elif letter.isspace():
            at += 1
            continue
        elif letter == "#":
            end = pattern.find("\n", at)
            at = len(pattern) if end < 0 else end
            continue
        kept.append(pattern[at : at + size])
        at += size
    return "".join(kept)


def _advice(error: Exception) -> str:
    detail = error.args[0] if error.args else ""
    reason = detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail)
    return f"{reason[:200]} (RE2's syntax, which has no lookaround and no backreferences)"
