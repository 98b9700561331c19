"""Filters of artifacts and collections accept any mapping and sequence, and are sent as JSON."""

from __future__ import annotations

import json
from types import MappingProxyType

import pytest

from runql import Filters
from runql.resources.artifacts.collections.lookup import CollectionQuery
from runql.values import plain_container

FILTERS: Filters = MappingProxyType({"name": MappingProxyType({"$in": range(2)})})


def test_a_filter_of_collections_is_sent_as_json() -> None:
    query = CollectionQuery.checked("e", "p", FILTERS, None, 50)
    assert json.loads(query.filters or "") == {"name": {"$in": [0, 1]}}


def test_only_mappings_and_sequences_are_converted() -> None:
    assert json.dumps(FILTERS, default=plain_container) == '{"name": {"$in": [0, 1]}}'
    with pytest.raises(TypeError, match="Object of type bytes is not JSON serializable"):
        plain_container(b"x")
