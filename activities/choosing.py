"""The seam between stages and a cloud's machines: what chooses one, when it is asked, and where checkpoints lie."""

from typing import Protocol

from temporalio.exceptions import ApplicationError

from activities.refusals import Refusals
from contracts.connections import PreflightRequest
from contracts.errors import ErrorDetail, ErrorKind, failure
from contracts.jobs import JobKind, JobRequest
from contracts.machines import Machine, Resources
from contracts.queues import cloud_of


class Machines(Protocol):
    """The machines of one connection."""

    def choose(self, kind: JobKind, resources: Resources) -> Machine:
        """Return the machine that a job of this kind gets. The same question has the same answer.

        Raises:
            ApplicationError: `UNSUPPORTED`, none has what is asked; says what is nearest.
        """


def machines_for(request: PreflightRequest, machines: Machines, refusals: Refusals) -> dict[str, Machine]:
    """Return what each stage that asked would get; of one that would get none a refusal is kept that names it."""
    found = {}
    for stage in sorted(request.machines):
        with refusals.kept():
            found[stage] = _for_stage(request, stage, machines)
    return found


def machine_for(request: JobRequest, machines: Machines) -> Machine:
    """Return the machine the plan chose for a job, or choose one where no plan did."""
    return request.machine or machines.choose(request.kind, request.resources)


def checkpoint_uri(container: str, request: JobRequest) -> str | None:
    """Return the prefix where a job that may be preempted keeps its checkpoint; None for any other.

    It is the same for every generation of a run's stage, and ends in a slash.
    """
    if not request.resources.spot:
        return None
    return f"{container}{request.kept_below}checkpoint/"


def _for_stage(request: PreflightRequest, stage: str, machines: Machines) -> Machine:
    asked = request.machines[stage]
    try:
        return machines.choose(asked.kind, asked.resources)
    except ApplicationError as error:
        detail = ErrorDetail(cloud=cloud_of(request.connection), ref=stage)
        kind = ErrorKind(error.type or ErrorKind.UNSUPPORTED)
        raise failure(kind, f"stage {stage} on {request.connection}: {error.message}", detail) from None
