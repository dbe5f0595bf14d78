"""The seam between endpoint activities and a cloud: what one service of online endpoints must be able to do."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from contracts.endpoints import EndpointRef, EndpointState
from contracts.jobs import JobRequest


@dataclass(frozen=True)
class Marked:
    """An endpoint, or a part of one, that carries Causeway's tags, whatever run it belongs to."""

    ref: EndpointRef
    run_uid: str
    stage: str
    since: datetime | None
    """When it was made, where that is told."""
    kept: bool = False
    """Whether it carries `causeway-kept`: it was deployed to stay when its run has ended."""


class EndpointService(Protocol):
    """One connection's endpoints.

    Methods raise the provider's own errors or `contracts.errors.failure`; the caller translates, polls, beats and waits.
    Nothing here sleeps for long or retries.
    """

    first_poll_seconds: float
    """How soon after a change it is worth asking again."""
    body_limit_bytes: int
    """The largest request that an endpoint takes."""

    def create(self, request: JobRequest) -> EndpointRef:
        """Have everything exist that the endpoint needs, and the endpoint itself; what exists already is adopted.

        Raises:
            ApplicationError: `TARGET_CONFLICT` when an endpoint of this name carries another `causeway-digest`.
        """

    def describe(self, ref: EndpointRef) -> EndpointState:
        """Ask the control plane now. READY only when the server answers; INCOMPLETE while parts are left."""

    def keep(self, ref: EndpointRef) -> None:
        """Mark an endpoint as one that stays when its run has ended. Safe to call twice."""

    def remove(self, ref: EndpointRef) -> None:
        """Ask for the removal of whatever can be removed now of the endpoint and its parts, and return.

        It is called again until `describe` says GONE: what the vendor does not let go of yet is left for then.
        """

    def find(self, run_uid: str, stage: str | None) -> Sequence[EndpointState]:
        """List endpoints, and parts without one, by their tags."""

    def marked(self) -> Iterator[Marked]:
        """List whatever carries Causeway's tags, of every run, each name once: for the sweep."""

    def score(self, ref: EndpointRef, body: bytes) -> bytes:
        """Post `{"instances": [...]}` and return what the server answered.

        An answer of 429 or 503, the vendor's or the server's own, is `THROTTLED` or `UNAVAILABLE`, with `retry_after` where
        it says so; any other failure of the server is `JOB_FAILED` or `INVALID_REQUEST`, with the server's words.
        """

    def last_lines(self, ref: EndpointRef, tail: int) -> tuple[str, ...]:
        """Return the last lines that the server printed; empty while there are none."""
