"""The memory and processors of the machine that a database runs on."""

import os
import re
from dataclasses import dataclass
from typing import Any

import psycopg

from vectorops.database.connection import database_errors

_GIB = 1024**3

# GiB for each vCPU of an instance family, and the burstable classes, whose memory follows no rule: RDS User
# Guide, "Hardware specifications for DB instance classes".
_GIB_PER_VCPU = {"c": 2, "m": 4, "r": 8, "z": 8, "x2g": 16, "x2idn": 16, "x2iedn": 32, "x2iezn": 32}
_BURSTABLE_GIB = {"micro": 1, "small": 2, "medium": 4, "large": 8, "xlarge": 16, "2xlarge": 32}
_CLASS = re.compile(r"db\.(?P<family>[a-z]\w*)\.(?P<size>\w+)(?:\.\w+)*")


@dataclass(frozen=True)
class Machine:
    """What a server can use.

    Attributes:
        cpus: Processors, or None where they are not known.
        source: Where the figures are from, for people.
    """

    memory_bytes: int
    cpus: int | None
    source: str


def instance_machine(instance_class: str) -> Machine | None:
    """Return the machine of an RDS instance class such as "db.r6g.large", or None where it tells nothing."""
    match = _CLASS.fullmatch(instance_class)
    if not match:
        return None
    family, size = match["family"], match["size"]
    if family.startswith("t"):
        cpus = {"xlarge": 4, "2xlarge": 8}.get(size, 2)
        gib = _BURSTABLE_GIB.get(size)
    else:
        found = _vcpus(size)
        per_vcpu = _GIB_PER_VCPU.get(family) or _GIB_PER_VCPU.get(family[0])
        if found is None or per_vcpu is None:
            return None
        cpus, gib = found, found * per_vcpu
    return Machine(gib * _GIB, cpus, f"instance class {instance_class}") if gib else None


def acu_machine(acus: float) -> Machine:
    """Return what Aurora capacity units give: about 2 GiB each (Aurora User Guide, "Serverless v2")."""
    return Machine(round(acus * 2 * _GIB), None, f"{acus:g} ACU")


def this_machine() -> Machine:
    """Return the machine that this program runs on."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return Machine(memory, os.cpu_count(), "this machine")


def server_machine(connection: psycopg.Connection[Any]) -> Machine:
    """Return what the server's settings let one guess: RDS gives a quarter of the memory to shared_buffers.

    Raises:
        DatabaseError: PostgreSQL refused.
    """
    with database_errors("cannot read the settings of the server"):
        row = connection.execute(
            "SELECT setting::bigint * 8192 FROM pg_settings WHERE name = 'shared_buffers'"
        ).fetchone()
    return Machine(4 * int(row[0] if row else 0), None, "four times the server's shared_buffers")


def _vcpus(size: str) -> int | None:
    if size in ("medium", "large"):
        return 1 if size == "medium" else 2
    match = re.fullmatch(r"(\d*)xlarge", size)
    return 4 * int(match[1] or 1) if match else None
