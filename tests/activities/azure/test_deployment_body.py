import uuid
from datetime import timedelta

import pytest

from activities.azure.endpoints import PROBE_SECONDS, deployment_body
from contracts.jobs import JobRequest, RunRef


@pytest.mark.parametrize("seconds", [1, 10, 15, 299, 300])
def test_azure_gives_a_server_no_less_time_than_its_stage_has(seconds: int) -> None:
    request = JobRequest(
        run=RunRef(pipeline="demo", key="k", run_uid=uuid.uuid4().hex),
        stage="serve",
        generation=1,
        kind="deploy",
        command=(("python",), ("server.py",)),
        timeout=timedelta(seconds=seconds),
    )
    probe = deployment_body(request, "westeurope", "Standard_DS3_v2", ("model", "environment"))["properties"][
        "readinessProbe"
    ]
    assert seconds <= probe["failureThreshold"] * PROBE_SECONDS < seconds + PROBE_SECONDS
