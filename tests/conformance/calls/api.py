"""Calls of `Api`: how it is made, and what it leads to."""

from __future__ import annotations

from collections.abc import Mapping

from tests.conformance.calls.call import Calls, Thing
from tests.conformance.calls.subjects import ENTITY, PATH, RICH, the_api, the_library
from tests.conformance.library import Library
from tests.conformance.write_project import PROJECT

API = Calls()
BY_LOSS: list[tuple[Mapping[str, object], str]] = [
    ({}, "+created_at"),
    ({}, "-created_at"),
    ({}, "-summary_metrics.loss"),
    ({}, "+config.lr.value"),
    ({"state": "finished"}, "+created_at"),
    ({"state": {"$ne": "finished"}}, "+created_at"),
    ({"config.lr": {"$gte": 0.25}}, "-config.lr.value"),
    ({"config.optimizer.name": "sgd"}, "+created_at"),
    ({"summary_metrics.deep.x.y": {"$gt": 2}}, "+created_at"),
    ({"summary_metrics.loss": {"$exists": True}}, "+summary_metrics.loss"),
    ({"tags": {"$in": ["grün"]}}, "+created_at"),
    ({"$or": [{"group": "gruppe"}, {"display_name": "under another id"}]}, "-created_at"),
    ({"$and": [{"name": {"$regex": "swept"}}, {"$nor": [{"name": "swept-0"}]}]}, "+created_at"),
    ({"config.größe": {"$nin": ["ünïcode ✓ 🎈", None]}}, "+created_at"),
]


@API.of("Api.__init__", on=the_library)
def made_with_defaults(library: Library) -> object:
    """`Api({"entity": …, "project": …})`, and a run by its id alone."""
    return library.api({"entity": ENTITY, "project": PROJECT}).run("rich").path


@API.of("Api.__init__", on=the_library)
def made_with_a_wrong_key(library: Library) -> object:
    """a wrong API key, and `viewer`."""
    api = library.Api(None, None, "0" * 40)
    return api.viewer.username


@API.of("Api.viewer", "User.username", "User.entity", "User.email", "User.admin", "User.teams", on=the_api)
def viewer(api: Thing) -> object:
    """who it is: username, entity, address, admin or not, teams."""
    user = api.viewer
    return [user.username, user.entity, user.email, user.admin, list(user.teams)]


API.attributes("Api", ["default_entity"], on=the_api)


@API.of("Api.flush", on=the_api)
def flush(api: Thing) -> object:
    """between two looks at a run."""
    before = api.run(RICH).state
    api.flush()
    return [before, api.run(RICH).state]


def _forms(library: Library) -> Mapping[str, Thing]:
    api = library.api({"project": PROJECT})
    forms = (
        f"{PATH}/rich",
        f"{PROJECT}/rich",
        "rich",
        f"{ENTITY}/{PROJECT}/runs/rich",
        f"/{PATH}/rich/",
        f"{ENTITY}/{PROJECT}:rich",
        f"{PATH}/Ünïcode-id",
        f"{PATH}/no-such-run",
        f"{ENTITY}/no-such-project/rich",
        f"{ENTITY}/twin/twin",
        "a/b/c/d/e",
    )
    return {form: (api, form) for form in forms}


@API.of("Api.run", on=_forms)
def run(asked: tuple[Thing, str]) -> object:
    """by every form of a path, present and missing."""
    api, path = asked
    found = api.run(path)
    return [found.entity, found.project, found.id, found.state]


def _lists(library: Library) -> Mapping[str, Thing]:
    return {f"{filters} {order}": (library.api(), filters, order) for filters, order in BY_LOSS}


@API.of("Api.runs", on=_lists)
def runs(asked: tuple[Thing, Mapping[str, object], str]) -> object:
    """by filters and orders, two a page."""
    api, filters, order = asked
    return [run.id for run in api.runs(PATH, filters=filters, order=order, per_page=2)]


@API.of("Api.runs", on=the_api)
def runs_per_page(api: Thing) -> object:
    """asked twice, with another `per_page`: what one page holds."""
    pages: list[int] = []
    for per_page in (2, 5):
        listed = api.runs(PATH, per_page=per_page)
        assert listed[0].id
        pages.append(len(listed.convert_objects()))
    return pages


@API.of("Api.runs", on=the_api)
def runs_of_no_project(api: Thing) -> object:
    """a project that is missing."""
    return [run.id for run in api.runs(f"{ENTITY}/no-such-project")]


@API.of("Api.runs", on=the_api)
def runs_by_an_unknown_order(api: Thing) -> object:
    """an order that the server does not know."""
    return [run.id for run in api.runs(PATH, order="+no_such_column")]


@API.of("Api.project", "Project.name", "Project.entity", "Project.path", "Project.url", on=the_api)
def project(api: Thing) -> object:
    """name, entity, path, URL."""
    found = api.project(PROJECT, ENTITY)
    return [found.name, found.entity, found.path, found.url]


@API.of("Api.project", on=the_api)
def project_that_is_missing(api: Thing) -> object:
    """one that is missing, and its id."""
    return api.project("no-such-project", ENTITY).id


@API.of("Project.id", "Project.sweeps", on=the_api)
def project_parts(api: Thing) -> object:
    """its id, and the configurations of its sweeps."""
    found = api.project(PROJECT, ENTITY)
    return [found.id, [sweep.config for sweep in found.sweeps()]]


@API.of("Api.projects", "Project.created_at", "Project.is_benchmark", on=the_api)
def projects(api: Thing) -> object:
    """names, creation times and whether they are benchmarks, one a page."""
    listed = api.projects(ENTITY, per_page=1)
    return [[each.name, each.entity, each.created_at, each.is_benchmark] for each in listed]


@API.of("Projects.length", on=the_api)
def projects_length(api: Thing) -> object:
    """how many there are."""
    return api.projects(ENTITY).length


@API.of("Api.user", on=the_api)
def user(api: Thing) -> object:
    """by name, by address, and nobody."""
    found = [api.user(name) for name in ("local", "local@localhost", "nobody")]
    return [None if each is None else [each.username, each.email] for each in found]


@API.of("Api.users", on=the_api)
def users(api: Thing) -> object:
    """all that fit."""
    return [[each.username, each.email] for each in api.users("local")]


@API.of("Project.owner", "Project.entity_name", on=the_api)
def project_owner(api: Thing) -> object:
    """who made it."""
    found = api.project(PROJECT, ENTITY)
    return [found.owner.name, found.owner.username, found.entity_name]


@API.of("Project.to_html", on=the_api)
def project_to_html(api: Thing) -> object:
    """plain, and hidden."""
    found = api.project(PROJECT, ENTITY)
    return [found.to_html(), found.to_html(height=200, hidden=True)]


@API.of("Project.collections", "Project.artifacts_types", on=the_api)
def project_collections(api: Thing) -> object:
    """collections and types of artifacts."""
    found = api.project(PROJECT, ENTITY)
    return [
        sorted([each.name, each.type] for each in found.collections(per_page=1)),
        sorted(each.name for each in found.artifacts_types()),
    ]


@API.of("Api.from_path", on=the_api)
def from_path(api: Thing) -> object:
    """a project, a run, a sweep."""
    sweep = api.run(f"{PATH}/swept-0").sweep_name
    return [
        api.from_path(PATH).id,
        api.from_path(f"{PATH}/runs/rich").id,
        api.from_path(f"{PATH}/rich").id,
        api.from_path(f"{PATH}/sweeps/{sweep}").id == sweep,
    ]


@API.of("Api.from_path", on=the_api)
def from_path_of_nothing(api: Thing) -> object:
    """a path of five parts."""
    return api.from_path(f"{PATH}/a/b/c")
