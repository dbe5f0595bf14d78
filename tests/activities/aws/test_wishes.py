"""A stage that might run on AWS, or elsewhere: what it cannot have here is told, and fails nothing."""

from temporalio.testing import ActivityEnvironment

from activities.aws import room
from activities.aws.settings import AwsSettings
from contracts.connections import ConnectionReport, MachineRequest, PreflightRequest, Wish
from contracts.machines import Resources


def test_a_stage_that_might_run_elsewhere_is_declined_and_refuses_nothing(settings: AwsSettings) -> None:
    (preflight,) = [found for found in room.activities(settings) if found.__name__ == "preflight"]
    jobs = ("jobs", "storage")
    request = PreflightRequest(
        connection="aws/default",
        wishes={
            "fits": Wish(needs=jobs, machine=MachineRequest(kind="train")),
            "huge": Wish(needs=jobs, machine=MachineRequest(kind="train", resources=Resources(cpu=1024))),
            "asks": Wish(needs=("storage", "tables")),
            "lies": Wish(containers=("s3://causeway-absent/",)),
        },
    )
    report: ConnectionReport = ActivityEnvironment().run(preflight, request)
    assert set(report.machines) == {"fits"}
    named = {"huge": "1024", "asks": "no tables", "lies": "s3://causeway-absent"}
    assert {
        stage: words in report.declined.get(stage, "") for stage, words in named.items()
    } == dict.fromkeys(named, True)
