"""What runs left on a connection and no live run owns, as the sweep finds and stops it. No cloud lives here."""

from datetime import datetime, timedelta

from pydantic import Field
from temporalio import activity

from contracts.model import Message
from contracts.packed import Packed
from contracts.units import Duration

OLDER_THAN = timedelta(hours=2)
"""What is younger is never touched, whoever owns it. It must be more than a run can be invisible for while what it made is
there already: seconds until Temporal's visibility knows it, 15 minutes of a grant that was minted before a run was
terminated, an hour in which a stopped worker's last request may be retried by an SDK. Two hours cost little."""
PAGE_ITEMS = 100
"""What one page of findings holds; stopping a page is one activity."""


class SweepItem(Message):
    """Something that a run made and that somebody must end: it costs money, or takes up room, as long as it is there."""

    kind: str
    """An open list: `job`, `upload`, `claim`, `table job`, `staging table`, `draft`; endpoints and models as they come."""
    id: str
    """Whatever the connection's worker needs in order to find it again."""
    name: str
    """What a person calls it: a job's name, the URI that an upload is for."""
    run_uid: str = ""
    """The run whose mark it carries; empty where it carries Causeway's but no run's."""
    stage: str = ""
    since: datetime | None = None
    """When it began or last changed; None where the store does not tell."""
    size_bytes: int | None = None
    cost: str = ""
    """What it costs as long as it is there, in a few words."""
    by_hand: str = ""
    """Of what carries no run's mark: the command by which its owner ends it, in the vendor's own words."""
    abandoned: bool = False
    """Its age alone proves that nobody is at it, whoever began it: it needs no owner."""


class SweepFindRequest(Message):
    """Which of a connection's things to list."""

    older_than: Duration = OLDER_THAN
    run_uid: str | None = None
    """Only of this run."""
    after: str | None = None
    """`next_after` of the page before."""


class SweepPage(Message):
    """Things that carry Causeway's marks, whoever owns them."""

    items: Packed[SweepItem]
    younger: int = 0
    """Left out since they are younger than was asked for."""
    next_after: str | None = None


class SweepStopRequest(Message):
    """Things of which it is known that no live run owns them."""

    items: Packed[SweepItem]


class SweepEnd(Message):
    """What became of one thing that was to be stopped."""

    kind: str
    id: str
    stopped: bool
    message: str = ""
    """Why it could not be stopped."""


class SweepEnds(Message):
    """One for each thing, in the order asked."""

    ends: Packed[SweepEnd]


class OwnersRequest(Message):
    """Runs whose marks were found."""

    run_uids: tuple[str, ...]


class Owner(Message):
    """What Temporal knows of the run that a mark names."""

    run_uid: str
    live: bool
    workflow_id: str = ""
    """Empty where Temporal knows no such run: it was deleted, is past its retention, or belongs to another namespace."""
    closed_at: datetime | None = None


class Owners(Message):
    """One for each run asked about."""

    owners: tuple[Owner, ...]


class SweepActivities:
    """What every cloud's worker can say and end of what runs left there."""

    @activity.defn(name="sweep.find")
    def find(self, request: SweepFindRequest) -> SweepPage:
        """List a page of what carries Causeway's marks and has not ended, old enough, whoever owns it.

        Changes nothing. Safe to run twice. Heartbeats while it looks. Final: `ACCESS_DENIED`.
        """
        raise NotImplementedError

    @activity.defn(name="sweep.stop")
    def stop(self, request: SweepStopRequest) -> SweepEnds:
        """Stop or remove each of these, and return once that is confirmed; what is gone already counts as stopped.

        What carries no run's mark is refused unless it is abandoned. One that cannot be stopped does not keep the
        others. Safe to run twice. Heartbeats while it waits.
        """
        raise NotImplementedError


class OwnerActivities:
    """What Temporal says of the runs that marks name."""

    @activity.defn(name="sweep.owners")
    async def owners(self, request: OwnersRequest) -> Owners:
        """Say of each run whether it lives.

        Raises rather than guess: while a live run does not tell its mark, nobody can say what it owns. Safe to run
        twice. Retried: `UNAVAILABLE`.
        """
        raise NotImplementedError


class SweepRequest(Message):
    """What a sweep does."""

    connections: tuple[str, ...]
    older_than: Duration = OLDER_THAN
    stop: bool = False
    """Whether orphans are stopped, not only listed."""
    run: str | None = None
    """`pipeline/key`, where only one run's leavings are looked for."""
    run_uid: str | None = None
    """Of that run."""


class Orphan(Message):
    """A thing that no live run owns."""

    connection: str
    item: SweepItem
    run: str = ""
    """`pipeline/key` where Temporal still knows it."""
    state: str = "found"
    """`found`, `stopped`, `kept` (it may not be stopped) or `failed`."""
    message: str = ""


class ConnectionSweep(Message):
    """How a connection was swept."""

    connection: str
    found: int = 0
    """Orphans."""
    stopped: int = 0
    younger: int = 0
    owned: int = 0
    """Things of live runs; they are left alone and not listed."""
    trouble: str = ""
    """Why it could not be swept, or not to its end."""


class SweepReport(Message):
    """What a sweep found, and what became of it."""

    began: datetime
    older_than: Duration
    stop: bool
    connections: tuple[ConnectionSweep, ...] = ()
    orphans: Packed[Orphan] = Field(default=())
    """The first of them; the connections' counts tell of all."""

    @property
    def left(self) -> int:
        """Orphans that are there still."""
        return sum(swept.found - swept.stopped for swept in self.connections)
