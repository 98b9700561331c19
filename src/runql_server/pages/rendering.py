"""Templates to responses: escaping of names and values, and the headers of every page."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any, Final
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from runql_server import lenient_json
from runql_server.http.browsers import FRAMES
from runql_server.lenient_json import JsonValue

STATIC: Final = "/-/static"
"""Where the server has the scripts and the style of its pages; no entity has this name's two parts."""

LONGEST = 300
"""Characters of a name or value that a page shows; a longer one is cut, and says so."""

HEADERS: Final = {
    "Content-Security-Policy": (
        f"default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors {FRAMES}"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def page(template: str, values: Mapping[str, object], status: HTTPStatus = HTTPStatus.OK) -> HTMLResponse:
    """Render a template of this package."""
    shown = _environment().get_template(template).render(values)
    # A name may hold half of a surrogate pair, which UTF-8 has no form for.
    return HTMLResponse(shown.encode("utf-8", "replace"), status, headers=HEADERS)


def url(*parts: str) -> str:
    """Return the path of a page; each part is quoted, slashes too."""
    return "/" + "/".join(quote(part, safe="", errors="replace") for part in parts)


def name(value: object, longest: int = LONGEST) -> Markup:
    """Show a name that anybody may have chosen: isolated from the direction of its neighbours, without controls."""
    return Markup("<bdi>{}</bdi>").format(visible(str(value), longest))


def value(item: JsonValue, longest: int = LONGEST) -> Markup:
    """Show a value of config or summary; numbers in full, objects as JSON."""
    shown = item if isinstance(item, str) else compact(item)
    return Markup("<bdi title='{}'>{}</bdi>").format(visible(shown, 4 * longest), visible(shown, longest))


def compact(item: JsonValue) -> str:
    """Write a value as JSON."""
    try:
        return lenient_json.dump(item)
    except RecursionError:
        return "(nested too deeply to show)"


def visible(text: str, longest: int = LONGEST) -> str:
    """Replace controls, and cut what is too long."""
    cut = text[:longest]
    shown = "".join("\N{REPLACEMENT CHARACTER}" if _is_control(letter) else letter for letter in cut)
    return shown if len(text) <= longest else f"{shown}… ({len(text):,} characters)"


def _is_control(letter: str) -> bool:
    # Cc and Cs have no form in HTML; Cf holds the marks that turn the direction of a line.
    return letter not in "\n\t" and unicodedata.category(letter) in {"Cc", "Cs", "Cf"}


def when(moment: str | None) -> Markup:
    """Show a time; a script turns it to the zone of the browser."""
    if not moment:
        return Markup("")
    iso = moment if moment.endswith("Z") else f"{moment}Z"
    return Markup("<time datetime='{}'>{}</time>").format(iso, moment[:19].replace("T", " "))


def duration(seconds: float) -> str:
    """Show a time span."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (rest, "s")]
    return " ".join(f"{amount} {unit}" for amount, unit in parts if amount) or "0 s"


def counted(count: int, noun: str) -> str:
    """Show a number of things."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def size(count: int) -> str:
    """Show a number of bytes."""
    amount, units = float(count), ["bytes", "KB", "MB", "GB", "TB"]
    while amount >= 1000 and len(units) > 1:
        amount, units = amount / 1000, units[1:]
    return f"{count} bytes" if units[0] == "bytes" else f"{amount:.1f} {units[0]}"


def data(item: object) -> Markup:
    """Write a value, of dataclasses too, into a ``data-`` attribute, from which a script parses it."""
    return escape(json.dumps(item, default=vars))


@cache
def has_charts() -> bool:
    """Whether the extra ``pages`` is there, whose library draws the curves."""
    return find_spec("plotly") is not None


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("runql_server.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # Any: type checkers infer the values of these dicts from their first members.
    filters: dict[str, Any] = {
        "name": name,
        "value": value,
        "plain": visible,
        "when": when,
        "duration": duration,
        "size": size,
        "data": data,
        "counted": counted,
    }
    environment.filters.update(filters)
    known: dict[str, Any] = {
        "url": url,
        "static": STATIC,
        "has_charts": has_charts(),
        "version": version("runql"),
    }
    environment.globals.update(known)
    return environment
