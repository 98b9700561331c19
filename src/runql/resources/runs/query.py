"""The query behind `Runs`: which runs of a project, in which order, how many a page; checked before it is sent."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from runql.arguments import positive, shown
from runql.errors import PaginationError, RunNotFoundError
from runql.partial_results import allowed_partial
from runql.quick_dataclasses import dataclass
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


class Named(Protocol):
    """A node of a list of runs."""

    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=Named)


def named(ids: Sequence[str]) -> str:
    """The filter that names these runs."""
    return json.dumps({"name": {"$in": list(ids)}})


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
        ids: exactly these runs in this order, whatever matches later; None for those that match.
        ends: for each of ``ids`` the step before which its rows end, None for no end; empty where no run has one.
    """

    entity: str
    project: str
    filters: str = "{}"
    order: str = DEFAULT_ORDER
    per_page: int = 50
    limit: int | None = None
    ids: tuple[str, ...] | None = None
    ends: tuple[int | None, ...] = ()

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
        if self.ids is not None:
            chosen += f" ({len(self.ids)} runs)"
        ordered = f" order={self.order}" if self.order != DEFAULT_ORDER else ""
        return f"{self.entity}/{self.project}{chosen}{ordered}"

    def sized(self, per_page: int) -> RunQuery:
        """The same query in pages of another size."""
        return replace(self, per_page=per_page)

    def only(self, names: Sequence[str]) -> RunQuery:
        """The same query for these of its runs."""
        if self.ids is None:
            return replace(self, filters=named(names))
        ends = self.end_steps
        return replace(self, ids=tuple(names), ends=tuple(ends.get(name) for name in names) if ends else ())

    @property
    def end_steps(self) -> dict[str, int]:
        """The step before which the rows of a run end, by its id, for runs that have one."""
        pairs = zip(self.ids or (), self.ends, strict=False)
        return {name: end for name, end in pairs if end is not None}

    def request(self, after: str | None) -> tuple[RunQuery, str | None]:
        """Return the query and the cursor to send for the page after a cursor.

        Chosen runs are requested by their ids, so no page depends on what else the project holds; their cursor is the
        number of runs before it.
        """
        if self.ids is None:
            return self, after
        asked = self._names(after)
        filters = named(asked)
        if self.filters != "{}":
            filters = json.dumps({"$and": [json.loads(self.filters), json.loads(filters)]})
        per_page = max(1, len(asked))
        return RunQuery(self.entity, self.project, filters, DEFAULT_ORDER, per_page), None

    def placed(self, page: Page[N], after: str | None) -> Page[N]:
        """Return the response to `request` as a page of this query.

        Raises:
            PaginationError: the server lists the runs of one request on two pages.
        """
        if self.ids is None:
            return page
        asked, found = self._names(after), {node.name: node for node in page.nodes}
        absent = [name for name in asked if name not in found] if self.filters == "{}" else []
        if absent and page.more:
            raise PaginationError(
                f"the server lists {len(page.nodes)} of {len(asked)} runs that were requested by id"
            )
        stop = int(after or 0) + len(asked)
        nodes = [found[name] for name in asked if name in found]
        return Page(nodes, after, str(stop), stop < len(self.ids), len(self.ids), tuple(absent))

    def _names(self, after: str | None) -> tuple[str, ...]:
        start = int(after or 0)
        return (self.ids or ())[start : start + self.per_page]


def list_light_page(query: RunQuery, after: str | None) -> Flow[Page[RunFields]]:
    """A page of runs in the light shape; one request."""
    if query.ids == ():
        return Page([], after, None, False, 0)
    sent, cursor = query.request(after)
    response = yield from fetch(
        list_runs(
            entity=sent.entity,
            project=sent.project,
            filters=sent.filters,
            order=sent.order,
            first=sent.per_page,
            after=cursor,
        )
    )
    return query.placed(read_page(require_runs(response.project, sent.entity, sent.project), cursor), after)


def list_full_page(query: RunQuery, after: str | None) -> Flow[Page[FullRunFields]]:
    """A page of runs in the full shape; one request. A partial result may lack fields of runs, never runs."""
    if query.ids == ():
        return Page([], after, None, False, 0)
    sent, cursor = query.request(after)
    response = yield from fetch(
        list_full_runs(
            entity=sent.entity,
            project=sent.project,
            filters=sent.filters,
            order=sent.order,
            first=sent.per_page,
            after=cursor,
        ),
        may_lack=[("project", "runs", "edges", EACH, "node", field) for field in UNEDITED],
    )
    return query.placed(read_page(require_runs(response.project, sent.entity, sent.project), cursor), after)


def refuse_absent(query: RunQuery, absent: Sequence[str]) -> None:
    """Refuse a page of chosen runs of which these do not exist any more.

    Raises:
        RunNotFoundError: there are such runs. With ``partial="allow"`` the warning names them.
    """
    errors = {name: RunNotFoundError(query.entity, query.project, name) for name in absent}
    if not errors:
        return
    allowed = allowed_partial()
    if allowed is None:
        raise next(iter(errors.values()))
    allowed.add_runs({name: str(error) for name, error in errors.items()}, set())


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
