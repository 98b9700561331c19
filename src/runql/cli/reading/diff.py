"""`runql diff`: in what two runs differ."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Final

import typer

from runql.cli.console.failures import AskedWronglyError, help_end, reporting
from runql.cli.console.plain import say
from runql.cli.console.rows import (
    ForceOption,
    FormatOption,
    OutputOption,
    checked_format,
    is_frame,
    json_text,
    write_rows,
)
from runql.cli.console.session import BaseUrlOption, session
from runql.cli.reading.places import parse_place
from runql.values import JSONValue, dump_json

if TYPE_CHECKING:
    from runql.resources.runs.run import Run

FIELDS: Final = ("name", "state", "group", "job_type", "notes", "sweep_name", "commit")
"""What is compared beside config, summary and tags."""

SERVERS_OWN: Final = frozenset({"_runtime", "_timestamp", "_step", "_wandb"})
"""Entries of summaries that the server or the SDK writes; they differ in any two runs."""

HELP_END: Final = help_end(
    "runql diff team/digits/1a2b3c team/digits/4d5e6f",
    "runql diff team/digits/1a2b3c other/digits/4d5e6f --all --format json",
)


def diff(
    first: Annotated[str, typer.Argument(metavar="RUN", help="ENTITY/PROJECT/ID", show_default=False)],
    second: Annotated[str, typer.Argument(metavar="RUN", help="ENTITY/PROJECT/ID", show_default=False)],
    every: Annotated[
        bool,
        typer.Option(
            "--all", help="also what is equal, and the server's own summary entries; off by default"
        ),
    ] = False,
    format: FormatOption = None,  # noqa: A002 - the option's name
    output: OutputOption = None,
    force: ForceOption = False,
    base_url: BaseUrlOption = None,
) -> None:
    """Compare config, summary, tags, git commit and fields of two runs; two requests."""
    with reporting("diff"):
        for path in (first, second):
            if parse_place(path).kind != "run":
                raise AskedWronglyError(f"{path} is no run: give ENTITY/PROJECT/ID")
        chosen = checked_format(format, output, force=force)
        with session(base_url) as api:
            both = api.run(first), api.run(second)
        names = _names(*both)
        rows = list(_rows(*both, names, every=every))
        if is_frame(chosen):
            # A column of these has one type, and a run's values have many.
            rows = [{name: _as_str(name, value) for name, value in row.items()} for row in rows]
        write_rows(rows, ("field", *names), chosen, output, force=force)
        if not rows:
            say("runql diff: the runs do not differ")


def _names(first: Run, second: Run) -> tuple[str, str]:
    """Return a column's name for each run: its id, its path where the ids are equal."""
    if first.id != second.id:
        return first.id, second.id
    one, other = "/".join(first.path), "/".join(second.path)
    return one, other if other != one else f"{other} (again)"


def _rows(
    first: Run, second: Run, names: tuple[str, str], *, every: bool
) -> Iterator[Mapping[str, JSONValue]]:
    left, right = _values(first), _values(second)
    for field in dict.fromkeys([*left, *right]):
        head, _, key = field.partition(".")
        if not every and head == "summary" and key.partition(".")[0] in SERVERS_OWN:
            continue
        differs = field not in left or field not in right or not _equal(left[field], right[field])
        if every or differs:
            yield {"field": field, names[0]: left.get(field), names[1]: right.get(field)}


def _as_str(column: str, value: JSONValue) -> JSONValue:
    return value if value is None or column == "field" else json_text(value)


def _values(run: Run) -> dict[str, JSONValue]:
    fields: dict[str, JSONValue] = {name: getattr(run, name) for name in FIELDS}
    fields["tags"] = [*sorted(run.tags)]
    return {**fields, **_flat("config", dict(run.config)), **_flat("summary", dict(run.summary))}


def _flat(prefix: str, value: JSONValue) -> dict[str, JSONValue]:
    """Return the entries of an object, those of objects inside under names with dots."""
    found: dict[str, JSONValue] = {}
    # Not by recursion: a config may be nested more deeply than Python follows.
    waiting = [(prefix, value)]
    while waiting:
        name, each = waiting.pop()
        if isinstance(each, dict) and each:
            waiting.extend((f"{name}.{key}", member) for key, member in reversed(each.items()))
        elif name != prefix:
            found[name] = each
    return found


def _equal(one: JSONValue, other: JSONValue) -> bool:
    # As JSON: NaN equals NaN, and 1 is not true; an int and a float of the same value are equal.
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        are_nan = math.isnan(one) and math.isnan(other)
        return isinstance(one, bool) == isinstance(other, bool) and (one == other or are_nan)
    return dump_json(one) == dump_json(other)
