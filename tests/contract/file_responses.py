"""Responses about files, and the run that requests them."""

from __future__ import annotations

import base64
import hashlib

from tests.contract.both_clients import AnyRun, Face
from tests.contract.scripted_server import ScriptedServer

from runql import JSONValue, RetryPolicy

KEY = "9d" * 20
ATTRS = {"id": "UnVuOjE=", "name": "abc", "projectId": "1", "createdAt": "2026-01-01T00:00:00"}
BODY = bytes(range(256)) * 12288
TWICE = RetryPolicy(max_attempts=2, first_delay=0.001, jitter=0)


def digest(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()


def entry(name: str, url: str, **fields: JSONValue) -> dict[str, JSONValue]:
    known: dict[str, JSONValue] = {
        "sizeBytes": len(BODY),
        "md5": digest(BODY),
        "updatedAt": "2026-01-01T00:00:00",
    }
    return {"id": name, "name": name, "url": url, "directUrl": "", **known, **fields}


def listed(*entries: dict[str, JSONValue]) -> dict[str, object]:
    edges = [{"cursor": "c", "node": each} for each in entries]
    files = {"pageInfo": {"endCursor": None, "hasNextPage": False}, "edges": edges}
    return {"project": {"name": "p", "entityName": "e", "run": {"name": "abc", "files": files}}}


def asked(face: Face, server: ScriptedServer, retry: RetryPolicy = TWICE) -> AnyRun:
    return face.run(face.client(server.url, KEY, retry=retry), "e", "p", "abc", ATTRS)
