"""What stages left, by their fingerprint, for later runs of whatever pipeline. No cloud lives here."""

from pydantic import Field
from temporalio import activity

from contracts.artifacts import Artifact
from contracts.model import Message
from contracts.results import FanoutStatus


class Kept(Message):
    """What a stage left, and which run did it."""

    run_id: str
    outputs: dict[str, Artifact] = Field(default_factory=dict)
    metrics: dict[str, float] = Field(default_factory=dict)
    fanout: FanoutStatus | None = None


class KeepRequest(Message):
    """A result to keep on the connection where it lies."""

    fingerprint: str
    kept: Kept


class FindRequest(Message):
    """A fingerprint to look for."""

    fingerprint: str


class Found(Message):
    """What is kept under a fingerprint."""

    kept: Kept | None = None
    """None where there is nothing, or nothing that can be read."""


class CacheActivities:
    """What a connection's worker remembers of stages, in its default container."""

    @activity.defn(name="cache.keep")
    def keep(self, request: KeepRequest) -> Found:
        """Keep a result under its fingerprint, instead of what was kept there; return it.

        Safe to run twice. Heartbeats nothing, it takes seconds. Final: `ACCESS_DENIED`.
        """
        raise NotImplementedError

    @activity.defn(name="cache.find")
    def find(self, request: FindRequest) -> Found:
        """Say what was kept; it promises nothing of whether the data are still there.

        Safe to run twice. Heartbeats nothing, it takes seconds. Final: `ACCESS_DENIED`.
        """
        raise NotImplementedError
