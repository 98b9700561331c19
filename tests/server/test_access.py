"""Access: API keys, signed URLs, and file names that stay inside the data directory."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from runql_server.access.signing import BadSignatureError, Signer
from runql_server.errors import RequestError
from runql_server.names import check_file_name
from runql_server.running import RunningServer
from runql_server.seed import SeedRun

Query = Callable[..., dict[str, Any]]

CREATE = 'mutation($files: [String!]!) { createRunFiles(input: {entityName: "local", projectName: "p", runName: "r", files: $files}) { runID uploadHeaders files { name uploadUrl } } }'
FILES = 'query($names: [String], $pattern: String, $after: String, $first: Int) { project(name: "p") { run(name: "r") { fileCount files(names: $names, pattern: $pattern, after: $after, first: $first) { totalCount edges { node { id name url directUrl md5 sizeBytes mimetype updatedAt } } pageInfo { endCursor hasNextPage } } } } }'


@pytest.mark.parametrize("path", ["/graphql", "/files/local/p/r/file_stream"])
@pytest.mark.parametrize(
    "header", [None, "Basic", "Basic %%%", "Bearer", "Bearer wrong", "Basic YXBpOndyb25n", "Basic eDp4"]
)
def test_no_or_wrong_key_is_401(server: RunningServer, path: str, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    answer = httpx.post(
        server.url + path, json={"query": "{ viewer { id } }"}, headers=headers, trust_env=False
    )
    assert answer.status_code == 401
    assert "API key" in answer.json()["error"]


def test_basic_and_bearer_both_work(server: RunningServer) -> None:
    token = base64.b64encode(f"api:{server.api_key}".encode()).decode()
    for header in (f"Basic {token}", f"Bearer {server.api_key}", f"bearer {server.api_key}"):
        answer = httpx.post(
            f"{server.url}/graphql",
            json={"query": "{ viewer { username entity } }"},
            headers={"Authorization": header},
            trust_env=False,
        )
        assert answer.json() == {"data": {"viewer": {"username": "local", "entity": "local"}}}


def test_only_a_hash_of_the_key_is_kept(server: RunningServer) -> None:
    with server.store.connection() as connection:
        dump = "\n".join(connection.iterdump())
    assert hashlib.sha256(server.api_key.encode()).hexdigest() in dump
    assert server.api_key not in dump


def upload(query: Query, name: str, content: bytes) -> str:
    made = query(CREATE, files=[name])["data"]["createRunFiles"]
    assert (bool(made["runID"]), made["uploadHeaders"], made["files"][0]["name"]) == (True, [], name)
    url: str = made["files"][0]["uploadUrl"]
    assert httpx.put(url, content=content, trust_env=False).status_code == 200
    return url


def listed(query: Query, **variables: object) -> list[dict[str, Any]]:
    connection = query(FILES, **variables)["data"]["project"]["run"]["files"]
    return [edge["node"] for edge in connection["edges"]]


@pytest.mark.parametrize("name", ["a.txt", "media/images/é ü %20?#.png", "x" * 200 + ".bin", "empty"])
def test_a_file_goes_in_and_comes_out(
    server: RunningServer, http: httpx.Client, query: Query, name: str
) -> None:
    server.seed("p", [SeedRun(name="r")])
    content = b"" if name == "empty" else bytes(range(256)) * 3
    upload(query, name, content)
    (file,) = listed(query)
    assert (file["name"], file["sizeBytes"]) == (name, len(content))
    assert file["md5"] == base64.b64encode(hashlib.md5(content).digest()).decode()
    assert file["updatedAt"] is not None
    direct = httpx.get(file["directUrl"], trust_env=False)
    assert (direct.status_code, direct.content) == (200, content)
    assert httpx.get(file["url"], trust_env=False).status_code == 401
    assert http.get(file["url"]).content == content
    if content:
        part = httpx.get(file["directUrl"], headers={"Range": "bytes=10-19"}, trust_env=False)
        assert (part.status_code, part.content) == (206, content[10:20])
        assert part.headers["etag"] == f'"{file["md5"]}"'


def test_a_second_upload_replaces_the_first_and_leaves_no_bytes_behind(
    server: RunningServer, query: Query
) -> None:
    server.seed("p", [SeedRun(name="r")])
    upload(query, "a", b"one")
    upload(query, "a", b"two!")
    (file,) = listed(query)
    assert httpx.get(file["directUrl"], trust_env=False).content == b"two!"
    assert blobs(server) == 1
    assert query("mutation($f: [ID!]!) { deleteFiles(input: {files: $f}) { success } }", f=[file["id"]])[
        "data"
    ]
    assert (listed(query), blobs(server)) == ([], 0)
    upload(query, "b", b"three")
    opaque = query('{ project(name: "p") { run(name: "r") { id } } }')["data"]["project"]["run"]["id"]
    query("mutation($id: ID!) { deleteRun(input: {id: $id}) { clientMutationId } }", id=opaque)
    assert blobs(server) == 0


def blobs(server: RunningServer) -> int:
    return sum(path.is_file() for path in (server.data_dir / "blobs").rglob("*"))


def test_listing_by_names_pattern_and_page(server: RunningServer, query: Query) -> None:
    server.seed("p", [SeedRun(name="r")])
    for name in ("b.txt", "a.txt", "c.png"):
        upload(query, name, b"x")
    assert [file["name"] for file in listed(query)] == ["a.txt", "b.txt", "c.png"]
    assert [file["name"] for file in listed(query, pattern="%.txt")] == ["a.txt", "b.txt"]
    asked = listed(query, names=["c.png", "absent"])
    assert [(file["name"], file["updatedAt"] is None, file["sizeBytes"]) for file in asked] == [
        ("c.png", False, 1),
        ("absent", True, 0),
    ]
    first = query(FILES, first=2)["data"]["project"]["run"]
    assert (first["fileCount"], first["files"]["totalCount"]) == (3, 3)
    assert first["files"]["pageInfo"]["hasNextPage"] is True
    rest = listed(query, after=first["files"]["pageInfo"]["endCursor"])
    assert [file["name"] for file in rest] == ["c.png"]


def test_a_changed_signed_url_is_refused(server: RunningServer, query: Query) -> None:
    server.seed("p", [SeedRun(name="r"), SeedRun(name="other")])
    put = upload(query, "a", b"one")
    get = listed(query)[0]["directUrl"]
    swapped = [
        put.replace("/a?", "/b?"),
        put.replace("/storage/1/", "/storage/2/"),
        put.replace("expires=", "expires=9"),
        put[:-1] + ("0" if put[-1] != "0" else "1"),
        put.split("?")[0],
        get,
    ]
    for url in swapped:
        assert httpx.put(url, content=b"bad", trust_env=False).status_code == 403
    assert httpx.get(put, trust_env=False).status_code == 403
    assert httpx.get(get, trust_env=False).content == b"one"


def test_a_signed_url_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    signer = Signer(b"secret")
    query = dict(
        part.split("=")
        for part in urlsplit(signer.url("http://h/", "GET", "/storage/1/a", lifetime=60)).query.split("&")
    )
    signer.check("GET", "/storage/1/a", **query)
    with pytest.raises(BadSignatureError, match="signature"):
        Signer(b"other").check("GET", "/storage/1/a", **query)
    late = int(query["expires"]) + 1
    monkeypatch.setattr("runql_server.access.signing.time.time", lambda: late)
    with pytest.raises(BadSignatureError, match="expired"):
        signer.check("GET", "/storage/1/a", **query)


ESCAPES = [
    "",
    "/etc/passwd",
    "..",
    "../x",
    "a/../../x",
    "a\\..\\x",
    "\\x",
    "C:x",
    "c:\\x",
    "a\0b",
    "./x",
    "a/./b",
    "x" * 1025,
]


@pytest.mark.parametrize("name", ESCAPES)
def test_names_that_would_leave_a_folder_are_refused(name: str) -> None:
    with pytest.raises(RequestError, match="file name"):
        check_file_name(name)


@pytest.mark.parametrize("name", [name for name in ESCAPES if name])
def test_such_names_get_no_upload_url(server: RunningServer, query: Query, name: str) -> None:
    server.seed("p", [SeedRun(name="r")])
    body = query(CREATE, files=[name])
    assert "invalid file name" in body["errors"][0]["message"]
    assert body["data"]["createRunFiles"] is None


def test_stored_bytes_never_carry_the_clients_name(
    server: RunningServer, query: Query, tmp_path: Path
) -> None:
    server.seed("p", [SeedRun(name="r")])
    upload(query, "deep/secret-name.txt", b"x")
    assert not [path for path in tmp_path.rglob("*") if "secret-name" in path.name]
