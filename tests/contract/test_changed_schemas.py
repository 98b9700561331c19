"""Public methods still return where a check of the schema finds nothing that breaks; where it does, one of them fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal
from graphql import GraphQLSchema, build_schema
from tests.contract.both_clients import Face
from tests.contract.every_call import FILE, READING, Subjects, furnish
from tests.contract.untyped import taken
from tests.drift.changed_transport import ChangedTransport
from tests.drift.schema_changes import SchemaChange, all_changes
from tests.profiles import quick_part, usual_part

from runql import RunqlError
from runql.drift import compare, known_schema, own_operations
from runql_server.running import RunningServer

pytestmark = pytest.mark.nightly

CHANGES = quick_part(
    usual_part(
        (each for each in all_changes() if not each.is_unused_part), lambda each: (each.kind, each.breaks)
    ),
    lambda each: each.kind,
)
PROJECT = "changed"


@pytest.fixture(scope="module")
def known() -> GraphQLSchema:
    return known_schema()


@pytest.fixture(scope="module")
def transport(known: GraphQLSchema) -> ChangedTransport:
    return ChangedTransport(known)


@pytest.fixture(scope="module")
def subjects(
    transport: ChangedTransport, portal: BlockingPortal, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Subjects]:
    """What the calls are made on: it was read before the schema changed."""
    folder: Path = tmp_path_factory.mktemp("changed")
    (folder / FILE).write_text("notes")
    face = Face("sync", portal)
    with RunningServer() as server:
        sweep = furnish(server, PROJECT)
        api = face.api(server.url, server.api_key, transport=transport)
        home = f"{server.entity}/{PROJECT}"
        taken(face, taken(face, api.run(f"{home}/one")).upload_file(folder / FILE, root=folder))
        yield Subjects(face, api, home, sweep, folder)
        face.close()


@pytest.fixture(scope="module")
def sent(subjects: Subjects, transport: ChangedTransport) -> Mapping[str, set[str]]:
    """The operations that each call sends; all of them return."""
    transport.found = None
    return {name: operations_of(name, subjects, transport) for name in READING}


def operations_of(name: str, subjects: Subjects, transport: ChangedTransport) -> set[str]:
    transport.operations = set()
    READING[name](subjects)
    return transport.operations


def failure(name: str, subjects: Subjects) -> str:
    """Return the error of a call, or an empty str."""
    try:
        READING[name](subjects)
    except RunqlError as error:
        return f"{type(error).__name__}: {error}"
    return ""


@pytest.mark.parametrize("change", CHANGES, ids=lambda each: each.name)
def test_a_change(
    change: SchemaChange,
    known: GraphQLSchema,
    subjects: Subjects,
    transport: ChangedTransport,
    sent: Mapping[str, set[str]],
) -> None:
    transport.found = build_schema(change.sdl)
    report = compare(known, transport.found, own_operations())
    broken = {use.operation for each in report.counting() for use in each.uses}
    failed = {name: error for name in READING if (error := failure(name, subjects))}
    assert not {name: error for name, error in failed.items() if not sent[name] & broken}
    assert bool(failed) == any(operations & broken for operations in sent.values())
