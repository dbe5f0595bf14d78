"""What people see of a transfer: the query, the Web UI, and for one on its own the memo that outlives it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio import workflow

from contracts.queues import cloud_of
from contracts.runs import CLOUDS_KEY, RUN_UID_KEY, STATE_KEY, TRANSFER_MEMO, TransferResult
from contracts.transfers import TransferOutcome, TransferPhase, TransferStatus
from workflows.marked import code

if TYPE_CHECKING:
    from workflows.transfer import TransferWorkflow


class Shown:
    """Shows one transfer."""

    def __init__(self, transfer: TransferWorkflow) -> None:
        """Show this transfer."""
        self._transfer = transfer
        self._over = False

    def status(self) -> TransferStatus:
        """Say how far it is."""
        transfer, lister, tally = self._transfer, self._transfer.lister, self._transfer.moving.tally
        seconds = transfer.seconds
        speed = tally.bytes_sent / 1e6 / seconds if seconds > 0 and tally.bytes_sent else None
        left = lister.bytes_seen - tally.size_bytes
        price = transfer.price
        return TransferStatus(
            artifact=transfer.request.artifact,
            phase=self._phase(),
            listed=lister.listed,
            objects_total=lister.objects_seen,
            objects_done=tally.objects,
            bytes_total=lister.bytes_seen,
            bytes_done=tally.size_bytes,
            tally=tally,
            seconds=seconds,
            mb_per_s=speed,
            eta_seconds=left / 1e6 / speed if speed and lister.listed else None,
            cost=transfer.cost,
            currency=price.currency if price else "",
            limits=transfer.moving.limits,
            pause=transfer.checkpoint.pause,
        )

    def begin(self) -> None:
        """Show that it runs."""
        request = self._transfer.request
        if self._alone:
            clouds = sorted({cloud_of(request.source).value, cloud_of(request.destination).value})
            workflow.upsert_search_attributes(
                [
                    STATE_KEY.value_set("RUNNING"),
                    CLOUDS_KEY.value_set(clouds),
                    RUN_UID_KEY.value_set(request.run.run_uid),
                ]
            )
        self.refresh()

    def refresh(self) -> None:
        """Show what it has come to, in Temporal's Web UI."""
        now, request = self.status(), self._transfer.request
        total = f"{now.objects_total:,}{'' if now.listed else ' or more'}"
        lines = [
            f"{code(request.source_uri)} on {request.source} to {code(request.target)} on {request.destination}",
            "",
            "| objects | of | bytes | of | MB/s | verified |",
            "|---|---|---|---|---|---|",
            f"| {now.objects_done:,} | {total} | {now.bytes_done:,} | {now.bytes_total:,} "
            f"| {now.mb_per_s or 0:.1f} | {now.tally.verified} |",
        ]
        workflow.set_current_details("\n".join(lines))

    def ended(self, state: str, result: TransferResult | None = None) -> None:
        """Show how it ended; one on its own keeps that where no worker is needed to read it.

        Nobody is told of success before: who asks then for the result finds it there.
        """
        self._over = state == "SUCCEEDED"
        self.refresh()
        if self._alone:
            outcome = TransferOutcome(status=self.status(), result=result)
            workflow.upsert_memo({TRANSFER_MEMO: outcome})
            workflow.upsert_search_attributes([STATE_KEY.value_set(state)])

    @property
    def _alone(self) -> bool:
        return workflow.info().parent is None

    def _phase(self) -> TransferPhase:
        transfer = self._transfer
        if self._over:
            return "SUCCEEDED"
        if transfer.checkpoint.pause and not transfer.moved:
            return "PAUSING" if transfer.effects.draining else "PAUSED"
        return "RUNNING"
