"""All faults, by title."""

from __future__ import annotations

from typing import Final

from tests.faults.matrix.addresses import address_faults
from tests.faults.matrix.bodies import body_faults
from tests.faults.matrix.connections import connection_faults
from tests.faults.matrix.faults import Fault
from tests.faults.matrix.statuses import status_faults

FAULTS: Final[dict[str, Fault]] = {
    fault.title: fault
    for fault in (*connection_faults(), *status_faults(), *body_faults(), *address_faults())
}
