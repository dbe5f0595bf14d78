"""What interrupted copies cost, in numbers: for the end of the test run, and for the record."""

from collections.abc import Iterator
from typing import Any

from contracts.units import MIB
from tests.e2e.interrupted import IN_FLIGHT, PATIENCE_SECONDS, Killed, Paused

KILLED: list[Killed] = []
PAUSED: list[Paused] = []


def document() -> dict[str, Any]:
    """One entry for each copy."""
    found: dict[str, Any] = {}
    if KILLED:
        found["copy_kills"] = {
            one.cloud: {
                "size_mib": one.size_bytes // MIB,
                "kills": one.kills,
                "beyond_the_object_mib": round(one.bytes_over / MIB, 1),
                "allowed_mib": one.kills * IN_FLIGHT // MIB,
                "seconds": round(one.seconds, 1),
            }
            for one in KILLED
        }
    if PAUSED:
        found["copy_pauses"] = {
            one.cloud: {
                "size_mib": one.size_bytes // MIB,
                "drain_seconds": round(one.drain_seconds, 1),
                "allowed_seconds": PATIENCE_SECONDS,
                "beyond_the_object_mib": round(one.bytes_over / MIB, 1),
            }
            for one in PAUSED
        }
    return found


def lines() -> Iterator[str]:
    """The table a person reads."""
    for group, rows in document().items():
        for cloud, row in rows.items():
            yield f"{group:12} {cloud:8} " + ", ".join(f"{name} {value}" for name, value in row.items())
