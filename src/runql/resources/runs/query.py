"""The query behind `Runs`: which runs of a project, in which order, how many a page; checked before it is sent."""

from __future__ import annotations

from dataclasses import dataclass, replace

from runql.arguments import positive, shown
from runql.resources.pages.listing import Page, read_page
from runql.resources.records.identity import require_runs
from runql.resources.records.run_fields import UNEDITED
from runql.resources.runs.filters import COLUMNS, filter_json
from runql.transport.codec import EACH
from runql.transport.flow import Flow, fetch
from runql.values import Filters, Missing
from runql_graphql.fragments import FullRunFields, RunFields
from runql_graphql.operations import list_full_runs, list_runs

DEFAULT_ORDER = "+created_at"
ORDER_COLUMNS = COLUMNS - {"commit", "entity", "project"} | {"tags"}
ORDER_PREFIXES = ("config.", "summary_metrics.", "tags.")


@dataclass(frozen=True, slots=True)
class RunQuery:
    """A checked query for runs.

    Attributes:
        entity: owner of the project.
        project: its name.
        filters: the filter as a JSON string, ``{}`` for none.
        order: a sign and a key.
        per_page: runs a page.
        limit: runs in all, None for all that match.
    """

    entity: str
    project: str
    filters: str = "{}"
    order: str = DEFAULT_ORDER
    per_page: int = 50
    limit: int | None = None

    @classmethod
    def checked(
        cls,
        entity: str,
        project: str,
        filters: Filters | None,
        order: str | None,
        per_page: int,
        limit: int | None = None,
    ) -> RunQuery:
        """Check what a caller gave.

        Raises:
            ValueError: the filter is no JSON or matches no run, the order key is unknown, or ``per_page`` or
                ``limit`` is below 1.
            TypeError: an argument has the wrong type.
        """
        return cls(
            entity,
            project,
            filter_json(filters),
            checked_order(order),
            positive("per_page", per_page),
            None if limit is None else positive("limit", limit),
        )

    def words(self) -> str:
        """The project, and the filter and the order that are not the default, for people."""
        chosen = f" filters={self.filters}" if self.filters != "{}" else ""
        ordered = f" order={self.order}" if self.order != DEFAULT_ORDER else ""
        return f"{self.entity}/{self.project}{chosen}{ordered}"

    def sized(self, per_page: int) -> RunQuery:
        """The same query in pages of another size."""
        return replace(self, per_page=per_page)


def list_light_page(query: RunQuery, after: str | None) -> Flow[Page[RunFields]]:
    """A page of runs in the light shape; one request."""
    response = yield from fetch(
        list_runs(
            entity=query.entity,
            project=query.project,
            filters=query.filters,
            order=query.order,
            first=query.per_page,
            after=after,
        )
    )
    return read_page(require_runs(response.project, query.entity, query.project), after)


def list_full_page(query: RunQuery, after: str | None) -> Flow[Page[FullRunFields]]:
    """A page of runs in the full shape; one request. A partial result may lack fields of runs, never runs."""
    response = yield from fetch(
        list_full_runs(
            entity=query.entity,
            project=query.project,
            filters=query.filters,
            order=query.order,
            first=query.per_page,
            after=after,
        ),
        may_lack=[("project", "runs", "edges", EACH, "node", field) for field in UNEDITED],
    )
    return read_page(require_runs(response.project, query.entity, query.project), after)


def checked_missing(missing: Missing, *, lazy: bool = False) -> bool:
    """Whether to raise where no run has the value of an order.

    Raises:
        ValueError: it is neither word, or light pages shall tell.
    """
    if missing not in ("last", "raise"):
        raise ValueError(f"missing must be 'last' or 'raise', not {shown(missing)}")
    if missing == "raise" and lazy:
        raise ValueError(
            "missing='raise' looks at the values of runs, which lazy=True leaves out: use one of both"
        )
    return missing == "raise"


def checked_order(order: str | None) -> str:
    """The order with its sign; None and the empty string are the default, oldest first."""
    if not order:
        return DEFAULT_ORDER
    if not isinstance(order, str):  # pyright: ignore[reportUnnecessaryIsInstance] — callers may be untyped
        raise TypeError(f"order must be a str such as '-created_at', not {type(order).__name__}")
    sign, key = (order[0], order[1:]) if order[0] in "+-" else ("+", order)
    if key in ORDER_COLUMNS or any(key.startswith(prefix) and key != prefix for prefix in ORDER_PREFIXES):
        return sign + key
    raise ValueError(
        f"cannot order by {shown(order)}: use + or - and one of {', '.join(sorted(ORDER_COLUMNS))}, "
        "config.<key>.value or summary_metrics.<key>"
    )
