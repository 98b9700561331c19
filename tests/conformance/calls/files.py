"""Calls of a run's files: listed, fetched, put and deleted."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from tests.conformance.calls.call import Calls, Thing
from tests.conformance.calls.subjects import each, every_run, run, target

FILES = Calls()
OURS = "notes/deep/a.txt"


def _of(found: Thing) -> Mapping[str, Thing]:
    return {file.name: file for file in found.files()}


def _one(found: Thing) -> Mapping[str, Thing]:
    return {OURS: found.file(OURS)}


rich_files = each(_of, run("rich"))
one_file = each(_one, run("rich"))
FILES.attributes(
    "File",
    ("id", "name", "size", "size_bytes", "md5", "mimetype", "updated_at", "url", "direct_url"),
    on=rich_files,
)


@FILES.of("Run.files", on=every_run)
def files(found: Thing) -> object:
    """names, two a page."""
    return [file.name for file in found.files(per_page=2)]


@FILES.of("Run.files", on=run("rich"))
def files_by_name(found: Thing) -> object:
    """by names that are there."""
    return sorted(file.name for file in found.files(["config.yaml", OURS]))


@FILES.of("Run.files", on=run("rich"))
def files_by_pattern(found: Thing) -> object:
    """by pattern."""
    patterns = ("%.txt", "notes/%", "%✓%", "media/dot.pn_", "nothing")
    return [[file.name for file in found.files(pattern=pattern)] for pattern in patterns]


@FILES.of("Run.files", on=run("rich"))
def files_that_are_missing(found: Thing) -> object:
    """by a name that is missing."""
    return [file.name for file in found.files(["no-such-file"])]


@FILES.of("Run.files", on=run("rich"))
def files_by_name_and_pattern(found: Thing) -> object:
    """by names and pattern at once."""
    return [file.name for file in found.files(names=["config.yaml"], pattern="%")]


@FILES.of("Files.length", "Files.__getitem__", on=run("rich"))
def files_counted(found: Thing) -> object:
    """`len()`, the third, and a slice."""
    listed = found.files(per_page=4)
    return [len(listed), listed[2].name, [file.name for file in listed[1:3]]]


@FILES.of("Files.length", on=run("rich"))
def files_counted_by_pattern(found: Thing) -> object:
    """`len()` of those that fit a pattern."""
    return len(found.files(pattern="%.txt"))


@FILES.of("Run.file", on=run("rich"))
def file(found: Thing) -> object:
    """name, size, MD5."""
    names = (OURS, "notes/größe ✓.txt", "top 1%.txt", "media/dot.png")
    return [[each.name, each.size, each.md5] for each in map(found.file, names)]


@FILES.of("Run.file", on=run("rich"))
def file_that_is_missing(found: Thing) -> object:
    """a name that is missing."""
    return found.file("no-such-file").size


@FILES.of("File.download", on=rich_files)
def download(found: Thing) -> object:
    """bytes, and where they are."""
    with tempfile.TemporaryDirectory() as folder, closing(found.download(folder)) as opened:
        there = [path.relative_to(folder) for path in sorted(Path(folder).rglob("*")) if path.is_file()]
        return [opened.buffer.read(), Path(opened.name).relative_to(folder), there]


@FILES.of("File.download", on=one_file)
def download_over_another(found: Thing) -> object:
    """a file that is there: refused, kept, replaced."""
    texts: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, OURS)
        place.parent.mkdir(parents=True)
        place.write_text("old")
        try:
            found.download(folder)
        except Exception:  # noqa: BLE001 - that it is refused, whatever the error, is the answer
            texts.append("refused")
        for how in ({"exist_ok": True}, {"replace": True}):
            with closing(found.download(folder, **how)) as opened:
                texts.append(opened.read())
    return texts


@FILES.of("Run.upload_file", on=target("upload_file"), changes="files")
def upload_file(found: Thing) -> object:
    """a file in a folder, seen from its root."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "d").mkdir()
        Path(folder, "d/größe ✓.txt").write_text("grün", encoding="utf-8")
        put = found.upload_file(f"{folder}/d/größe ✓.txt", folder)
        return [put.name, put.size, put.md5]


@FILES.of("Run.upload_file", on=target("upload_file_again"), changes="files")
def upload_file_again(found: Thing) -> object:
    """a file in place of another one."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "again.txt")
        path.write_text("one")
        found.upload_file(str(path), folder)
        path.write_text("two, longer")
        put = found.upload_file(str(path), folder)
        return [put.name, put.size, put.md5]


@FILES.of("Run.upload_file", on=target("upload_file_outside"), changes="files")
def upload_file_outside(found: Thing) -> object:
    """a file outside of the root: what its name becomes."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "inner").mkdir()
        Path(folder, "outside.txt").write_text("text")
        return found.upload_file(f"{folder}/outside.txt", f"{folder}/inner").size


@FILES.of("Run.upload_file", on=target("upload_file_missing"), changes="files")
def upload_file_missing(found: Thing) -> object:
    """a file that is missing."""
    return found.upload_file("/no/such/file.txt", "/no").name


@FILES.of("File.delete", on=target("delete_file"), changes="files")
def delete_file(found: Thing) -> object:
    """one of the run's files."""
    return found.file("config.yaml").delete()
