"""Resolvers of a run's files."""

from __future__ import annotations

from urllib.parse import quote

from ariadne import ObjectType
from graphql import GraphQLResolveInfo

from runql_server import context, cursors, files, runs
from runql_server.context import RequestContext
from runql_server.files import StoredFile
from runql_server.listing import check_first, page_info
from runql_server.runs import Run

run = ObjectType("Run")
file = ObjectType("File")


@run.field("fileCount")
def run_file_count(source: Run, info: GraphQLResolveInfo) -> int:
    """All files, whatever the filter of a listing."""
    return files.count(context.of(info).connection, source.number)


@run.field("files")
def run_files(
    source: Run,
    info: GraphQLResolveInfo,
    names: list[str | None] | None = None,
    after: str | None = None,
    first: int | None = None,
    pattern: str | None = None,
) -> dict[str, object]:
    """Files by name order; asking by names gives one entry each, also for files that do not exist."""
    connection = context.of(info).connection
    asked = [name for name in names or [] if name is not None]
    if asked:
        found = files.named(connection, source.number, asked)
    else:
        found = files.matching(connection, source.number, pattern)
    start = cursors.decode("files", after).key if after else None
    size = check_first(first)
    rest = found if start is None else found[_behind(found, str(start)) :]
    edges = [{"cursor": _cursor(each), "node": each} for each in rest[:size]]
    info_of_page = page_info([_cursor(each) for each in rest[:size]], more=len(rest) > size, after=after)
    return {"edges": edges, "page_info": info_of_page, "total_count": len(found)}


@file.field("url")
def file_url(source: StoredFile, info: GraphQLResolveInfo, upload: bool | None = None) -> str:
    """An address on this host that needs the key, or a signed one to upload to."""
    request = context.of(info)
    if upload:
        return _signed(request, source, upload=True)
    owner = runs.by_number(request.connection, source.run, crash_before=request.crash_before)
    path = f"/files/{owner.entity_name}/{owner.project_name}/{owner.name}/{source.name}"
    return request.base_url.rstrip("/") + quote(path)


@file.field("directUrl")
def file_direct_url(source: StoredFile, info: GraphQLResolveInfo) -> str:
    """A signed address that needs no key."""
    return _signed(context.of(info), source, upload=False)


@file.field("uploadUrl")
def file_upload_url(source: StoredFile, info: GraphQLResolveInfo) -> str:
    """A signed address to PUT the bytes to."""
    return _signed(context.of(info), source, upload=True)


@file.field("uploadHeaders")
def file_upload_headers(_source: StoredFile, _info: GraphQLResolveInfo) -> list[str]:
    """The upload needs none."""
    return []


def _signed(request: RequestContext, source: StoredFile, *, upload: bool) -> str:
    return request.signer.url(request.base_url, "PUT" if upload else "GET", source.storage_path)


def _cursor(source: StoredFile) -> str:
    return cursors.encode("files", cursors.Position(source.name, 0))


def _behind(found: list[StoredFile], name: str) -> int:
    # Behind the named file, or where it would stand if it has been deleted meanwhile.
    exact = [index for index, each in enumerate(found) if each.name == name]
    later = [index for index, each in enumerate(found) if each.name > name]
    return exact[0] + 1 if exact else min(later, default=len(found))


BINDABLES = [run, file]
