"""What reads responses strictly for an application that asks for it."""

from __future__ import annotations

from runql.transport.observation.schema_drift import OnSchemaDrift, ResponseReader


def response_reader(strict: OnSchemaDrift | None, sample: float) -> ResponseReader | None:
    """Return what reads a sample of the responses; None where the caller did not ask for it.

    Raises:
        ValueError, TypeError: an option is not valid.
        MissingExtraError: graphql-core is not installed.
    """
    if strict is None:
        return None
    from runql.drift.responses.sampled import SampledReader  # noqa: PLC0415 - optional: it needs graphql-core

    return SampledReader(strict, sample)
