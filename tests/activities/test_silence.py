"""How long a control plane did not tell of a job, as a worker's own meter takes it down."""

from pathlib import Path
from typing import Any

from temporalio.runtime import MetricBuffer, Runtime, TelemetryConfig
from temporalio.testing import ActivityEnvironment

from contracts.jobs import JobPhase, WaitRequest
from tests.activities.test_watching import REF, Told, away, jobs


def unknown_seconds(root: Path, *answers: Any) -> list[tuple[str, int, dict[str, Any]]]:
    buffer = MetricBuffer(1000)
    environment = ActivityEnvironment()
    environment.metric_meter = Runtime(telemetry=TelemetryConfig(metrics=buffer)).metric_meter
    environment.run(jobs(Told(*answers), root).wait, WaitRequest(ref=REF, seen=JobPhase.RUNNING))
    return [
        (update.metric.name, int(update.value), dict(update.attributes))
        for update in buffer.retrieve_updates()
        if update.metric.name == "causeway_job_unknown_seconds"
    ]


def test_the_seconds_in_which_nothing_is_told_are_counted_while_they_pass(tmp_path: Path) -> None:
    found = unknown_seconds(tmp_path, *[away()] * 8, JobPhase.SUCCEEDED)
    # Eight polls that nobody answers, 0.2 s apart and ever more, are about three seconds.
    assert 2 <= sum(value for _, value, _ in found) <= 6
    assert len(found) > 1, "one that stays silent for days is to be seen before it speaks again"
    assert {labels["cloud"] for *_, labels in found} == {"none"}


def test_a_control_plane_that_answers_costs_no_unknown_second(tmp_path: Path) -> None:
    assert unknown_seconds(tmp_path, JobPhase.RUNNING, JobPhase.RUNNING, JobPhase.SUCCEEDED) == []
