"""How often the same work is taken up again: without end while something gets done, a bounded time without."""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

from contracts.copies import Cut
from contracts.errors import RETRIED, ErrorKind
from workflows.failures import kind_of

ROUNDS = 20
"""Times that nothing gets done before a transfer fails: with the sleeps between them about a quarter of an hour."""
COSTLY_ROUNDS = 2
"""The same where each attempt has sent every byte: what came to another checksum is brought anew."""
LONGEST_SLEEP = timedelta(minutes=1)
_AT_ONCE = {"EXPIRED", "STOPPED"}
"""Cuts that are no trouble: grants run out, and pauses and new limits stop copies."""


class Rounds:
    """Counts the rounds of one unit that came to nothing."""

    def __init__(self) -> None:
        """Begin with none."""
        self._empty = 0
        self._damaged = 0

    async def met(self, error: ActivityError) -> None:
        """Wait after a round that came to nothing.

        Raises:
            ActivityError: it is final, or there have been too many.
        """
        kind = kind_of(error)
        if kind == ErrorKind.CHECKSUM_MISMATCH:
            self._damaged += 1
        else:
            self._empty += 1
        if kind not in RETRIED or self._damaged >= COSTLY_ROUNDS or self._empty >= ROUNDS:
            raise error
        await self._sleep(timedelta(seconds=2 ** (self._empty + self._damaged)), kind)

    async def cut(self, cut: Cut | None) -> None:
        """Wait, if need be, after a round in which something was done."""
        self._empty = 0
        if cut is not None and cut.kind not in _AT_ONCE:
            await self._sleep(cut.retry_after or timedelta(seconds=1), cut.kind)

    async def _sleep(self, pause: timedelta, kind: str) -> None:
        await workflow.sleep(min(LONGEST_SLEEP, pause), summary=f"{kind}: mint anew and go on")
