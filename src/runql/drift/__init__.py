"""Check whether GraphQL operations still work on a server: by a schema file, by introspection or by probing."""

from importlib.util import find_spec

from runql.errors import MissingExtraError

if find_spec("graphql") is None:
    raise MissingExtraError("graphql-core", extra="drift", needed_for="runql.drift")

from runql.drift.approvals import Approval, approve, read_approvals
from runql.drift.check import check_server, compare
from runql.drift.findings import Finding, Report, Unchecked, Use
from runql.drift.operations.documents import CheckedOperation, own_operations, user_operations
from runql.drift.probe.probe import probe
from runql.drift.reports.rendering import Format, render
from runql.drift.responses.live import read_live_answers
from runql.drift.responses.recordings import read_recordings
from runql.drift.responses.strict import Exchange, read_strictly
from runql.drift.schema.sources import introspect, known_schema, load_schema
from runql.drift.schema.update import Update, update_of, write_update

__all__ = [
    "Approval",
    "CheckedOperation",
    "Exchange",
    "Finding",
    "Format",
    "Report",
    "Unchecked",
    "Update",
    "Use",
    "approve",
    "check_server",
    "compare",
    "introspect",
    "known_schema",
    "load_schema",
    "own_operations",
    "probe",
    "read_approvals",
    "read_live_answers",
    "read_recordings",
    "read_strictly",
    "render",
    "update_of",
    "user_operations",
    "write_update",
]
