"""Changing the runs that a filter finds: shown first, done with `--yes`, and logged run by run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from runql.cli.changing.changes import Change
from runql.cli.changing.log import ChangeLog, opened_log, read_done
from runql.cli.console.failures import AskedWronglyError
from runql.cli.console.plain import say
from runql.cli.console.progress import bar, counted
from runql.cli.console.rows import Format, write_rows
from runql.cli.filter_language import parse_filter
from runql.cli.reading.places import Place, parse_place
from runql.errors import RunNotFoundError
from runql.filters import Filter
from runql.quick_dataclasses import dataclass
from runql.values import JSONValue

if TYPE_CHECKING:
    from runql.resources.api import Api
    from runql.resources.runs.run import Run

COLUMNS: Final = ("id", "name", "state", "change")
LIGHT_PAGE: Final = 200
"""Runs a request where neither config nor summary is needed."""


@dataclass(frozen=True)
class Target:
    """Which runs to change: those of a project that match a filter, or one run.

    Attributes:
        place: the project or the run.
        filters: None for one run, and for every run.
    """

    place: Place
    filters: Filter | None

    @classmethod
    def checked(cls, path: str, filter_text: str | None, *, every: bool) -> Target:
        """Check what a caller gave.

        Raises:
            AskedWronglyError: it is not clear which runs are meant.
            PathError: the path has no valid form.
        """
        place = parse_place(path)
        filters = None if filter_text is None else parse_filter(filter_text)
        if place.kind == "run":
            if filters is not None or every:
                raise AskedWronglyError(f"{path} is one run: give --filter and --all with ENTITY/PROJECT")
        elif place.kind != "project":
            raise AskedWronglyError(f"{path} is no project: give ENTITY/PROJECT --filter FILTER, or a run")
        elif filters is None and not every:
            raise AskedWronglyError("which runs? Give --filter FILTER, or --all for every run of the project")
        elif filters is not None and every:
            raise AskedWronglyError("give one of --filter and --all, not both")
        elif filters is not None and len(filters) == 0:
            raise AskedWronglyError("the filter matches every run: give --all to mean that")
        return cls(place, filters)

    def runs(self, api: Api, *, reads_values: bool) -> Sequence[Run]:
        """Read the runs, all of them: a change may move runs out of the filter, and so to other pages."""
        if self.place.kind == "run":
            return [api.run(self.place.path)]
        if reads_values:
            return api.runs(self.place.path, self.filters)[:]
        return api.runs(self.place.path, self.filters, per_page=LIGHT_PAGE, lazy=True)[:]


@dataclass(frozen=True)
class Work:
    """A change of runs, and how to show it.

    Attributes:
        command: its name, such as ``tag``.
        change: what to do.
        target: to which runs.
        confirmed: do it; else only show it.
        log: the file that names the runs that are done.
        format: how to write the rows.
    """

    command: str
    change: Change
    target: Target
    confirmed: bool
    log: Path | None
    format: Format

    def check_log(self) -> None:
        """Refuse a log of another command, before anything is sent.

        Raises:
            AskedWronglyError: it is one, or no log.
            LocalFileError: it cannot be read.
        """
        if self.log is not None:
            read_done(self.log, self.change.spelled)

    def do(self, api: Api) -> bool:
        """Change the runs, or show what would change; return whether every run was there.

        Requests: the pages of the list; with ``confirmed`` those of the change for each run that it concerns.
        """
        runs = self.target.runs(api, reads_values=self.change.reads_values)
        done = frozenset[str]() if self.log is None else read_done(self.log, self.change.spelled)[0]
        open_runs = [run for run in runs if _path(run) not in done]
        planned = [(run, preview) for run in open_runs if (preview := self.change.preview(run)) is not None]
        logged = len(runs) - len(open_runs)
        skipped = f", {logged} are done by the log" if logged else ""
        if not self.confirmed:
            write_rows([_row(run, preview) for run, preview in planned], COLUMNS, self.format)
            self._say(
                f"{len(planned)} of {_runs(len(runs))} would be {self.change.verb}{skipped}; "
                + ("nothing is to do" if not planned else "nothing was changed: repeat with --yes")
            )
            return True
        progress = _Progress()
        try:
            with opened_log(self.log, self.change.spelled) as log:
                write_rows(self._applied(planned, log, progress), COLUMNS, self.format)
        finally:
            gone = f", {progress.gone} are gone" if progress.gone else ""
            left = len(planned) - progress.changed - progress.gone
            rest = f", {left} are left: the same command goes on" if left else ""
            self._say(
                f"{progress.changed} of {_runs(len(runs))} were {self.change.verb}{skipped}{gone}{rest}"
            )
        return not progress.gone

    def _applied(
        self, planned: Sequence[tuple[Run, str]], log: ChangeLog, progress: _Progress
    ) -> Iterator[Mapping[str, JSONValue]]:
        with bar(self.command, "runs", self.format) as report:
            for run, preview in counted(planned, report, len(planned)):
                row = _row(run, preview)
                try:
                    self.change.apply(run)
                except RunNotFoundError:
                    progress.gone += 1
                    yield {**row, "change": "gone"}
                    continue
                progress.changed += 1
                log.note(_path(run), preview)
                yield row

    def _say(self, message: str) -> None:
        say(f"runql {self.command}: {message}")


@dataclass()
class _Progress:
    changed: int = 0
    gone: int = 0


def _row(run: Run, change: str) -> dict[str, JSONValue]:
    return {"id": run.id, "name": run.name, "state": run.state, "change": change}


def _path(run: Run) -> str:
    return "/".join(run.path)


def _runs(count: int) -> str:
    return f"{count:,} run" + ("" if count == 1 else "s")
