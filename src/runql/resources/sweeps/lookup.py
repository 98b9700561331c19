"""Reading sweeps by name: one, or several in one request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from runql.errors import SchemaDriftError
from runql.resources.records.identity import require_name, require_project, require_sweep
from runql.transport.flow import Flow, fetch
from runql_graphql.fragments import SweepFields
from runql_graphql.operation import Operation
from runql_graphql.operations import get_sweep


class ProjectSweeps(BaseModel):
    """A project, and each requested sweep under its alias; null where there is none."""

    model_config: ClassVar[ConfigDict] = ConfigDict(defer_build=True, extra="allow")

    name: str
    entity_name: str = Field(alias="entityName")
    __pydantic_extra__: dict[str, SweepFields | None]  # pyright: ignore[reportIncompatibleVariableOverride] — how pydantic has extra fields typed

    def sweeps(self, count: int) -> list[SweepFields | None]:
        """The sweeps of the first ``count`` aliases.

        Raises:
            SchemaDriftError: one is missing: the response belongs to another operation.
        """
        aliases = [f"sweep{number}" for number in range(count)]
        missing = [alias for alias in aliases if alias not in self.__pydantic_extra__]
        if missing:
            raise SchemaDriftError("GetSweeps", [f"project.{alias}: Field required" for alias in missing])
        return [self.__pydantic_extra__[alias] for alias in aliases]


class NamedSweeps(BaseModel):
    """The response to `get_sweeps`."""

    model_config: ClassVar[ConfigDict] = ConfigDict(defer_build=True)

    project: ProjectSweeps | None


def get_sweeps(*, entity: str, project: str, sweeps: Sequence[str]) -> Operation[NamedSweeps]:
    """Build `GetSweep` for several names, one alias each: GraphQL takes no list of names here.

    It takes the fields from the generated operation, so that the two cannot differ.
    """
    one = get_sweep(entity=entity, project=project, sweep="")
    _, mark, fragment = one.document.partition("fragment ")
    numbers = range(len(sweeps))
    variables = "".join(f", $sweep{number}: String!" for number in numbers)
    fields = "".join(
        f"    sweep{number}: sweep(sweepName: $sweep{number}) {{\n      ...SweepFields\n    }}\n"
        for number in numbers
    )
    document = (
        f"query GetSweeps($entity: String!, $project: String!{variables}) {{\n"
        f"  project(entityName: $entity, name: $project) {{\n    name\n    entityName\n{fields}  }}\n}}\n\n{mark}{fragment}"
    )
    names = {f"sweep{number}": name for number, name in enumerate(sweeps)}
    return Operation(
        "GetSweeps", "query", document, {"entity": entity, "project": project, **names}, NamedSweeps
    )


def read_sweeps(entity: str, project: str, names: Sequence[str]) -> Flow[dict[str, SweepFields | None]]:
    """The sweeps with these names, None for those that are absent; one request.

    Raises:
        ProjectNotFoundError: the project is absent or hidden.
    """
    response = yield from fetch(get_sweeps(entity=entity, project=project, sweeps=names))
    found = require_project(response.project, entity, project).sweeps(len(names))
    for name, sweep in zip(names, found, strict=True):
        if sweep is not None:
            require_name(f"sweep {entity}/{project}/", name, sweep.name)
    return dict(zip(names, found, strict=True))


def read_sweep(entity: str, project: str, sweep: str) -> Flow[SweepFields]:
    """One sweep; one request.

    Raises:
        ProjectNotFoundError: the project is absent or hidden.
        SweepNotFoundError: the project holds no such sweep.
    """
    response = yield from fetch(get_sweep(entity=entity, project=project, sweep=sweep))
    return require_sweep(response.project, entity, project, sweep)
