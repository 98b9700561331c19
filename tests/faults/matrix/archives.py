"""The calls that export and import a project: what they wrote, read again; a part that is named as missing is an error."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from tests.archive.reading import plain, read_project
from tests.contract.every_call import Subjects
from tests.contract.untyped import Untyped

from runql import Api, Archive, ArchiveError
from runql.archive.tables import read_rows

MADE_ELSEWHERE = ("exported_at", "source")


def exported(on: Subjects) -> Untyped:
    """Export the project, and return what the archive holds."""
    folder = on.folder / "archive"
    archive: Archive = on.take(on.project.export(folder, files=True, artifacts=True, progress=False))
    archive.verify()
    if archive.problems:
        raise ArchiveError("; ".join(archive.problems))
    found = contents(folder)
    shutil.rmtree(folder)
    return found


def imported(on: Subjects) -> Untyped:
    """Import an archive into a new project, and return what the server has then."""
    direct: Untyped = on
    folder = on.folder / "archive"
    shutil.copytree(direct.archive, folder)
    entity = on.home.partition("/")[0]
    path = f"{entity}/imported"
    report = on.take(on.api.import_project(folder, path, progress=False))
    if report.left_out:
        raise ArchiveError("; ".join(report.left_out))
    shutil.rmtree(folder)
    with Api(api_key=direct.server_key, base_url=direct.server_url) as api:
        return {"counts": report.counts, "notes": report.notes, "project": read_project(api, path)}


def contents(folder: Path) -> dict[str, object]:
    """What the files of an archive hold, by their names: the rows of tables, digests of all others."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".parquet":
            found[name] = [[owner, plain(row)] for owner, row in read_rows(path)]
        elif name == "manifest.json":
            manifest = json.loads(path.read_bytes())
            found[name] = {
                key: sorted(value) if key == "files" else value
                for key, value in manifest.items()
                if key not in MADE_ELSEWHERE
            }
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found
