"""Whether a server's schema still fits what is sent to it: compared, introspected or probed."""

from importlib.util import find_spec

from runql.errors import MissingExtraError

if find_spec("graphql") is None:
    raise MissingExtraError("graphql-core", extra="drift", needed_for="runql.drift")

from runql.drift.answers import Exchange, read_strictly
from runql.drift.approvals import Approval, approve, read_approvals
from runql.drift.checking import check_server, compare
from runql.drift.documents import CheckedOperation, own_operations, user_operations
from runql.drift.findings import Finding, Report, Unchecked, Use
from runql.drift.formats.rendering import Format, render
from runql.drift.live_answers import read_live_answers
from runql.drift.probing import probe
from runql.drift.recordings import read_recordings
from runql.drift.sources import introspect, known_schema, load_schema
from runql.drift.updating import Update, update_of, write_update

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
