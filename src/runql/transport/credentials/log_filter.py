"""A filter on the loggers of the HTTP libraries, which log what servers send: a server may repeat the API key."""

from __future__ import annotations

import logging
from typing import Final, Protocol
from weakref import WeakSet

# A filter works for its own logger, and not for the loggers below it.
_OF_THE_CLIENTS: Final = ("httpx", "httpx2")
_OF_THE_POOLS: Final = ("connection", "http11", "http2", "proxy", "socks")
LOGGERS: Final = (
    *_OF_THE_CLIENTS,
    *(f"{pool}.{part}" for pool in ("httpcore", "httpcore2") for part in _OF_THE_POOLS),
)


class Redactor(Protocol):
    """An object that knows an API key."""

    def redact(self, string: str) -> str:
        """Return a string without the key."""
        ...


class KeyFilter(logging.Filter):
    """Blank the API keys of this process's clients in each record; drop none."""

    def __init__(self) -> None:
        super().__init__()
        self.redactors: WeakSet[Redactor] = WeakSet()

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record's message where it holds a key."""
        message = shown = record.getMessage()
        for redactor in list(self.redactors):
            shown = redactor.redact(shown)
        if shown != message:
            record.msg, record.args = shown, None
        return True


KEY_FILTER: Final = KeyFilter()


def hide_in_logs(redactor: Redactor) -> None:
    """Keep a client's key out of the logs of the HTTP libraries, as long as the client lives."""
    KEY_FILTER.redactors.add(redactor)
    for name in LOGGERS:
        logging.getLogger(name).addFilter(KEY_FILTER)
