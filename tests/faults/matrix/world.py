"""One server with everything that the calls read, fronts before it, and the values that calls return without a fault."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sqlite3
import ssl
import tempfile
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import trustme
from anyio.from_thread import BlockingPortal, start_blocking_portal
from tests.contract.both_clients import Face, FaceName
from tests.contract.every_call import FILE, Subjects, furnish
from tests.contract.untyped import Untyped, listed, taken
from tests.faults.matrix.calls import TABLE, TABLE_DOCUMENT, TABLE_FILE, Called
from tests.faults.matrix.faults import Address, Fault
from tests.faults.matrix.front import Front, Plan, Received
from tests.faults.matrix.plain import Json, plain

from runql import Api, AsyncApi, RetryPolicy
from runql_server.exports.policy import ExportPolicy
from runql_server.running import RunningServer
from runql_server.seed import SeedRun
from runql_server.seed_artifacts import SeedArtifact

PROJECT: Final = "matrix"
EXPORTS: Final = "exports"
KEY: Final = "marked" + "5ec2e7" * 5 + "beef"
"""A key that no other string contains."""
NAMED: Final = "runql-front.invalid"
"""The host name of the front with TLS; `_Names` resolves it."""

POLICY: Final = RetryPolicy(max_attempts=4, first_delay=0.002, max_delay=0.02)
BRIEF: Final = 0.4
"""Seconds of silence that the client accepts where a fault is silent."""
SOON: Final = 1.0
"""The deadline of a call that nothing else ends."""
LATE: Final = 60.0
"""The deadline of all other calls, which end long before."""

_NEVER: Final = timedelta(days=365)
_LONG: Final = [{"loss": 1.0 / (step + 1), "acc": step} for step in range(90)]
_OTHER_ADDRESSES: Final[dict[Address, str]] = {
    "refused": "127.0.0.2",
    "untrusted": "127.0.0.3",
    "other name": "127.0.0.4",
    "no tls": "127.0.0.5",
}


class LazySubjects(Subjects):
    """As `Subjects`, and each object is read when it is first used.

    Attributes:
        made: names of the objects that were read.
        archive: an archive of the project.
        server_url: the server's URL, without a front.
        server_key: its API key.
    """

    made: list[str]
    archive: Path
    server_url: str
    server_key: str

    def __post_init__(self) -> None:
        self.made = []
        self.upload = self.folder / "up.txt"
        self.upload.write_text("up")

    @property
    def _entity(self) -> str:
        return self.home.partition("/")[0]

    def __getattr__(self, name: str) -> Untyped:
        readers: dict[str, Callable[[], Untyped]] = {
            "run": lambda: self.take(self.api.run(f"{self.home}/one")),
            "light_run": lambda: listed(
                self.face, self.take(self.api.runs(self.home, lazy=True, per_page=1))
            )[0],
            "project": lambda: self.take(self.api.project(self.home)),
            "sweep": lambda: self.take(self.api.sweep(f"{self.home}/{self.sweep_id}")),
            "file": lambda: self.take(self.run.file(FILE)),
            "artifact": lambda: self.take(self.api.artifact(f"{self.home}/rows:v1")),
            "tables": lambda: self.take(self.api.artifact(f"{self.home}/tables:v0")),
            "kind": lambda: self.take(self.api.artifact_type("dataset", self.home)),
            "collection": lambda: self.take(self.api.artifact_collection("dataset", f"{self.home}/rows")),
            "entry": lambda: self.take(self.artifact.get_entry("a.csv")),
            "artifact_file": lambda: self.all(self.artifact.files())[0],
            "exported": lambda: self.take(self.api.run(f"{self._entity}/{EXPORTS}/long")),
            "live": lambda: self.take(self.api.run(f"{self._entity}/{EXPORTS}/live")),
        }
        if name not in readers:
            raise AttributeError(name)
        value = readers[name]()
        setattr(self, name, value)
        self.made.append(name)
        return value


class _Names:
    """Resolves the name of the front with TLS, or does something else for a while."""

    def __init__(self) -> None:
        self.address: Address = ""
        self.times: int | None = 0
        self.hits = 0
        self.usual = socket.getaddrinfo
        self._guard = threading.Lock()

    def misbehave(self, address: Address, times: int | None) -> None:
        """Resolve the name wrongly, so many times."""
        self.address, self.times, self.hits = address, times, 0

    def __call__(
        self, host: object, port: object, *more: Any, **options: Any
    ) -> Any:  # Any: as the function it replaces
        if host not in {NAMED, NAMED.encode()}:
            return self.usual(host, port, *more, **options)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - passed on as they are
        with self._guard:
            is_wrong = bool(self.address) and (self.times is None or self.hits < self.times)
            self.hits += is_wrong
        if is_wrong and self.address == "no address":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        real = _OTHER_ADDRESSES[self.address] if is_wrong else "127.0.0.1"
        return self.usual(real, port, *more, **options)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - passed on as they are


@dataclass
class Baseline:
    """What a call does without a fault.

    Attributes:
        value: what it returns, as JSON.
        requests: how many requests it sends.
        objects: the subjects that it uses.
        files: what it leaves in its folder.
    """

    value: Json
    requests: int
    objects: tuple[str, ...]
    files: Json


@dataclass
class World:
    """The server, the fronts before it, and both clients.

    Attributes:
        server: the embedded server.
        front: a front that speaks HTTP.
        secure: a front that speaks TLS, reached by a name.
        elsewhere: a front on another host, for redirects.
        home: path of the project.
        sweep: id of its sweep.
        archive: folder with the project's archive.
    """

    server: RunningServer
    front: Front
    secure: Front
    elsewhere: Front
    portal: BlockingPortal
    names: _Names
    home: str
    sweep: str
    archive: Path
    scratch: Path
    _saved: sqlite3.Connection
    _blobs: Path
    _baselines: dict[tuple[str, FaceName], Baseline] = field(
        default_factory=dict[tuple[str, FaceName], Baseline]
    )

    def front_of(self, fault: Fault | None) -> Front:
        """Return the front that a fault needs."""
        return self.secure if fault is not None and fault.address else self.front

    @contextlib.contextmanager
    def subjects(self, face_name: FaceName, fault: Fault | None = None) -> Generator[LazySubjects]:
        """Make a client, in a folder of its own."""
        folder = Path(tempfile.mkdtemp(dir=self.scratch))
        before = Path.cwd()
        os.chdir(folder)
        face = Face(face_name, self.portal)
        front = self.front_of(fault)
        url = f"https://{NAMED}:{front.port}" if fault is not None and fault.address else front.url
        make = Api if face_name == "sync" else AsyncApi
        whole: Untyped = make(api_key=KEY, base_url=url)
        try:
            timeout = BRIEF if fault is not None and fault.silent else LATE
            api = whole.with_options(timeout=timeout, retries=POLICY, deadline=deadline_of(fault))
            # The host has responded before: an address that seems wrong would be given up sooner.
            taken(face, api.users("nobody"))
            on = LazySubjects(face, api, self.home, self.sweep, folder)
            on.archive, on.server_url, on.server_key = self.archive, self.server.url, KEY
            yield on
        finally:
            taken(face, whole.close())
            os.chdir(before)
            shutil.rmtree(folder, ignore_errors=True)

    def baseline(self, called: Called, face_name: FaceName) -> Baseline:
        """Return what a call does without a fault."""
        found = self._baselines.get((called.name, face_name))
        if found is None:
            found = self._measure(called, face_name)
            self._baselines[called.name, face_name] = found
        return found

    def _measure(self, called: Called, face_name: FaceName) -> Baseline:
        with self.subjects(face_name) as on:
            plain(called.make(on))
            objects = tuple(on.made)
        self.restore(called)
        with self.subjects(face_name) as on:
            for name in objects:
                getattr(on, name)
            plan = Plan()
            self.front.begin(plan)
            value = called.make(on)
            requests = len(plan.seen)
            done = Baseline(plain(value, times=not called.writes), requests, objects, plain(on.folder))
        self.restore(called)
        return done

    def restore(self, called: Called) -> None:
        """Undo what a call has written."""
        if not called.writes:
            return
        with contextlib.closing(
            sqlite3.connect(self.server.data_dir / "runql.sqlite3", timeout=60)
        ) as target:
            target.execute("PRAGMA synchronous = OFF")
            self._saved.backup(target)
        shutil.copytree(self._blobs, self.server.store.blobs, dirs_exist_ok=True)

    def requests_elsewhere(self) -> list[Received]:
        """Return what reached the other host since the last time."""
        plan = Plan()
        old = self.elsewhere.plan
        self.elsewhere.begin(plan)
        return [each.received for each in old.seen]


def deadline_of(fault: Fault | None) -> float:
    """Return the seconds that a call with this fault may take."""
    is_cut = fault is not None and fault.silent and (fault.bounded or fault.when == "for ever")
    return SOON if is_cut else LATE


@contextlib.contextmanager
def opened() -> Generator[World]:
    """Start everything."""
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="matrix-")))
        environment = _environment(scratch)
        stack.enter_context(environment)
        policy = ExportPolicy(above_rows=60, rows_per_file=40)
        server = stack.enter_context(
            RunningServer(scratch / "server", api_key=KEY, export_policy=policy, crash_after=_NEVER)
        )
        portal = stack.enter_context(start_blocking_portal())
        sweep = _furnish(server, scratch)
        authority = trustme.CA()
        trusted = scratch / "authority.pem"
        authority.cert_pem.write_to_path(str(trusted))
        os.environ["SSL_CERT_FILE"] = str(trusted)
        front = stack.enter_context(Front(server.url))
        secure = stack.enter_context(Front(server.url, tls=_tls(authority, NAMED)))
        for address, tls in {
            "127.0.0.3": _tls(trustme.CA(), NAMED),
            "127.0.0.4": _tls(authority, "elsewhere.invalid"),
            "127.0.0.5": None,
        }.items():
            stack.enter_context(Front(server.url, address, secure.port, tls))
        elsewhere = stack.enter_context(Front(server.url, "127.0.0.9"))
        front.elsewhere = secure.elsewhere = elsewhere.url
        names = _Names()
        socket.getaddrinfo = names
        stack.callback(setattr, socket, "getaddrinfo", names.usual)
        saved = sqlite3.connect(":memory:", check_same_thread=False)
        stack.callback(saved.close)
        with contextlib.closing(sqlite3.connect(server.data_dir / "runql.sqlite3")) as source:
            source.backup(saved)
        blobs = scratch / "blobs"
        shutil.copytree(server.store.blobs, blobs)
        world = World(
            server,
            front,
            secure,
            elsewhere,
            portal,
            names,
            f"{server.entity}/{PROJECT}",
            sweep,
            _archived(server, scratch),
            scratch,
            saved,
            blobs,
        )
        front.kept = _kept(world)
        yield world


def _furnish(server: RunningServer, scratch: Path) -> str:
    sweep = furnish(server, PROJECT)
    server.seed(EXPORTS, [SeedRun(name="long", history=_LONG), SeedRun(name="live", state="running")])
    server.seed_artifacts(
        PROJECT, [SeedArtifact(name="tables", type="tables", files={f"{TABLE}.table.json": TABLE_DOCUMENT})]
    )
    with Api(api_key=KEY, base_url=server.url) as api:
        run = api.run(f"{server.entity}/{PROJECT}/one")
        for name, content in (
            (FILE, b"notes"),
            ("wandb-metadata.json", b'{"os": "Linux"}'),
            (TABLE_FILE, TABLE_DOCUMENT),
        ):
            path = scratch / "given" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            run.upload_file(path, root=scratch / "given")
        run.summary.update({TABLE: {"_type": "table-file", "path": TABLE_FILE, "nrows": 2, "ncols": 1}})
        # The exports are written before the first cell, which then does not wait for them.
        list(api.run(f"{server.entity}/{EXPORTS}/long").scan_history())
    return sweep


def _archived(server: RunningServer, scratch: Path) -> Path:
    with Api(api_key=KEY, base_url=server.url) as api:
        folder = scratch / "archive"
        project = api.project(f"{server.entity}/{PROJECT}")
        return project.export(folder, files=True, artifacts=True, progress=False).folder


def _kept(world: World) -> Any:  # Any: a response of the front
    """Return the response to a request about another run."""
    with Api(api_key=KEY, base_url=world.front.url) as api:
        plan = Plan()
        world.front.begin(plan)
        api.run(f"{world.home}/two")
    kept = world.front.ask(plan.seen[0].received)
    world.front.hang_up()
    return kept


def _tls(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)  # pyright: ignore[reportUnknownMemberType] - its parameter may be of PyOpenSSL
    return context


@contextlib.contextmanager
def _environment(home: Path) -> Generator[None]:
    before = dict(os.environ)
    for name in list(os.environ):
        if name.startswith("WANDB_") or name.lower().endswith("_proxy") or name == "NETRC":
            del os.environ[name]
    os.environ.update(HOME=str(home), WANDB_CONFIG_DIR=str(home))
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
