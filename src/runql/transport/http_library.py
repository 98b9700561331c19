"""The library for HTTP: every other module takes it from here, so that another one can take its place."""

# docs/decisions/0060-one-module-imports-httpx.md says what a switch to httpx2 would take.

from __future__ import annotations

import httpcore
import httpx

__all__ = ["httpcore", "httpx"]
