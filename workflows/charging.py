"""Has the ledger written beside what a run does. Nothing waits for it but an end, and that not for long."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from contracts import presets
from contracts.accounts import Charged, add_up, rounded, spent_of
from contracts.ledger import Charge, Entered, LedgerActivities, Posted, PostRequest, Spent, leaves_cloud
from workflows.effects import Effects
from workflows.failures import stage_error
from workflows.finishing import to_the_end

CHARGED_SIGNAL = "charged"
POSTED = "charges-posted"
"""Runs that began before there was a ledger post nothing, or their histories could not be replayed."""
AT_ONCE = 200
"""Charges in one message."""
AWAY = "the ledger was not there; what it lacks is in the report of this run"


def charged() -> bool:
    """Whether this run has the ledger written."""
    return workflow.patched(POSTED)


async def post_or_tell(charging: "Charging", charge: Charge | None) -> None:
    """Have a charge posted, by the run that this workflow is a child of if there is one."""
    if charge is None or not charged():
        return
    if workflow.info().parent is None:
        charging.add(charge)
        await charging.done()
        return
    await tell(Charged(charges=(charge,)))


async def tell(said: Charged) -> None:
    """Tell the run that this workflow is a child of; without one, or where it is over, nobody."""
    parent = workflow.info().parent
    if parent is not None:
        run = workflow.get_external_workflow_handle(parent.workflow_id)
        with contextlib.suppress(ApplicationError):
            await run.signal(CHARGED_SIGNAL, said)


class Charging:
    """Posts what is charged, one message at a time: what comes meanwhile goes into the next."""

    def __init__(
        self,
        effects: Effects,
        enter: Callable[[tuple[Spent, ...]], None],
        note: Callable[[str], None],
        together: int = 1,
    ) -> None:
        """Post through these effects; what was spent is entered, and what could not be posted is noted.

        `together` is how many charges are waited for, until `done` asks for all.
        """
        self._effects = effects
        self._enter = enter
        self._note = note
        self._together = together
        self._taken: set[str] = set()
        self._elsewhere: set[str] = set()
        """Charges that are in the books of this run already."""
        self._waiting: list[Charge] = []
        self._task: asyncio.Task[None] | None = None
        self._sent: dict[str, int] = {}
        """Bytes that left a connection's cloud, as far as the ledger was away."""
        self._told = False
        self._heard: dict[str, int] = {}
        """Bytes that transfers sent which did not reach their end, by what they had reserved."""

    def hear(self, charge: Charge) -> None:
        """Have a child's charge posted; what a transfer had sent is kept until it is asked for."""
        if charge.settles:
            self._heard[charge.settles] = int(charge.quantity)
        self.add(charge)

    def heard(self, settles: str) -> int:
        """Return the bytes of a transfer that did not reach its end; nothing if none were told of."""
        return self._heard.pop(settles, 0)

    def add(self, charge: Charge | None, *, again: bool = False) -> None:
        """Have a charge posted; nothing waits for it, and no cancel reaches it.

        `again`: an execution before this one has entered it in the books of this run; the ledger knows it by its id.
        """
        if charge is None or charge.id in self._taken or not charged():
            return
        self._taken.add(charge.id)
        if again:
            self._elsewhere.add(charge.id)
        self._waiting.append(charge)
        if len(self._waiting) >= self._together:
            self._begin()

    async def done(self) -> None:
        """Return when everything is posted, or was given up."""
        while self._waiting or self._task:
            self._begin()
            if self._task:
                await to_the_end(self._task)

    def _begin(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(self._post())

    async def _post(self) -> None:
        try:
            while self._waiting:
                several, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
                self._take(several, await self._entered(several))
        finally:
            self._task = None

    async def _entered(self, charges: Iterable[Charge]) -> tuple[Entered, ...]:
        request = PostRequest(charges=tuple(charges))
        try:
            posted: Posted = await self._effects.local(
                LedgerActivities.post,
                request,
                preset=presets.posting(),
                summary=f"write {len(request.charges)} charges into the ledger",
            )
        except ActivityError as error:
            if not self._told:
                self._note(f"{AWAY}: {stage_error(error).message}")
            self._told = True
            return tuple(self._reckoned(charge) for charge in request.charges)
        return posted.entered

    def _reckoned(self, charge: Charge) -> Entered:
        """What a charge costs as far as this run alone can tell."""
        cost, currency = charge.cost, charge.currency
        if charge.egress is not None:
            size, before = int(charge.quantity), 0
            if leaves_cloud(charge.connection, charge.destination):
                before = self._sent.get(charge.connection, 0)
                self._sent[charge.connection] = before + size
            cost, currency = charge.egress.cost(size, before), charge.egress.currency
        return Entered(id=charge.id, cost=rounded(cost), currency=currency)

    def _take(self, charges: list[Charge], entered: tuple[Entered, ...]) -> None:
        pairs = zip(charges, entered, strict=True)
        mine = [spent_of(charge, one) for charge, one in pairs if charge.id not in self._elsewhere]
        if mine:
            self._enter(add_up(mine))
