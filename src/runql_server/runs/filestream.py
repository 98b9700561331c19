"""The file stream: parses the posts of a logging process, and writes each in one transaction."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from runql_server import timestamps
from runql_server.errors import RequestError
from runql_server.lenient_json import JsonObject, JsonValue
from runql_server.runs import forks, lines, runs
from runql_server.runs.lines import HistoryRow
from runql_server.runs.run_values import storable
from runql_server.runs.runs import RunChange


@dataclass(frozen=True)
class Chunk:
    """Lines of one stream, starting at an offset."""

    offset: int
    strings: list[str]


@dataclass(frozen=True)
class Post:
    """One parsed request; a missing part is ``None``."""

    history: list[HistoryRow] | None = None
    events: Chunk | None = None
    log: Chunk | None = None
    summary: str | None = None
    complete: bool = False
    exitcode: int = 0
    preempting: bool = False


def parse(body: JsonValue) -> Post:
    """Parse a request body; ignores unknown file names, because clients also upload those files."""
    if not isinstance(body, dict):
        raise RequestError("the body must be a JSON object")
    sent = body.get("files")
    chunks = {name: _chunk(name, chunk) for name, chunk in (sent if isinstance(sent, dict) else {}).items()}
    history, summary = chunks.get("wandb-history.jsonl"), chunks.get("wandb-summary.json")
    exitcode = body.get("exitcode")
    return Post(
        history=None if history is None else lines.parse_history(history.strings, history.offset),
        events=chunks.get("wandb-events.jsonl"),
        log=chunks.get("output.log"),
        summary=summary.strings[-1] if summary is not None and summary.strings else None,
        complete=body.get("complete") is True,
        exitcode=_exitcode(exitcode),
        preempting=body.get("preempting") is True,
    )


def apply(connection: sqlite3.Connection, run: int, post: Post) -> JsonObject:
    """Write everything, and return the response body to send after the commit. Needs a write transaction."""
    if post.history:
        offset = forks.stored_offset(connection, run, post.history[0].line)
        lines.write_history(connection, run, lines.renumber(post.history, offset))
    if post.events is not None:
        lines.write_events(connection, run, post.events.strings, post.events.offset)
    if post.log is not None:
        lines.write_lines(connection, "log_lines", run, post.log.strings, post.log.offset)
    if post.summary is not None:
        runs.change(connection, run, RunChange(summary=post.summary))
    _heartbeat(connection, run, post)
    row = connection.execute("SELECT stop_requested FROM runs WHERE id = ?", (run,)).fetchone()
    return {"stopped": True} if row["stop_requested"] else {}


def _heartbeat(connection: sqlite3.Connection, run: int, post: Post) -> None:
    row = connection.execute("SELECT state FROM runs WHERE id = ?", (run,)).fetchone()
    connection.execute(
        "UPDATE runs SET state = ?, exitcode = ?, heartbeat_at = ? WHERE id = ?",
        (
            _state_after(str(row["state"]), post),
            post.exitcode if post.complete else None,
            timestamps.to_string(timestamps.now()),
            run,
        ),
    )


def _state_after(before: str, post: Post) -> str:
    if post.preempting:
        return "preempting"
    if not post.complete:
        # A process that survives its preemption does not report it; any other heartbeat means running.
        return before if before == "preempting" else "running"
    if post.exitcode == 0:
        return "finished"
    return "preempted" if before == "preempting" else "failed"


def _exitcode(sent: JsonValue) -> int:
    if not isinstance(sent, int):
        return 0
    if not -(2**63) <= sent < 2**63:
        raise RequestError(f"exitcode: not a number of 64 bits: {str(sent)[:40]}")
    return sent


def _chunk(name: str, chunk: JsonValue) -> Chunk:
    if not isinstance(chunk, dict):
        raise RequestError(f"files: {name} must be an object with offset and content")
    offset, content = chunk.get("offset", 0), chunk.get("content", [])
    if not isinstance(offset, int) or isinstance(offset, bool):
        raise RequestError(f"files: {name}: offset must be a whole number")
    if not isinstance(content, list):
        raise RequestError(f"files: {name}: content must be a list of texts")
    strings = [text if text.isascii() else storable(text) for text in content if isinstance(text, str)]
    if len(strings) != len(content):
        raise RequestError(f"files: {name}: content must be a list of texts")
    return Chunk(lines.check_offset(offset, len(strings), name), strings)
