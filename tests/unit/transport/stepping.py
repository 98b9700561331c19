"""Driving flows by hand: take the effects they yield, send the answers a server would give."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, TypeGuard, TypeVar

import pytest

from runql.errors import RunqlError
from runql.transport.flow import Effect, Flow, Gather, Reply, Send
from runql.transport.wire import Response
from runql_graphql.operation import Operation

T = TypeVar("T")
S = TypeVar("S")
Y = TypeVar("Y")


def about(data: object) -> object:
    """The data of a response, which says what it is about: where it does not, run ``r`` of project ``e/p``."""
    if not _is_object(data) or not _is_object(project := data.get("project")):
        return data
    named: dict[str, object] = {"name": "p", "entityName": "e", **project}
    if _is_object(run := project.get("run")):
        named["run"] = {"name": "r", **run}
    return {**data, "project": named}


def _is_object(value: object) -> TypeGuard[Mapping[str, object]]:
    return isinstance(value, dict)


def answered(data: object, *, status: int = 200, errors: Sequence[object] | None = None) -> Response:
    """A GraphQL answer, without blanks, and with bare NaN and infinities, as servers write it; see `about`."""
    body = {"data": about(data)} | ({} if errors is None else {"errors": list(errors)})
    return Response(status, json.dumps(body, separators=(",", ":")).encode())


def ended(flow: Generator[Y, S, T], reply: S) -> T:
    """Send the last reply and return what the generator returned."""
    with pytest.raises(StopIteration) as stop:
        flow.send(reply)
    result: T = stop.value.value
    return result


def returned(flow: Generator[Y, S, T]) -> T:
    """Start a generator that returns without asking for anything."""
    with pytest.raises(StopIteration) as stop:
        next(flow)
    result: T = stop.value.value
    return result


def played(flow: Flow[T], replies: Sequence[Response | RunqlError]) -> tuple[T, list[Effect]]:
    """Give the replies in turn, throwing those that are errors; return the flow's result and its effects."""
    effects: list[Effect] = []
    left = list(replies)

    def reply(effect: Effect) -> Response | RunqlError:
        effects.append(effect)
        assert left, f"one request more than the test has answers for: {effect}"
        return left.pop(0)

    result = served(flow, reply)
    assert not left, f"{len(left)} answers were not asked for"
    return result, effects


def served(flow: Flow[T], server: Callable[[Effect], Response | RunqlError | None]) -> T:
    """Let a plain function answer every effect; an error it returns is thrown into the flow.

    Flows that may run at once are run one after the other.
    """
    try:
        effect = next(flow)
        while True:
            if isinstance(effect, Gather):
                try:
                    for each in effect.flows:
                        served(each, server)
                except RunqlError as error:
                    effect = flow.throw(error)
                else:
                    effect = flow.send(None)
                continue
            reply: Reply | RunqlError = server(effect)
            effect = flow.throw(reply) if isinstance(reply, RunqlError) else flow.send(reply)
    except StopIteration as stop:
        result: T = stop.value
        return result


def sent(effect: Effect) -> Operation[Any]:  # Any: a test compares name and variables, not the answer's type
    """The operation that an effect sends."""
    assert isinstance(effect, Send)
    return effect.operation
