"""How long anything may take: every activity is called with one of these presets, so that every wait is bounded."""

from datetime import timedelta
from typing import TypedDict

from temporalio.common import RetryPolicy

from contracts.errors import ErrorKind


class Preset(TypedDict, total=False):
    """The bounds of one activity, to be spread into the call."""

    start_to_close_timeout: timedelta
    """Of one attempt."""
    schedule_to_close_timeout: timedelta
    """Of all attempts together."""
    schedule_to_start_timeout: timedelta
    """Until a worker takes it up."""
    heartbeat_timeout: timedelta
    """Between two signs of life; without it a dead worker is noticed only when the attempt's time is over."""
    retry_policy: RetryPolicy


HEARTBEAT = timedelta(seconds=10)
"""At most 10 s, since a cancel reaches an activity only with a heartbeat (2 s at 5 s, 22 s at 30 s, measured)."""
RETRY = RetryPolicy(
    initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(seconds=30)
)
OVER_TIME = "TemporalTimeout:StartToClose"
"""How the server names an attempt over its time among error types: service/history/workflow/retry.go of Temporal."""
QUOTA_PATIENCE = timedelta(minutes=15)
"""How long weather such as quota, throttling and absent networks is waited out before a stage asks for a decision."""
CLEARING_PATIENCE = timedelta(minutes=15)
"""How long what cleans up waits for its worker, at least: one that starts anew may take longer than a stage was given."""

WEIGHING_PATIENCE = timedelta(seconds=60)
"""How long a connection that only might be used is waited for: a worker that starts anew takes less."""


def quick(stage_timeout: timedelta) -> Preset:
    """One call to a control plane: a minute per attempt."""
    return _preset(stage_timeout, attempt=timedelta(minutes=1), patience=QUOTA_PATIENCE)


def clearing(stage_timeout: timedelta) -> Preset:
    """One call to a control plane or a store about what a stage leaves; a short timeout of the stage does not cut it."""
    return quick(max(stage_timeout, CLEARING_PATIENCE))


def submitting(stage_timeout: timedelta) -> Preset:
    """A create at a control plane, which may upload a script first."""
    return _preset(stage_timeout, attempt=timedelta(minutes=3), patience=QUOTA_PATIENCE)


def moving(stage_timeout: timedelta) -> Preset:
    """Reading or writing a batch of objects."""
    return _preset(stage_timeout, attempt=timedelta(hours=12), patience=timedelta(hours=24))


def granted(stage_timeout: timedelta) -> Preset:
    """Moving through grants: two attempts, then the workflow mints new ones."""
    return Preset({**moving(stage_timeout), "retry_policy": RetryPolicy(maximum_attempts=2)})


def sealing(stage_timeout: timedelta) -> Preset:
    """Making parts an object: parts that came to another checksum are gone, so a second attempt would only miss them."""
    policy = RetryPolicy(maximum_attempts=2, non_retryable_error_types=[ErrorKind.CHECKSUM_MISMATCH])
    return Preset({**moving(stage_timeout), "retry_policy": policy})


def waiting(stage_timeout: timedelta) -> Preset:
    """Watching a job: the workflow owns the deadline, this only bounds a forgotten watch."""
    return _preset(
        stage_timeout, attempt=stage_timeout + timedelta(days=1), patience=stage_timeout + timedelta(days=365)
    )


def asking(stage_timeout: timedelta) -> Preset:
    """A load or a query: the stage's timeout bounds the work itself."""
    return _preset(stage_timeout, attempt=stage_timeout, patience=QUOTA_PATIENCE)


def scoring(stage_timeout: timedelta) -> Preset:
    """Scoring rows: an attempt that has taken the stage's timeout is the last, one that was interrupted is not."""
    policy = RetryPolicy(
        initial_interval=RETRY.initial_interval,
        backoff_coefficient=RETRY.backoff_coefficient,
        maximum_interval=RETRY.maximum_interval,
        non_retryable_error_types=[OVER_TIME],
    )
    return Preset({**asking(stage_timeout), "retry_policy": policy})


def stopping(stage_timeout: timedelta) -> Preset:
    """Stopping a job until its end is confirmed: SageMaker gives a container 120 s, Vertex may take minutes."""
    waited = max(stage_timeout, CLEARING_PATIENCE)
    return _preset(waited, attempt=timedelta(minutes=30), patience=timedelta(hours=24))


def deploying(stage_timeout: timedelta) -> Preset:
    """Having an endpoint answer, or removing it again: the stage's timeout bounds the first of these."""
    return _preset(
        stage_timeout,
        attempt=stage_timeout + timedelta(minutes=30),
        patience=QUOTA_PATIENCE + timedelta(minutes=30),
    )


def brief() -> Preset:
    """Something nice to have, such as log lines for an error; nobody waits long for it."""
    return _preset(timedelta(minutes=1), attempt=timedelta(seconds=30), patience=timedelta(minutes=1))


def shipping() -> Preset:
    """Keeping the logs of a stage that has ended: a run's end waits for it, so it is given up soon."""
    bound = timedelta(minutes=3)
    return Preset(
        start_to_close_timeout=timedelta(minutes=2),
        schedule_to_close_timeout=bound,
        schedule_to_start_timeout=bound,
        heartbeat_timeout=HEARTBEAT,
        retry_policy=RETRY,
    )


def posting() -> Preset:
    """Writing into the ledger: attempts are counted and not their time, so that only one that is refused gives it up.

    While no worker is there nothing is lost, and a run whose worker is gone stands still anyway.
    """
    policy = RetryPolicy(
        initial_interval=timedelta(seconds=1),
        backoff_coefficient=2.0,
        maximum_interval=timedelta(seconds=10),
        maximum_attempts=10,
    )
    return Preset(
        start_to_close_timeout=timedelta(seconds=15),
        schedule_to_close_timeout=timedelta(days=7),
        retry_policy=policy,
    )


def alerting() -> Preset:
    """Telling somebody outside, who may be away for hours: nobody waits for it."""
    policy = RetryPolicy(
        initial_interval=timedelta(seconds=1), backoff_coefficient=2.0, maximum_interval=timedelta(minutes=5)
    )
    return Preset(
        start_to_close_timeout=timedelta(seconds=30),
        schedule_to_close_timeout=timedelta(hours=24),
        retry_policy=policy,
    )


def looking(until_taken_up: timedelta, attempt: timedelta) -> Preset:
    """A check that a person waits for: taken up at once or not at all, and never repeated."""
    return Preset(
        start_to_close_timeout=attempt,
        schedule_to_close_timeout=until_taken_up + attempt,
        schedule_to_start_timeout=until_taken_up,
        retry_policy=RetryPolicy(maximum_attempts=1),
    )


def weighing() -> Preset:
    """Asking a connection that a stage might run on: where no worker takes it up soon, the run goes on without it."""
    return Preset(
        start_to_close_timeout=timedelta(minutes=1),
        schedule_to_close_timeout=WEIGHING_PATIENCE + timedelta(minutes=1),
        schedule_to_start_timeout=WEIGHING_PATIENCE,
        heartbeat_timeout=HEARTBEAT,
        retry_policy=RETRY,
    )


def local(stage_timeout: timedelta = timedelta(minutes=5)) -> Preset:
    """An activity on the workflows' own queue, which needs no cloud."""
    return Preset(
        start_to_close_timeout=timedelta(seconds=30),
        schedule_to_close_timeout=stage_timeout,
        retry_policy=RETRY,
    )


def _preset(stage_timeout: timedelta, *, attempt: timedelta, patience: timedelta) -> Preset:
    # schedule-to-start equals the stage's timeout: such timeouts are never retried, so a shorter one would fail
    # stages whenever a worker restarts.
    return Preset(
        start_to_close_timeout=attempt,
        schedule_to_close_timeout=stage_timeout + patience,
        schedule_to_start_timeout=stage_timeout,
        heartbeat_timeout=HEARTBEAT,
        retry_policy=RETRY,
    )
