"""What happens to endpoints while nobody asks: they come into service, fail or go, and their logs travel."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial

from sandbox.servers.machine import Machines
from sandbox.servers.records import Record
from sandbox.servers.rounds import Rounds
from sandbox.servers.sagemaker.hosting import Hosting
from sandbox.servers.sagemaker.logs import CloudWatch
from sandbox.servers.scoring import answers

SHIP_SECONDS = 1.0
UNHEALTHY = (
    "The primary container for production variant AllTraffic did not pass the ping health check. "
    "Please check CloudWatch logs for this endpoint."
)
"""The vendor's text, from its documentation of why an endpoint fails."""


class Caretaker(Rounds):
    """One thread that looks after all endpoints."""

    def __init__(self, hosting: Hosting, machines: Machines, logs: CloudWatch) -> None:
        """Look after the endpoints of `hosting`."""
        super().__init__()
        self._endpoints = hosting.records["Endpoint"]
        self._machines = machines
        self._logs = logs
        self._shipped_at: dict[str, float] = {}

    def duties(self) -> Iterable[Callable[[], None]]:
        """See `Rounds`."""
        return [partial(self._look_after, record) for record in self._endpoints.all()]

    def _look_after(self, record: Record) -> None:
        status, name = record["EndpointStatus"], record["EndpointName"]
        if not self._machines.home(record["Machine"]).exists():
            return
        ended = self._machines.status(record["Machine"]).phase == "DONE"
        if status == "Deleting":
            if ended:
                self._machines.clear(record["Machine"], "ml", "site", "tmp", "work")
                self._endpoints.remove(name)
            return
        if status == "Creating":
            self._bring_up(record, ended=ended)
        elif time.monotonic() - self._shipped_at.get(name, 0) > SHIP_SECONDS:
            self._ship(record)

    def _bring_up(self, record: Record, *, ended: bool) -> None:
        name = record["EndpointName"]
        if ended or time.time() - record["CreationTime"] > record["StartSeconds"]:
            # Its last words are there before anybody is told.
            self._ship(record)
            self._say(name, "Failed", FailureReason=UNHEALTHY)
            self._machines.stop(record["Machine"], grace_seconds=0, deliver=False)
        elif answers(record["Port"], "/ping"):
            self._say(name, "InService")

    def _say(self, name: str, status: str, **news: str) -> None:
        current = self._endpoints.get(name)
        if current and current["EndpointStatus"] == "Creating":
            self._endpoints.change(name, EndpointStatus=status, LastModifiedTime=time.time(), **news)

    def _ship(self, record: Record) -> None:
        name = record["EndpointName"]
        self._shipped_at[name] = time.monotonic()
        offset, _ = self._logs.ship(
            self._machines.log(record["Machine"]),
            record["LogOffset"],
            f"/aws/sagemaker/Endpoints/{name}",
            f"AllTraffic/i-{int(record['CreationTime'])}",
            final=record["EndpointStatus"] == "Creating",
        )
        if offset != record["LogOffset"]:
            self._endpoints.change(name, LogOffset=offset)
