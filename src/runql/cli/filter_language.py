"""The filter of `--filter`."""

from __future__ import annotations

import json

from runql.cli.console.failures import AskedWronglyError
from runql.filters import Filter
from runql.values import JSONValue


def parse_filter(text: str) -> Filter:
    """Return the filter that JSON in the server's language says, such as ``{"state": "finished"}``.

    Raises:
        AskedWronglyError: it is no JSON object.
    """
    try:
        document: JSONValue = json.loads(text)
    except ValueError as error:
        raise AskedWronglyError(f"--filter is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise AskedWronglyError('--filter must be a JSON object, such as {"state": "finished"}')
    return Filter(document)
