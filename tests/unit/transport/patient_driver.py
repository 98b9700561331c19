"""Performs flows with retries by a clock that stands still between events: hours pass at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from tests.unit.transport.stepping import served

from runql.errors import RunqlError, TransportError
from runql.transport.deadlines.call import Call
from runql.transport.flow import Download, Effect, Flow, Offload, Send, name_of
from runql.transport.retry import RetryPolicy, send_with_retries
from runql.transport.wire import Failure, Request, Response

T = TypeVar("T")


@dataclass
class PatientDriver:
    """Runs the flows of one call.

    Attributes:
        answer: the server.
        policy: of the client.
        took: seconds that the server takes for a response.
        timeout: seconds that a request takes that gets none.
        now: the clock.
        sent: the operations and paths that were requested, attempt by attempt.
    """

    answer: Callable[[Effect], Response | RunqlError]
    policy: RetryPolicy = field(default_factory=lambda: RetryPolicy(chance=lambda: 0.5))
    took: float = 0.1
    timeout: float = 20.0
    now: float = 0.0
    deadline: float | None = None
    sent: list[str] = field(default_factory=list[str])

    def run(self, flow: Flow[T]) -> T:
        """Perform all effects."""
        call = Call(self.deadline, lambda: self.now, self.policy.new_budget())
        return served(flow, lambda effect: self._perform(effect, call))

    def _perform(self, effect: Effect, call: Call) -> Response | RunqlError | None:
        try:
            call.check(name_of(effect))
            if isinstance(effect, Offload):
                effect.work()
                return None
            assert isinstance(effect, (Send, Download))
            return self._send(effect, call)
        except RunqlError as error:
            return error

    def _send(self, effect: Send | Download, call: Call) -> Response:
        content = b"{}" if isinstance(effect, Send) else None
        fail_fast = isinstance(effect, Send) and effect.fail_fast
        most_attempts = effect.most_attempts if isinstance(effect, Download) else None
        request = Request(
            name_of(effect), "http://api", content, fail_fast=fail_fast, most_attempts=most_attempts
        )
        tries = send_with_retries(request, self.policy, call)
        try:
            step = next(tries)
            while True:
                if isinstance(step, Request):
                    step = tries.send(self._exchange(effect))
                else:
                    self.now += step
                    step = next(tries)
        except StopIteration as stop:
            response: Response = stop.value
            return response

    def _exchange(self, effect: Effect) -> Response | Failure:
        self.sent.append(name_of(effect))
        reply = self.answer(effect)
        if isinstance(reply, Response):
            self.now += self.took
            return Response(reply.status, reply.content, reply.headers, self.took)
        assert isinstance(reply, TransportError)
        self.now += self.timeout
        return Failure(type(reply)(reply.message, operation=reply.operation), self.timeout)
