"""Calls that find artifacts: by name, by type, by collection."""

from __future__ import annotations

from collections.abc import Mapping

from tests.conformance.calls.call import Calls, Thing
from tests.conformance.calls.subjects import ENTITY, PATH, the_api
from tests.conformance.library import Library
from tests.conformance.write_project import PROJECT

CATALOG = Calls()


def _named(library: Library) -> Mapping[str, Thing]:
    api = library.api({"project": PROJECT})
    names = (
        f"{PATH}/data:v1",
        f"{PROJECT}/data:v1",
        "data:v1",
        "data:latest",
        "data:best",
        f"{PATH}/data",
        "data:v9",
        "data:no-such-alias",
        "no-such-collection:v0",
        f"{ENTITY}/no-such-project/data:v0",
    )
    return {name: (api, name) for name in names}


@CATALOG.of("Api.artifact", on=_named)
def artifact(asked: tuple[Thing, str]) -> object:
    """by every form of a name, present and missing."""
    api, name = asked
    found = api.artifact(name)
    return [found.qualified_name, found.version, found.digest]


@CATALOG.of("Api.artifact", on=the_api)
def artifact_of_a_type(api: Thing) -> object:
    """with the right `type`."""
    return api.artifact(f"{PATH}/data:v1", type="dataset").name


@CATALOG.of("Api.artifact", on=the_api)
def artifact_of_another_type(api: Thing) -> object:
    """with another `type`."""
    return api.artifact(f"{PATH}/data:v1", type="model").name


@CATALOG.of("Api.artifact_exists", on=_named)
def artifact_exists(asked: tuple[Thing, str]) -> object:
    """by every form of a name, present and missing."""
    api, name = asked
    return api.artifact_exists(name)


@CATALOG.of("Api.artifact_exists", on=the_api)
def artifact_of_another_type_exists(api: Thing) -> object:
    """with another `type`."""
    return api.artifact_exists(f"{PATH}/data:v1", "model")


@CATALOG.of("Api.artifacts", on=the_api)
def artifacts(api: Thing) -> object:
    """versions of a collection, one a page, and how many."""
    listed = api.artifacts("dataset", f"{PATH}/data", per_page=1)
    return [[each.name for each in listed], len(listed)]


@CATALOG.of("Api.artifacts", on=the_api)
def artifacts_by_tag(api: Thing) -> object:
    """with tags."""
    lists = [api.artifacts("dataset", f"{PATH}/data", tags=tags) for tags in (["raw"], ["raw", "other"])]
    return [[each.name for each in listed] for listed in lists]


@CATALOG.of("Api.artifacts", on=the_api)
def artifacts_of_no_collection(api: Thing) -> object:
    """a collection that is missing."""
    return [each.name for each in api.artifacts("dataset", f"{PATH}/no-such-collection")]


@CATALOG.of("Api.artifact_types", on=the_api)
def artifact_types(api: Thing) -> object:
    """names."""
    return sorted(each.name for each in api.artifact_types(PATH))


@CATALOG.of(
    "Api.artifact_type", "ArtifactType.id", "ArtifactType.name", "ArtifactType.collections", on=the_api
)
def artifact_type(api: Thing) -> object:
    """its id, name and collections."""
    found = api.artifact_type("dataset", PATH)
    return [found.id, found.name, sorted(each.name for each in found.collections())]


@CATALOG.of("ArtifactType.collection", on=the_api)
def collection_of_a_type(api: Thing) -> object:
    """one of its collections."""
    return api.artifact_type("dataset", PATH).collection("data").name


@CATALOG.of("Api.artifact_type", on=the_api)
def artifact_type_that_is_missing(api: Thing) -> object:
    """one that is missing, and its id."""
    return api.artifact_type("no-such-type", PATH).id


@CATALOG.of("Api.artifact_collections", on=the_api)
def artifact_collections(api: Thing) -> object:
    """names, one a page."""
    return sorted(each.name for each in api.artifact_collections(PATH, "dataset", per_page=1))


def the_collection(library: Library) -> Mapping[str, Thing]:
    """A collection of several versions."""
    return {"": library.api().artifact_collection("dataset", f"{PATH}/data")}


def the_type(library: Library) -> Mapping[str, Thing]:
    """A type of artifacts."""
    return {"": library.api().artifact_type("dataset", PATH)}


CATALOG.attributes("ArtifactType", ("entity", "project"), on=the_type)
CATALOG.attributes(
    "ArtifactCollection",
    ("id", "entity", "project", "name", "type", "description", "created_at", "updated_at", "tags"),
    on=the_collection,
)


@CATALOG.of(
    "Api.artifact_collection", "ArtifactCollection.aliases", "ArtifactCollection.is_sequence", on=the_api
)
def artifact_collection(api: Thing) -> object:
    """name, aliases, whether versions are made in it."""
    found = api.artifact_collection("dataset", f"{PATH}/data")
    return [found.name, sorted(found.aliases), found.is_sequence()]


@CATALOG.of("ArtifactCollection.artifacts", on=the_collection)
def artifacts_of_a_collection(found: Thing) -> object:
    """names."""
    return [each.name for each in found.artifacts()]


@CATALOG.of("Api.artifact_collection", on=the_api)
def artifact_collection_that_is_missing(api: Thing) -> object:
    """one that is missing."""
    return api.artifact_collection("dataset", f"{PATH}/no-such-collection").name


@CATALOG.of("Api.artifact_collection_exists", on=the_api)
def artifact_collection_exists(api: Thing) -> object:
    """present, missing, of another type."""
    asked = (("data", "dataset"), ("no-such-collection", "dataset"), ("data", "model"))
    return [api.artifact_collection_exists(f"{PATH}/{name}", kind) for name, kind in asked]


@CATALOG.of("Api.artifact_versions", on=the_api)
def artifact_versions(api: Thing) -> object:
    """versions under the older name."""
    return [each.name for each in api.artifact_versions("dataset", f"{PATH}/data")]
