"""The workflows that a run has begun and that have not ended: transfers, and stages that run over many items."""

from collections.abc import Iterator
from dataclasses import dataclass

from contracts.transfers import Drained
from workflows.fanouts import Fanouts
from workflows.transfers import Transfers


@dataclass
class Children:
    """Both kinds of children of one run."""

    transfers: Transfers
    fanouts: Fanouts

    @property
    def draining(self) -> bool:
        """Whether any has not yet said that nothing of it is in flight."""
        return self.transfers.draining or self.fanouts.draining

    def heard(self, said: Drained) -> None:
        """Take down whether anything of a child is in flight; no two children have one key."""
        for kin in (self.transfers, self.fanouts):
            (kin.drained.add if said.drained else kin.drained.discard)(said.key)

    async def tell_all(self) -> None:
        """Pass a pause or a resume on to each."""
        await self.transfers.tell_all()
        await self.fanouts.tell_all()

    def queues(self) -> Iterator[tuple[str, str]]:
        """Each queue that a child uses, with the stage that waits for it."""
        yield from self.transfers.queues()
        yield from self.fanouts.queues()
