"""What happens to models and endpoints while nobody asks: uploads end, servers become healthy, fail or go."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from sandbox.layout import Endpoints
from sandbox.servers.machine import Machines, MachineSpec, UnknownMachine
from sandbox.servers.records import Record
from sandbox.servers.rounds import Rounds
from sandbox.servers.scoring import answers, free_port
from sandbox.servers.vertex import serving
from sandbox.servers.vertex.endpoints import EndpointMethods
from sandbox.servers.vertex.models import Models, instant
from sandbox.servers.vertex.operations import Operations, typed

DEFAULT_START_SECONDS = 1800
NEVER_READY = (
    "Model server never became ready. Please validate that your model file or container configuration are valid. "
    "Model server logs can be found at Cloud Logging."
)
"""The vendor's text, from public issue reports."""


class Caretaker(Rounds):
    """One thread that looks after everything that scores."""

    def __init__(
        self,
        methods: EndpointMethods,
        models: Models,
        operations: Operations,
        machines: Machines,
        endpoints: Endpoints,
    ) -> None:
        super().__init__()
        self._methods = methods
        self._models = models
        self._operations = operations
        self._machines = machines
        self._endpoints = endpoints

    def stop(self) -> None:
        """Look no more, and end every server; returns when no process of any is left."""
        super().stop()
        self._machines.stop_all()

    def duties(self) -> Iterable[Callable[[], None]]:
        """See `Rounds`."""
        yield self._models.settle
        yield from [partial(self._look_after, record) for record in self._methods.records.all()]

    def _look_after(self, record: Record) -> None:
        endpoint = record["Endpoint"]
        if record["VisibleAt"] <= time.time() and not record["Settled"]:
            self._operations.end_all(endpoint["name"], "CreateEndpoint", typed("Endpoint", endpoint))
            self._methods.records.change(endpoint["name"].rsplit("/", 1)[1], Settled=True)
        for number, moving in record["Moving"].items():
            if moving["State"] == "Deploying":
                self._bring_up(record, number, moving)
            elif moving["State"] in ("Failing", "Undeploying"):
                self._take_down(record, number, moving)

    def _bring_up(self, record: Record, number: str, moving: dict[str, Any]) -> None:
        container = moving["Model"]["containerSpec"]
        if "Port" not in moving:
            moving = moving | {"Port": free_port()}
            self._say(record, number, moving)
        machine = moving["Machine"]
        self._machines.start(machine, self._spec(record, number, moving))
        limit = float(str(container.get("deploymentTimeout", DEFAULT_START_SECONDS)).rstrip("s"))
        ended = self._machines.status(machine).phase == "DONE"
        if ended or time.time() - moving["Since"] > limit:
            error = {"code": 9, "message": NEVER_READY}
            self._say(record, number, moving | {"State": "Failing", "Error": error})
        elif answers(moving["Port"], container["healthRoute"]):
            shown = moving["Deployed"] | {"createTime": instant(time.time())}
            if self._say(record, number, moving | {"State": "Deployed"}, deployed=[shown]):
                self._operations.end(
                    moving["Operation"], typed("DeployModelResponse", {"deployedModel": shown})
                )

    def _spec(self, record: Record, number: str, moving: dict[str, Any]) -> MachineSpec:
        variables = serving.variables(moving["Model"], self._endpoints) | {
            "AIP_HTTP_PORT": str(moving["Port"]),
            "AIP_ENDPOINT_ID": record["Endpoint"]["name"].rsplit("/", 1)[1],
            "AIP_DEPLOYED_MODEL_ID": number,
        }
        return MachineSpec(
            argv=serving.command(moving["Model"]["containerSpec"]),
            env=variables,
            cwd="work",
            folders=["work"],
            stop_grace_seconds=2,
        )

    def _take_down(self, record: Record, number: str, moving: dict[str, Any]) -> None:
        machine = moving["Machine"]
        try:
            if self._machines.status(machine).phase != "DONE":
                self._machines.stop(machine, grace_seconds=2, deliver=False)
                return
        except UnknownMachine:
            pass
        self._machines.clear(machine, "site", "tmp", "work")
        name = record["Endpoint"]["name"].rsplit("/", 1)[1]
        self._methods.records.change(name, Moving={}, Endpoint=record["Endpoint"] | {"deployedModels": []})
        self._operations.end(moving["Operation"], error=moving.get("Error"))

    def _say(
        self,
        record: Record,
        number: str,
        moving: dict[str, Any],
        deployed: list[dict[str, Any]] | None = None,
    ) -> bool:
        """Write it down unless somebody has changed it meanwhile; whether it was written."""
        name = record["Endpoint"]["name"].rsplit("/", 1)[1]
        with self._methods.lock:
            current = self._methods.records.get(name)
            if current is None or current["Moving"].get(number, {}).get("State") != "Deploying":
                return False
            endpoint = current["Endpoint"] | ({"deployedModels": deployed} if deployed is not None else {})
            self._methods.records.change(name, Moving={number: moving}, Endpoint=endpoint)
            return True
