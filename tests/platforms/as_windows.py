"""A plugin of pytest, `-p tests.platforms.as_windows`: this process becomes a simulated Windows before runql is imported."""

from __future__ import annotations

from tests.platforms import simulated_windows

simulated_windows.install()
