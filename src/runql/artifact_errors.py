"""The errors that only artifacts know; their place in the tree is drawn in `runql.errors`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runql.errors import NotFoundError, RunqlError, listed


class ArtifactNotFoundError(NotFoundError):
    """There is no such artifact version, collection or type, or this API key may not see it."""


class EntryNotFoundError(NotFoundError, KeyError):
    """The artifact's manifest has no entry of this name."""

    def __init__(self, artifact: str, name: str) -> None:
        self.artifact = artifact
        self.name = name
        super().__init__(f"artifact {artifact} has no entry {name!r}: Artifact.entries lists those it has")

    # KeyError would show its message in quotes.
    __str__ = RunqlError.__str__


class ArtifactPendingError(RunqlError):
    """An artifact version is still being written: it has no files yet, and no run can use it."""

    def __init__(self, artifact: str, state: str) -> None:
        self.artifact = artifact
        self.state = state
        super().__init__(
            f"artifact {artifact} is {state}, not COMMITTED: wait until the run that logs it is done, and get it again"
        )


class ManifestError(RunqlError):
    """An artifact's manifest, the list of its files, has a form that this version of runql does not know."""


class ArtifactDamagedError(RunqlError, ValueError):
    """The files of a local folder are not those of the artifact.

    Attributes:
        missing: entries without a file.
        changed: entries whose file holds something else.
        unexpected: files that are no entry.
        unstorable: why there is no file, by the names of entries that lead out of the folder or that this system
            cannot store.
    """

    def __init__(
        self,
        artifact: str,
        missing: Sequence[str],
        changed: Sequence[str],
        unexpected: Sequence[str],
        unstorable: Mapping[str, str] | None = None,
    ) -> None:
        self.missing = tuple(missing)
        self.changed = tuple(changed)
        self.unexpected = tuple(unexpected)
        self.unstorable = dict(unstorable or {})
        found = {
            "missing": self.missing,
            "changed": self.changed,
            "not of the artifact": self.unexpected,
            "not storable here": [f"{name!r} ({reason})" for name, reason in self.unstorable.items()],
        }
        told = "; ".join(f"{what}: {listed(names)}" for what, names in found.items() if names)
        super().__init__(
            f"the folder does not hold artifact {artifact} ({told}): download() fetches what is missing or changed"
        )


class ReferenceUnavailableError(RunqlError):
    """Something that an artifact refers to, and does not hold, cannot be fetched.

    Attributes:
        references: the addresses, by entry name.
    """

    def __init__(self, artifact: str, references: Mapping[str, str], reason: str) -> None:
        self.references = dict(references)
        shown = listed([f"{name} -> {address}" for name, address in self.references.items()])
        super().__init__(f"artifact {artifact} refers to what cannot be fetched: {shown}: {reason}")
