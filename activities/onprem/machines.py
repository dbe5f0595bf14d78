"""The machine that jobs get on-prem: the one the worker runs on, as it measures it or as its settings say."""

import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

import psutil

from activities.onprem.settings import OnpremSettings
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.jobs import JobKind
from contracts.machines import HourPrice, Machine, Resources, accelerator_of
from contracts.units import format_size

NAME = "this machine"


class OnpremMachine:
    """One machine, which has what it has."""

    def __init__(self, settings: OnpremSettings) -> None:
        """Believe the settings; what they do not say is measured, but for GPUs, which are none then."""
        self._root = settings.root
        self._cpus = settings.cpus or len(os.sched_getaffinity(0))
        self._memory = settings.memory or int(psutil.virtual_memory().total)
        self._gpus = settings.gpus
        self._disk = settings.disk
        self._price = _price(settings)

    def choose(self, kind: JobKind, resources: Resources) -> Machine:
        """See `Machines.choose`. Nobody takes this machine back, so `spot` is granted and costs nothing less."""
        if resources.instance:
            raise _unsupported("has no machines by name: leave out resources.instance and say cpu and memory")
        self._check("CPU", str(resources.cpu), str(self._cpus), fits=resources.cpu <= self._cpus)
        memory = resources.memory or 0
        self._check("memory", format_size(memory), format_size(self._memory), fits=memory <= self._memory)
        if resources.accelerator:
            held = ", ".join(self._gpus) or "none"
            self._check("accelerators", resources.accelerator, held, fits=self._has(resources.accelerator))
        if resources.disk:
            room = self._disk or _free(self._root)
            self._check("disk", format_size(resources.disk), format_size(room), fits=resources.disk <= room)
        return Machine(
            instance=NAME,
            cpu=self._cpus,
            memory=self._memory,
            accelerator=resources.accelerator,
            price=self._price,
            why="on-prem has no other" + (", and nobody takes it back" if resources.spot else ""),
        )

    def _has(self, accelerator: str) -> bool:
        model, number = accelerator_of(accelerator)
        held = dict(accelerator_of(gpu) for gpu in self._gpus)
        return held.get(model, 0) >= number

    def _check(self, what: str, asked: str, held: str, *, fits: bool) -> None:
        if not fits:
            raise _unsupported(f"has {held} of {what}, and the stage asks for {asked}; let it run in a cloud")


def _price(settings: OnpremSettings) -> HourPrice | None:
    if settings.price is None:
        return None
    return HourPrice(
        per_hour=settings.price.value,
        currency=settings.price.currency,
        region="onprem",
        as_of=datetime.now(UTC).date(),
        source="CAUSEWAY_ONPREM_PRICE",
    )


def _free(path: Path) -> int:
    return shutil.disk_usage(path).free


def _unsupported(text: str) -> Exception:
    return failure(ErrorKind.UNSUPPORTED, f"{NAME} {text}", ErrorDetail(cloud="onprem"))
