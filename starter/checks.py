"""What the command `check` does: has connections look at themselves, and tells what they found."""

import json
import sys
from datetime import timedelta
from pathlib import Path

from temporalio.client import WorkflowFailureError

from contracts.checks import CheckRequest, CheckWanted
from contracts.queues import Cloud, normalise
from starter import errands, temporal
from starter.check_show import check_document, check_view, exit_of
from starter.exits import Exit, StarterError
from starter.options import key_of, params_of
from starter.show import console
from starter.spec.load import find, load
from workflows.asked import insisted, requests_of
from workflows.check import CheckWorkflow

LIMIT = timedelta(minutes=5)
"""Its looks go on at once and are over within a minute; the rest is for a worker that is busy."""


async def check(what: str | None, param: tuple[str, ...], *, as_json: bool) -> Exit:
    """Check one connection, what a pipeline needs, or each cloud's default connection.

    Raises:
        StarterError: there is no such connection or pipeline, or Temporal cannot be reached.
    """
    wanted = CheckWanted(requests=_requests(what, param))
    client = await temporal.connected()
    try:
        # Not `check/...`, which would be the identity of a run of a pipeline named check.
        errand = errands.Errand("check", f"check:{key_of(None)}", LIMIT)
        checked = await errands.run(client, CheckWorkflow.run, wanted, errand)
    except WorkflowFailureError as error:
        raise StarterError(f"the check failed: {error.cause}", Exit.FAILED) from None
    if as_json:
        sys.stdout.write(json.dumps(check_document(checked), indent=2) + "\n")
    else:
        console().print(check_view(checked), crop=False)
    return exit_of(checked)


def _requests(what: str | None, param: tuple[str, ...]) -> tuple[CheckRequest, ...]:
    if what is None:
        return tuple(CheckRequest(connection=normalise(cloud)) for cloud in Cloud)
    connection = _connection(what)
    if connection is not None:
        return (CheckRequest(connection=connection),)
    spec = load(_found(what), params_of(param)).spec
    return tuple(
        CheckRequest(connection=needs.connection, needs=insisted(needs))
        for needs in requests_of(spec, create=False)
    )


def _found(what: str) -> Path:
    try:
        return find(what)
    except StarterError as error:
        raise StarterError(f"{error}; connections are {', '.join(Cloud)}, or such as aws/eu") from None


def _connection(what: str) -> str | None:
    """Return the connection that a word names; None where it is a pipeline."""
    if Path(what).exists():
        return None
    try:
        return normalise(what)
    except ValueError:
        return None
