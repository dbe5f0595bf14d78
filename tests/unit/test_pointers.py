"""Errors at the command line name the page that says more."""

import io

from rich.console import Console
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ApplicationError

from contracts.transfers import TransferOutcome, TransferStatus
from starter.copy_show import report_of
from starter.sweeps import _told


def test_a_copy_that_failed_says_where_to_read_on() -> None:
    out = io.StringIO()
    error = {"kind": "SOURCE_MISSING", "message": "no such object", "hint": "put it there"}
    outcome = TransferOutcome(status=TransferStatus(artifact="a.csv", phase="RUNNING"))
    report_of(Console(file=out, width=80), "copy/k", "FAILED", outcome, error)
    assert out.getvalue().endswith("-> put it there\n     docs/troubleshooting.md#source_missing\n")


def test_a_sweep_that_failed_says_where_to_read_on() -> None:
    cause = ApplicationError("no right to list", type="ACCESS_DENIED")
    assert _told(WorkflowFailureError(cause=cause)).endswith("\n   docs/troubleshooting.md#access_denied")
