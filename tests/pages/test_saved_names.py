"""Files of artifacts by the URL that the client states: saved under their names, shown where that is safe, never run."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import Message
from urllib.parse import unquote

import httpx
import pytest
from tests.pages.hostile import FILE_NAMES, HTML

from runql import Api
from runql.resources.artifacts.files import ArtifactFile
from runql_server.running import RunningServer
from runql_server.seed import SeedRun
from runql_server.seed_artifacts import SeedArtifact

BYTES = b"\x00\x01same"
NAMES = tuple(name for name in FILE_NAMES if ".." not in name)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with RunningServer(tmp_path_factory.mktemp("names") / "data") as server:
        server.seed("shelf", [SeedRun(name="a")])
        same = {f"{folder}/{name}": BYTES for folder in "ab" for name in ("model.bin", "weights.pt")}
        kinds = {"page.html": HTML, "run.js": b"top.broken=1", "notes.txt": b"plain", "p.png": b"\x89PNG"}
        server.seed_artifacts(
            "shelf",
            [
                SeedArtifact(name="same", files=same),
                SeedArtifact(name="kinds", files=kinds),
                SeedArtifact(name="hostile", files={name: name.encode() for name in NAMES}),
            ],
        )
        yield server


@pytest.fixture(scope="module")
def reader(server: RunningServer) -> Iterator[httpx.Client]:
    """Read as a browser that is signed in."""
    headers = {"Accept": "text/html"}
    with httpx.Client(base_url=server.url, headers=headers, trust_env=False, follow_redirects=True) as client:
        client.get(server.page_link("/"))
        yield client


def files_of(server: RunningServer, artifact: str) -> dict[str, ArtifactFile]:
    with Api(base_url=server.url, api_key=server.api_key) as api:
        return {file.name: file for file in api.artifact(f"local/shelf/{artifact}:v0").files()}


def disposition(response: httpx.Response) -> tuple[str, str]:
    """Return whether a browser shows or saves the file, and under which name."""
    header = response.headers["content-disposition"]
    message = Message()
    message["Content-Disposition"] = header
    extended = header.partition("filename*=utf-8''")[2]
    return message.get_content_disposition() or "", unquote(extended) or message.get_filename() or ""


def test_each_of_equal_files_has_its_own_name(server: RunningServer, reader: httpx.Client) -> None:
    found = files_of(server, "same")
    assert len(found) == 4
    for name, file in found.items():
        response = reader.get(file.url or "")
        assert (response.status_code, response.content) == (200, BYTES)
        assert disposition(response)[1] == name.partition("/")[2]


def test_what_may_be_shown_is_shown_and_nothing_runs(server: RunningServer, reader: httpx.Client) -> None:
    found = files_of(server, "kinds")
    shown = {name: reader.get(file.url or "") for name, file in found.items()}
    assert {name: disposition(response) for name, response in shown.items()} == {
        "notes.txt": ("inline", "notes.txt"),
        "p.png": ("inline", "p.png"),
        "page.html": ("inline", "page.html"),
        "run.js": ("attachment", "run.js"),
    }
    for name, response in shown.items():
        assert response.headers["content-security-policy"].startswith("sandbox; default-src 'none'"), name
        assert response.headers["x-content-type-options"] == "nosniff", name
        refused = reader.get(found[name].url or "", headers={"Sec-Fetch-Dest": "script"})
        assert refused.status_code == 403, name


def test_hostile_names_stay_in_their_header(server: RunningServer, reader: httpx.Client) -> None:
    found = files_of(server, "hostile")
    assert set(found) == set(NAMES)
    for name, file in found.items():
        response = reader.get(file.url or "")
        assert (response.status_code, response.content) == (200, name.encode()), name
        assert "set-cookie" not in response.headers, name
        assert disposition(response)[1] == name.rpartition("/")[2], name


def test_a_name_that_no_file_has_names_nothing(server: RunningServer, reader: httpx.Client) -> None:
    file = files_of(server, "same")["b/weights.pt"]
    for name in ("other.html", "%", "_", "%00", "x" * 5000, "eights.pt", "../../etc/passwd"):
        address = httpx.URL(file.direct_url or "").copy_add_param("name", name)
        response = reader.get(address)
        assert (response.status_code, disposition(response)[1]) == (200, "model.bin"), name
    with_name = httpx.URL(file.direct_url or "").copy_add_param("name", "b/weights.pt")
    assert disposition(reader.get(with_name))[1] == "weights.pt"
