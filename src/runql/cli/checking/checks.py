"""The work of `runql drift` and `runql drift responses`, which ends with one of `exit_codes.EXIT_CODES`."""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import typer
from graphql import GraphQLSchema

from runql.api_key import AnonymousKey, BearerToken
from runql.cli.console.failures import drop_output, is_closed_pipe
from runql.cli.console.plain import say
from runql.cli.exit_codes import COULD_NOT_CHECK, INTERRUPTED, USAGE_ERROR, CheckExit
from runql.config import resolve_settings
from runql.drift import (
    CheckedOperation,
    Exchange,
    Format,
    Report,
    Unchecked,
    approve,
    check_server,
    compare,
    introspect,
    known_schema,
    load_schema,
    own_operations,
    read_approvals,
    read_live_answers,
    read_recordings,
    read_strictly,
    render,
    update_of,
    user_operations,
    write_update,
)
from runql.drift.approvals import APPROVALS_FILE
from runql.drift.reports.rendering import FORMATS
from runql.errors import (
    AuthenticationError,
    ConfigurationError,
    DriftInputError,
    IntrospectionRefusedError,
    LocalFileError,
    MissingCredentialsError,
    MissingExtraError,
    PathError,
    RunqlError,
)
from runql.paths import parse_project_path
from runql.quick_dataclasses import dataclass
from runql.transport.retry import RetryPolicy
from runql.transport.sync import RetryingClient

USAGE_ERRORS: Final = (DriftInputError, ConfigurationError, PathError, LocalFileError)

_IN_HEADER: Final = re.compile(r"[!-~]+")
"""Characters of a token that a header carries as they are."""

RETRY_POLICY: Final = RetryPolicy(max_attempts=4)
"""Fewer attempts than a client makes: CI can repeat a check that could not be done."""


@dataclass()
class Output:
    """The reports that a check writes, and its exit.

    Attributes:
        report_format: format of the report on stdout.
        strict: also fail on changes that no operation uses.
        source: the server or file that is checked, for reports of checks that fail early.
        operations: names of the checked operations.
        also: files to write, each in a format.
        approvals: the file of approvals that the caller named, None for the one in the working directory, if any.
    """

    report_format: Format
    strict: bool
    source: str
    operations: Sequence[str] = ()
    also: Sequence[tuple[Format, Path]] = ()
    approvals: Path | None = None

    def finish(self, report: Report) -> None:
        """Print the report, write the files, and exit with its code."""
        for each_format, path in self.also:
            rendered = self._render(report, each_format)
            try:
                path.write_text(rendered, encoding="utf-8")
            except OSError as error:
                raise LocalFileError(f"cannot write {path}", error) from error
        colour = self.report_format == "text" and _wants_colour()
        rendered = self._render(report, self.report_format, colour=colour)
        try:
            typer.echo(rendered, nl=False, color=colour or None)
        except OSError as error:
            drop_output()
            if not is_closed_pipe(error):
                say(f"runql drift: cannot write the output: {error.strerror or error}")
                raise CheckExit(COULD_NOT_CHECK) from error
        raise CheckExit(report.exit_code(strict=self.strict))

    def approved(self, report: Report) -> Report:
        """Return the report with the approvals of the file."""
        path = self.approvals or Path(APPROVALS_FILE)
        if self.approvals is None and not path.is_file():
            return report
        return approve(report, read_approvals(path), datetime.now(UTC).date())

    def _render(self, report: Report, form: Format, *, colour: bool = False) -> str:
        approvals = self.approvals or Path(APPROVALS_FILE)
        return render(report, form, self.operations, strict=self.strict, colour=colour, approvals=approvals)

    @contextmanager
    def errors(self) -> Generator[None]:
        """Turn every error into an exit: the caller's mistakes into 3, everything else into 2, never into 1."""
        try:
            yield
        except KeyboardInterrupt:
            say("runql drift: interrupted")
            raise CheckExit(INTERRUPTED) from None
        except USAGE_ERRORS as error:
            say(f"runql drift: {error}")
            raise CheckExit(USAGE_ERROR) from error
        except MissingExtraError as error:
            self.finish(Report(self.source, unchecked=(Unchecked("this installation", str(error)),)))
        except RunqlError as error:
            self.finish(Report(self.source, unchecked=(Unchecked("the server", str(error)),)))
        except Exception as error:
            # Python would exit with 1, which here means a breaking change.
            with suppress(OSError):
                traceback.print_exc()
            raise CheckExit(COULD_NOT_CHECK) from error


@dataclass(frozen=True, slots=True)
class SchemaCheck:
    """What `runql drift` compares.

    Attributes:
        schema: the file to check, None for that of ``url``.
        url: the server to check; without either, the operations are checked against the schema that ships.
        queries: the caller's operations.
        only_mine: leave runql's own operations out.
        known: the schema that the caller's operations were written against, None for the one that ships.
        introspection: whether a server is asked for its schema.
        update: the SDL file to write.
        bearer: the environment variable with the token of another API.
        allow_insecure: send the key to another machine over plain HTTP.
        allow_unproved: accept operations whose types the server does not reveal.
        most_seconds: a probe begins no request after this time.
    """

    schema: Path | None = None
    url: str | None = None
    queries: Path | None = None
    only_mine: bool = False
    known: Path | None = None
    introspection: bool = True
    update: Path | None = None
    bearer: str | None = None
    allow_insecure: bool = False
    allow_unproved: bool = False
    most_seconds: float = 60.0

    def check_options(self) -> None:
        """Raises DriftInputError where the options do not go together."""
        if self.schema is not None and self.url is not None:
            raise DriftInputError("give --schema FILE or --url URL, not both")
        if self.schema is None and self.url is None and (self.queries is None or self.update is not None):
            raise DriftInputError(
                "give --schema FILE, --url URL, or --queries alone, which are then checked against the schema that ships"
            )
        if not self.introspection and (self.url is None or self.update is not None):
            raise DriftInputError(
                "--no-introspection goes with --url, and without --update: a probe returns no schema"
            )
        if self.bearer is not None and self.url is None:
            raise DriftInputError("--bearer goes with --url: no other check sends a token")
        if self.only_mine and self.queries is None:
            raise DriftInputError("--only-mine leaves your own operations: name them with --queries")
        if self.known is not None and not self.only_mine:
            raise DriftInputError(
                "--known goes with --only-mine: runql's own operations were written against the schema that ships"
            )

    def operations(self) -> list[CheckedOperation]:
        """Return the operations to check."""
        own = [] if self.only_mine else own_operations()
        return own + (user_operations(self.queries, own) if self.queries else [])


def check_schema(output: Output, also: Sequence[str], check: SchemaCheck) -> None:
    """Compare a schema with the operations of runql and the caller's, write the reports, and exit."""
    with output.errors():
        output.also = _parse_also(also)
        check.check_options()
        operations = check.operations()
        output.operations = [each.name for each in operations]
        report = output.approved(_compare(operations, check))
        output.finish(report.accepting_unproved() if check.allow_unproved else report)


def check_responses(
    output: Output,
    also: Sequence[str],
    paths: Sequence[Path],
    schema: Path | None,
    url: str | None,
    project: str | None,
    *,
    allow_insecure: bool,
) -> None:
    """Read recorded or live responses strictly, write the reports, and exit."""
    with output.errors():
        output.also = _parse_also(also)
        if bool(paths) == (url is not None):
            raise DriftInputError("give either recordings or --url URL with --project entity/project")
        known = known_schema() if schema is None else load_schema(schema)
        if url is None:
            exchanges, report = read_recordings(paths), Report(output.source)
        else:
            exchanges, report = _read_live(url, project, allow_insecure=allow_insecure)
        findings = tuple(each for exchange in exchanges for each in read_strictly(exchange, known))
        output.operations = sorted({exchange.operation for exchange in exchanges})
        report = (
            replace(
                report, findings=findings, operations=len(exchanges), counted="answers", covered=frozenset()
            )
            .merged()
            .sorted()
        )
        output.finish(output.approved(report))


def _parse_also(also: Sequence[str]) -> list[tuple[Format, Path]]:
    formats: dict[str, Format] = {each: each for each in FORMATS}
    targets: list[tuple[Format, Path]] = []
    for each in also:
        name, equals, path = each.partition("=")
        if not equals or not path or name not in formats:
            raise DriftInputError(f"--also {each!r}: give FORMAT=FILE, with one of {', '.join(formats)}")
        targets.append((formats[name], Path(path)))
    return targets


def _compare(operations: Sequence[CheckedOperation], check: SchemaCheck) -> Report:
    known = known_schema() if check.known is None else load_schema(check.known)
    if check.url is None:
        found = known if check.schema is None else load_schema(check.schema)
        source = "the schema that ships" if check.schema is None else str(check.schema)
        return _write_update(compare(known, found, operations, source=source), found, check.update)
    with _client(check.url, bearer=check.bearer, allow_insecure=check.allow_insecure) as client:
        if check.update is None:
            return client.run(
                check_server(
                    known,
                    operations,
                    source=check.url,
                    introspection=check.introspection,
                    most_seconds=check.most_seconds,
                )
            )
        try:
            found = client.run(introspect())
        except IntrospectionRefusedError as error:
            raise IntrospectionRefusedError(f"--update needs the schema: {error}") from error
    report = replace(compare(known, found, operations, source=f"{check.url} (introspected)"), requests=1)
    return _write_update(report, found, check.update)


@contextmanager
def _client(url: str, *, bearer: str | None = None, allow_insecure: bool) -> Generator[RetryingClient]:
    """Open a client, without a key where there is none: the server may ask for none."""
    settings = resolve_settings(base_url=url, allow_insecure=allow_insecure, needs_key=False)
    if bearer is not None:
        settings = replace(settings, api_key=_token(bearer))
    with RetryingClient(settings, retry=RETRY_POLICY) as client:
        try:
            yield client
        except AuthenticationError as error:
            if isinstance(settings.api_key, AnonymousKey):
                raise MissingCredentialsError(settings.api_key.reason) from error
            raise


def _token(variable: str) -> BearerToken:
    """Return the token in an environment variable.

    Raises:
        DriftInputError: there is none, or no header can carry it.
    """
    token = BearerToken(os.environ.get(variable, "").strip())
    if not token:
        raise DriftInputError(
            f"--bearer {variable}: the environment has no variable of that name with a token"
        )
    if not _IN_HEADER.fullmatch(token.get_secret_value()):
        raise DriftInputError(
            f"--bearer {variable}: the token has blanks or other characters that no header carries"
        )
    return token


def _write_update(report: Report, found: GraphQLSchema, path: Path | None) -> Report:
    if path is None:
        return report
    update = update_of(report, found)
    if update.level == "none" and path.exists():
        return replace(report, notes=(*report.notes, f"nothing differs: {path} is unchanged"))
    write_update(path, update)
    return replace(report, notes=(*report.notes, f"wrote {path}: {update.line} Semver: {update.level}."))


def _read_live(url: str, project: str | None, *, allow_insecure: bool) -> tuple[list[Exchange], Report]:
    if project is None:
        raise DriftInputError("--url needs --project entity/project: its responses are checked")
    path = parse_project_path(project)
    with _client(url, allow_insecure=allow_insecure) as client:
        settings = client.settings
        address = path.resolve(entity=path.entity or settings.entity or "", project=settings.project)
        read = client.run(read_live_answers(own_operations(), address.entity, address.project))
    return read.exchanges, Report(f"{url} (answers)", unchecked=tuple(read.unchecked), requests=read.requests)


def _wants_colour() -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or sys.stdout.isatty()
