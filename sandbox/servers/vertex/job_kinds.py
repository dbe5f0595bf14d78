"""What tells one kind of Vertex AI's jobs from another: its messages, its checks, its machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.servers.faults import JobFault
from sandbox.servers.machine import MachineSpec
from sandbox.servers.vertex.checks import check_custom_job
from sandbox.servers.vertex.container import machine_spec
from sandbox.servers.vertex.vendor_types import CreateCustomJobRequest, CustomJob, ListCustomJobsRequest


def _nothing(_job: Any, _home: Path) -> None:
    return


@dataclass(frozen=True)
class Kind:
    """One kind of job."""

    noun: str
    """As in the names of the vendor's methods."""
    field: str
    """As in the create request."""
    message: Any
    create_request: Any
    list_request: Any
    check: Callable[[Any], None]
    """Raises `GoogleError` for what the vendor would refuse or the sandbox cannot run."""
    machine: Callable[[Any, JobFault | None, Path], MachineSpec]
    at_end: Callable[[Any, Path], None] = _nothing
    """Is given the job that has ended and its machine's folder, and completes what the job says."""

    @property
    def member(self) -> str:
        """The create request's field in JSON."""
        return self.noun[:1].lower() + self.noun[1:]

    @property
    def collection(self) -> str:
        """In resource names, and in the answer of the list method."""
        return f"{self.member}s"


CUSTOM = Kind(
    noun="CustomJob",
    field="custom_job",
    message=CustomJob,
    create_request=CreateCustomJobRequest,
    list_request=ListCustomJobsRequest,
    check=check_custom_job,
    machine=machine_spec,
)
