"""Columns: what `--columns` may name, and their values of a run, a project, a sweep, an artifact or a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar

from runql.cli.console.failures import AskedWronglyError
from runql.frames.parquet.exported_values import lookup
from runql.quick_dataclasses import dataclass
from runql.values import JSONValue

if TYPE_CHECKING:
    from runql.resources.artifacts.artifact import Artifact
    from runql.resources.artifacts.collections.collection import ArtifactCollection
    from runql.resources.project import Project
    from runql.resources.runs.run import Run
    from runql.resources.sweeps.sweep import Sweep

T = TypeVar("T")
Reader: TypeAlias = Callable[[T], JSONValue]


@dataclass(frozen=True)
class Kind(Generic[T]):
    """What can be listed.

    Attributes:
        fields: name to value, of every column.
        usual: the columns without `--columns`.
        objects: the fields whose entries are columns, too, such as ``config.lr``.
        aliases: other names of fields.
    """

    fields: Mapping[str, Reader[T]]
    usual: Sequence[str]
    objects: Sequence[str] = ()
    aliases: Mapping[str, str] | None = None

    def select(self, asked: Iterable[str] | None) -> Selection[T]:
        """Check the columns of `--columns`, each a name or several with commas between them.

        Raises:
            AskedWronglyError: a column is unknown.
        """
        names = [name.strip() for each in asked or () for name in each.split(",")]
        named = list(dict.fromkeys(name for name in names if name)) or list(self.usual)
        return Selection(self, tuple(map(self._checked, named)))

    def _checked(self, name: str) -> str:
        head, dot, key = name.partition(".")
        head = (self.aliases or {}).get(head, head)
        if (head in self.objects and key) or (head in self.fields and not dot):
            return head + dot + key
        close = get_close_matches(name, [*self.fields], n=1)
        guess = f" (did you mean {close[0]}?)" if close else ""
        entries = [f"{each}.KEY" for each in self.objects]
        raise AskedWronglyError(
            f"--columns: there is no column {name!r}{guess}: use {', '.join([*self.fields, *entries])}"
        )


@dataclass(frozen=True)
class Selection(Generic[T]):
    """Checked columns of a kind.

    Attributes:
        kind: what is listed.
        names: the columns, in order; ``config.*`` stands for all entries.
    """

    kind: Kind[T]
    names: tuple[str, ...]

    @property
    def fixed(self) -> tuple[str, ...] | None:
        """The names of the columns, or None where the rows decide."""
        return None if any(name.endswith(".*") for name in self.names) else self.names

    @property
    def entries(self) -> Sequence[str]:
        """The columns that are entries of objects, which every item may lack."""
        return [name for name in self.names if "." in name and not name.endswith(".*")]

    def needs(self, fields: Iterable[str]) -> bool:
        """Whether one of the columns is, or is in, one of these fields."""
        return not {name.partition(".")[0] for name in self.names}.isdisjoint(fields)

    def row(self, item: T) -> dict[str, JSONValue]:
        """Return the values of an item, by column."""
        held: dict[str, JSONValue] = {}
        row: dict[str, JSONValue] = {}
        for name in self.names:
            head, _, key = name.partition(".")
            if head not in held:
                held[head] = self.kind.fields[head](item)
            whole = held[head]
            if not key:
                row[name] = whole
            elif not isinstance(whole, dict):
                row[name] = None
            elif key == "*":
                row |= {f"{head}.{entry}": value for entry, value in whole.items()}
            else:
                row[name] = lookup(whole, key)
        return row


def _attribute(name: str) -> Reader[Any]:  # Any: the fields of several records
    def read(item: object) -> JSONValue:
        value: JSONValue = getattr(item, name)
        return value

    return read


def _attributes(names: str) -> dict[str, Reader[Any]]:  # Any: as above
    return {name: _attribute(name) for name in names.split()}


def _path(item: Run | Project) -> str:
    return "/".join(item.path)


def _sweep_path(sweep: Sweep) -> str:
    # `runql show` takes it; without the word it would be a run's.
    *home, sweep_id = sweep.path
    return "/".join([*home, "sweeps", sweep_id])


def _user(run: Run) -> str | None:
    return run.user.username if run.user else None


FULL_ONLY: Final = frozenset({"config", "summary", "system_metrics"})
"""Fields of runs that light pages leave out."""

RUNS: Final[Kind[Run]] = Kind(
    {
        **_attributes("id name state created_at heartbeat_at"),
        "user": _user,
        **_attributes("group job_type tags notes sweep_name commit history_line_count"),
        "config": lambda run: dict(run.config),
        "summary": lambda run: dict(run.summary),
        **_attributes("system_metrics entity project"),
        "path": _path,
        **_attributes("url"),
    },
    usual=("id", "name", "state", "created_at", "tags"),
    objects=("config", "summary", "system_metrics"),
    aliases={"summary_metrics": "summary", "display_name": "name"},
)
PROJECTS: Final[Kind[Project]] = Kind(
    {
        **_attributes("name entity description access created_at updated_at"),
        "path": _path,
        **_attributes("url"),
    },
    usual=("name", "created_at", "description"),
)
SWEEPS: Final[Kind[Sweep]] = Kind(
    {
        **_attributes("id name state method order run_count expected_run_count best_loss"),
        **_attributes("description config created_at updated_at entity project"),
        "path": _sweep_path,
        **_attributes("url"),
    },
    usual=("id", "name", "state", "method", "run_count", "best_loss", "created_at"),
    objects=("config",),
)
COLLECTIONS: Final[Kind[ArtifactCollection]] = Kind(
    _attributes("name type aliases tags description created_at updated_at entity project"),
    usual=("name", "type", "aliases", "tags", "created_at"),
)
ARTIFACTS: Final[Kind[Artifact]] = Kind(
    _attributes(
        "name type version state aliases tags size file_count digest description metadata created_at updated_at "
        "commit_hash history_step entity project qualified_name url"
    ),
    usual=("name", "type", "aliases", "size", "file_count", "created_at"),
    objects=("metadata",),
)
FILES: Final[Kind[Any]] = Kind(  # Any: files of runs and of artifacts
    _attributes("name size mimetype md5 updated_at"), usual=("name", "size", "mimetype", "updated_at")
)
