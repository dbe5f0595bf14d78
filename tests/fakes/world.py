"""The world the fake clouds share: what lies in stores, which jobs live, what was asked, and what shall go wrong."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from temporalio import activity

from contracts.alerts import Alert
from contracts.artifacts import Artifact, ManifestEntry, ObjectStat, folder_artifact
from contracts.caching import Kept
from contracts.copies import ObjectReceipt
from contracts.errors import ErrorKind, failure
from contracts.jobs import JobRequest
from contracts.lineage import LineageBatch
from contracts.machines import HourPrice
from contracts.observed import Observed
from contracts.policy import Policy
from contracts.prices import EgressPrice, EgressQuery
from contracts.sweeps import Owner, SweepItem
from tests.fakes.lives import Job, Life
from workflows.month import Month

BEAT_SECONDS = 0.02


@dataclass
class Call:
    """One attempt of an activity."""

    activity: str
    connection: str
    request: Any
    stage: str
    outcome: str = "in flight"


@dataclass
class Hold:
    """Keeps an activity in flight until it is released."""

    matches: Callable[[Call], bool]
    lands: bool = False
    """Whether what is in flight lands before a cancel takes hold, as a copy's parts do."""
    tells: bool = False
    """Whether what is in flight lands when it is cancelled and then is told, as a copy's parts are.

    For a real server: the one that skips time now and then waits for ever for an activity that ends as it is cancelled.
    """
    entered: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def release(self) -> None:
        self.released.set()


@dataclass
class Fault:
    """A failure that some calls meet."""

    matches: Callable[[Call], bool]
    error: Exception
    left: int
    after: bool
    """Whether the effect has happened by then: a lost answer."""


@dataclass
class World:
    """Everything outside the workflows."""

    now: Callable[[], Awaitable[datetime]]
    objects: dict[str, bytes] = field(default_factory=dict)
    grants_at_once: int = 1000
    jobs: dict[str, Job] = field(default_factory=dict)
    endpoints: dict[str, tuple[str, JobRequest]] = field(default_factory=dict)
    """By name: where each is, and what was asked for."""
    calls: list[Call] = field(default_factory=list)
    story: list[str] = field(default_factory=list)
    """`+name` when an attempt begins, `-name` when it ends, over all clouds."""
    lives: dict[str, list[Life]] = field(default_factory=dict)
    holds: list[Hold] = field(default_factory=list)
    held: list[Hold] = field(default_factory=list)
    """All holds there ever were, so that none outlives its test."""
    faults: list[Fault] = field(default_factory=list)
    unreadable: set[str] = field(default_factory=set)
    """Connections whose store cannot be read from outside."""
    absent: set[str] = field(default_factory=set)
    """Task queues that have no worker, as `queues.describe` says."""
    declined: dict[str, str] = field(default_factory=dict)
    """By stage: why no connection takes it that was only asked whether it would."""
    answer_rows: tuple[dict[str, Any], ...] = ({"n": 1},)
    log: tuple[str, ...] = ("first line", "last line")
    page: int = 3
    """Objects on one page of a listing."""
    objects_at_once: int = 1000
    """What one copy or push brings before it is cut."""
    parts_at_once: int = 1000
    cut: str = "EXPIRED"
    sizes: dict[str, int] = field(default_factory=dict)
    """Of objects that claim to be larger than what is kept of them."""
    accounts: dict[str, list[ObjectReceipt]] = field(default_factory=dict)
    parts: dict[str, set[int]] = field(default_factory=dict)
    """What unfinished uploads hold, by target."""
    parts_sent: list[tuple[str, int]] = field(default_factory=list)
    pushed_to: str = ""
    price: EgressPrice | None = None
    """Of bytes that leave AWS."""
    priced: list[EgressQuery] = field(default_factory=list)
    """What the price book was asked for."""
    regions: dict[str, str] = field(default_factory=dict)
    """By connection, as its worker says."""
    billed_bytes: int | None = None
    """Of every query."""
    hour_price: HourPrice | None = None
    """Of every machine."""
    kept: dict[str, Kept] = field(default_factory=dict)
    """Results of stages by fingerprint."""
    left: dict[str, list[SweepItem]] = field(default_factory=dict)
    """What runs left, by connection."""
    young: int = 0
    owners: dict[str, Owner] = field(default_factory=dict)
    swept: list[tuple[str, str]] = field(default_factory=list)
    """What a sweep was asked to stop: connection and id."""
    stubborn: dict[str, str] = field(default_factory=dict)
    """What cannot be stopped, and why."""
    observed: Observed = field(default_factory=Observed)
    policy: Policy | None = None
    """Of every worker; where each fake connection lies its `places` say."""
    """What the worker of workflows has switched on."""
    alerts: list[Alert] = field(default_factory=list)
    """What was delivered."""
    lineage: list[LineageBatch] = field(default_factory=list)
    months: dict[str, Month] = field(default_factory=dict)
    """The ledger."""

    def hold(self, name: str, *, on: str = "", stage: str = "", lands: bool = False) -> Hold:
        """Keep the next call of an activity in flight."""
        hold = Hold(_matching(name, on, stage), lands)
        self.holds.append(hold)
        self.held.append(hold)
        return hold

    def fail(
        self,
        name: str,
        kind: ErrorKind,
        message: str = "it broke",
        *,
        on: str = "",
        stage: str = "",
        times: int = 1,
        after: bool = False,
    ) -> None:
        """Make the next calls of an activity fail."""
        self.faults.append(Fault(_matching(name, on, stage), failure(kind, message), times, after))

    def asked(self, name: str, *, on: str = "", stage: str = "") -> list[Call]:
        """Attempts of an activity so far."""
        return [call for call in self.calls if _matching(name, on, stage)(call)]

    def in_flight(self) -> list[str]:
        return [call.activity for call in self.calls if call.outcome == "in flight"]

    async def live_jobs(self) -> list[str]:
        now = await self.now()
        return [job.name for job in self.jobs.values() if not job.phase(now).terminal]

    async def play(self, connection: str, name: str, request: Any, effect: Callable[[], Any]) -> Any:
        """Go through one attempt of an activity as scripted."""
        call = Call(name, connection, request, _stage_of(request))
        self.calls.append(call)
        self.story.append(f"+{name}")
        call.outcome = "failed"
        try:
            call.outcome = "in flight"
            await self._held(call)
            self._trip(call, after=False)
            answer = effect()
            self._trip(call, after=True)
            call.outcome = "done"
            return answer
        except asyncio.CancelledError:
            call.outcome = "cancelled"
            raise
        except Exception:
            call.outcome = "failed"
            raise
        finally:
            self.story.append(f"-{name}")

    async def _held(self, call: Call) -> None:
        hold = next((held for held in self.holds if held.matches(call)), None)
        if hold is None:
            return
        self.holds.remove(hold)
        hold.entered.set()
        try:
            while not hold.released.is_set():
                activity.heartbeat()
                await asyncio.sleep(BEAT_SECONDS)
        except asyncio.CancelledError:
            hold.cancelled.set()
            if hold.tells:
                return
            if hold.lands:
                await hold.released.wait()
            raise

    def _trip(self, call: Call, *, after: bool) -> None:
        for fault in self.faults:
            if fault.after is after and fault.left and fault.matches(call):
                fault.left -= 1
                raise fault.error

    def life_of(self, stage: str) -> Life:
        """The life of the next job of a stage: the last one repeats."""
        lives = self.lives.get(stage) or [Life()]
        return lives.pop(0) if len(lives) > 1 else lives[0]

    def put(self, uri: str, content: bytes) -> None:
        self.objects[uri] = content

    def stat(self, uri: str) -> ObjectStat:
        if uri not in self.objects:
            raise failure(ErrorKind.SOURCE_MISSING, f"{uri} is not there")
        content = self.objects[uri]
        digest = hashlib.sha256(content).hexdigest()
        size = self.sizes.get(content.decode(errors="replace"), len(content))
        return ObjectStat(uri=uri, size_bytes=size, etag=digest[:8], sha256=digest)

    def below(self, prefix: str) -> list[ObjectStat]:
        return [self.stat(uri) for uri in sorted(self.objects) if uri.startswith(prefix)]

    def folder(self, prefix: str) -> Artifact:
        entries = [
            ManifestEntry(name=stat.uri[len(prefix) :], size_bytes=stat.size_bytes, sha256=str(stat.sha256))
            for stat in self.below(prefix)
        ]
        return folder_artifact(prefix, entries)


def _matching(name: str, on: str, stage: str) -> Callable[[Call], bool]:
    def matches(call: Call) -> bool:
        return (
            call.activity == name and (not on or call.connection == on) and (not stage or call.stage == stage)
        )

    return matches


def _stage_of(request: Any) -> str:
    """The stage that a request is for, where it says."""
    for path in (("stage",), ("request", "stage"), ("key", "stage")):
        found = request
        for part in path:
            found = getattr(found, part, None)
        if isinstance(found, str):
            return found
    name = getattr(request, "name", None) or getattr(getattr(request, "ref", None), "name", "")
    return name.split("-")[1] if isinstance(name, str) and name.startswith("cw-") else ""
