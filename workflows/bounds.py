"""What a transfer stops before: bytes, money, time."""

import contextlib
from datetime import timedelta

from temporalio import workflow

from contracts.errors import ErrorKind, failure
from contracts.limits import Caps
from contracts.prices import EgressPrice
from workflows.checkpoint import Deadline
from workflows.finishing import take_cancel
from workflows.listing import Lister
from workflows.moving import Moving


class Bounds:
    """Holds one transfer to its caps."""

    def __init__(
        self, moving: Moving, price: EgressPrice | None, deadline: Deadline | None, lister: Lister
    ) -> None:
        """Hold to the request's caps.

        Raises:
            ApplicationError: `BUDGET_EXCEEDED`, a cost is capped and nobody knows the price.
        """
        self._moving = moving
        self._caps: Caps = moving.request.caps
        self._price = price
        self._deadline = deadline
        self._lister = lister
        self._under_way = 0
        if self._caps.cost is not None and price is None:
            request = moving.request
            raise failure(
                ErrorKind.BUDGET_EXCEEDED,
                f"max_cost cannot be kept: the price from {request.source} to {request.destination} is not known; "
                "give one in CAUSEWAY_PRICES",
            )

    def begin(self, size_bytes: int) -> None:
        """Count bytes that are about to be moved.

        Raises:
            ApplicationError: `BUDGET_EXCEEDED`, they would break a cap.
        """
        total = self._moving.tally.bytes_sent + self._under_way + size_bytes
        caps, price, listed = self._caps, self._price, self._lister.bytes_seen
        if caps.listed_bytes is not None and listed > caps.listed_bytes:
            raise self._broken(f"the source weighs {listed:,} bytes or more, not {caps.listed_bytes:,}")
        if caps.size_bytes is not None and total > caps.size_bytes:
            raise self._broken(f"more than {caps.size_bytes:,} bytes would be moved")
        if caps.cost is not None and price and price.cost(total) > caps.cost:
            raise self._broken(f"it would cost more than {caps.cost} {price.currency}")
        self.check_time()
        self._under_way += size_bytes

    def end(self, size_bytes: int) -> None:
        """Count bytes that were moved, or never will be."""
        self._under_way -= size_bytes

    def check_time(self) -> None:
        """Pass while there is time.

        Raises:
            ApplicationError: `BUDGET_EXCEEDED`.
        """
        if self._deadline and self._deadline.left <= timedelta(0):
            raise self._broken(f"it has taken longer than {self._caps.duration}")

    async def watch_time(self) -> None:
        """Have what is in flight land when the time is over."""
        deadline, checkpoint = self._deadline, self._moving.effects.checkpoint
        while deadline and deadline.left > timedelta(0):
            await checkpoint.passed()
            with contextlib.suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: checkpoint.pause is not None,
                    timeout=deadline.left,
                    timeout_summary="the transfer may take until then",
                )
                take_cancel()
        self._moving.overdue = deadline is not None

    def _broken(self, why: str) -> Exception:
        tally = self._moving.tally
        return failure(
            ErrorKind.BUDGET_EXCEEDED,
            f"stopped before a cap was broken: {why}; {tally.objects:,} objects and {tally.size_bytes:,} bytes are "
            "there, and the same transfer goes on from them when its caps are raised",
        )
