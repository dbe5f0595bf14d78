"""What a connection says of itself before a run relies on it. No cloud lives here."""

from typing import Literal

from pydantic import Field
from temporalio import activity

from contracts.jobs import JobKind
from contracts.machines import Machine, Resources
from contracts.model import Message
from contracts.policy import StoreFacts

Capability = Literal["storage", "jobs", "tables"]


class MachineRequest(Message):
    """What one job stage asks of its machine."""

    kind: JobKind
    resources: Resources = Resources()


class Wish(Message):
    """What one stage asks of a connection that it might run on, or might not."""

    needs: tuple[Capability, ...] = ("storage",)
    containers: tuple[str, ...] = ()
    """URIs of containers that it names itself."""
    image_given: bool = True
    machine: MachineRequest | None = None


class PreflightRequest(Message):
    """What a run will ask of a connection."""

    connection: str
    needs: tuple[Capability, ...] = ("storage",)
    containers: tuple[str, ...] = ()
    """URIs of further containers that the run's author names."""
    create: bool = False
    """Create containers that are missing."""
    image_given: bool = True
    """Whether every job stage here names its image; otherwise the worker needs a default."""
    machines: dict[str, MachineRequest] = Field(default_factory=dict)
    """What job stages ask for, by stage."""
    wishes: dict[str, Wish] = Field(default_factory=dict)
    """What stages ask that might run elsewhere too, by stage; a connection that cannot do one is no error."""
    facts: bool = False
    """Whether to say how the containers are guarded; a worker whose own policy demands something says it unasked."""
    tls: bool = False
    """Whether to say with it if requests without TLS are refused, which may take a right of its own."""


class ConnectionReport(Message):
    """What the worker of a connection answers about it."""

    connection: str
    identity: str
    """Who the worker is, as its cloud sees it."""
    container: str
    """URI of the default container, ending in `/`."""
    region: str = ""
    readable_from_outside: bool = True
    """Whether other clouds can read its store through a grant; if not, it pushes."""
    capabilities: tuple[Capability, ...] = ("storage", "jobs")
    machines: dict[str, Machine] = Field(default_factory=dict)
    """What each job stage that asked would get."""
    declined: dict[str, str] = Field(default_factory=dict)
    """The stages among `wishes` that cannot run here, each with the reason."""
    facts: tuple[StoreFacts, ...] = ()
    """How its containers are guarded, where that was asked."""


class KnownRequest(Message):
    """Asks which connections there are."""


class KnownConnections(Message):
    """The connections that `any` means."""

    served: tuple[str, ...] = ()
    """Those whose worker asks for work, in the order of the file that names them, or of the clouds."""
    absent: dict[str, str] = Field(default_factory=dict)
    """The others, each with why it is left out."""


class KnownActivities:
    """Which connections there are; it needs no cloud."""

    @activity.defn(name="connections.known")
    async def known(self, request: KnownRequest) -> KnownConnections:
        """Say which connections there are and which of them are served. Safe to run twice. Nothing is final."""
        raise NotImplementedError


class ConnectionActivities:
    """What every cloud's worker answers about its connection."""

    @activity.defn(name="connections.preflight")
    def preflight(self, request: PreflightRequest) -> ConnectionReport:
        """Check identity, containers and job service with the identity that will do the work.

        Safe to run twice; changes nothing unless `create`. Final: `ACCESS_DENIED`, `UNAUTHENTICATED`,
        `SOURCE_MISSING` (a container; the message names the command that makes it), `UNSUPPORTED` (also when no
        machine has what a stage asks for; the message names the nearest). What stands in the way of a wish is
        `declined`, and fails nothing.
        """
        raise NotImplementedError
