"""What a run measures of itself, by Temporal's own meter: recorded once and never under replay, and no event of a history.

Labels are few and bounded: states, kinds, clouds. Names of pipelines, runs and stages are in the traces.
"""

from temporalio import workflow

from contracts.runs import RunStatus, StageStatus, TransferResult

NO_CLOUD = NO_KIND = "none"


def stage_ended(stage: StageStatus) -> None:
    """Take down how long a stage took, what it waited for its machine, and what of it is billed."""
    labels = {"kind": stage.kind, "cloud": _cloud(stage.connection), "state": stage.phase.value}
    if stage.started_at and stage.ended_at:
        seconds = (stage.ended_at - stage.started_at).total_seconds()
        _histogram("causeway_stage_seconds", "From a stage's start to its end.", "s", seconds, labels)
    if stage.error is not None:
        failed = {"cloud": labels["cloud"], "kind": stage.error.kind}
        _counter("causeway_stage_errors", "Stages that ended with an error, by its kind.", 1, failed)
    job = stage.job
    if job is None:
        return
    cloud = {"cloud": labels["cloud"]}
    for part, seconds_of in (
        ("queued", job.queued_seconds),
        ("run", job.run_seconds),
        ("billed", job.billed_seconds),
    ):
        if seconds_of is not None:
            what = f"Of a stage's last job, the seconds {part}."
            _histogram(f"causeway_job_{part}_seconds", what, "s", seconds_of, cloud)


def generation_began(stage: StageStatus, failed_by: str | None) -> None:
    """Count a generation; all but the first of a stage are retries, each after the error of this kind."""
    if stage.attempts > 1:
        labels = {"cloud": _cloud(stage.connection), "kind": failed_by or NO_KIND}
        _counter("causeway_stage_retries", "Generations after a stage's first, by what failed.", 1, labels)


def transferred(moved: TransferResult) -> None:
    """Take down what a transfer moved, how fast, and what its egress costs where a price is known."""
    labels = {"source": _cloud(moved.source), "destination": _cloud(moved.destination)}
    _counter("causeway_transfer_bytes", "Bytes that transfers sent.", moved.size_bytes, labels)
    if moved.seconds > 0 and moved.size_bytes:
        speed = moved.size_bytes / moved.seconds / 1e6
        # The unit is in the name: told as one as well, Prometheus would have it twice.
        _histogram("causeway_transfer_megabytes_per_second", "Bytes by the seconds taken.", "", speed, labels)
    if moved.cost is not None:
        what = "Egress at the price book's rates."
        priced = {**labels, "currency": moved.currency or "USD"}
        _histogram("causeway_transfer_egress_cost", what, "", float(moved.cost), priced)


def run_ended(status: RunStatus) -> None:
    """Count a run by how it ended, and take down how long it took."""
    labels = {"state": status.phase.value}
    _counter("causeway_runs", "Runs that ended, by how.", 1, labels)
    if status.ended_at:
        seconds = (status.ended_at - status.started_at).total_seconds()
        _histogram("causeway_run_seconds", "From a run's start to its end.", "s", seconds, labels)


def _cloud(connection: str) -> str:
    return connection.partition("/")[0] or NO_CLOUD


def _counter(name: str, description: str, value: int, labels: dict[str, str]) -> None:
    workflow.metric_meter().create_counter(name, description).add(value, labels)


def _histogram(name: str, description: str, unit: str, value: float, labels: dict[str, str]) -> None:
    workflow.metric_meter().create_histogram_float(name, description, unit).record(value, labels)
