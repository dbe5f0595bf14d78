"""On-prem servers that end when nobody asked them to."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError

from activities.endpoints import ServiceEndpointActivities
from activities.onprem import room
from activities.onprem.endpoints import ProcessEndpoints
from activities.onprem.errors import translate
from activities.onprem.settings import OnpremSettings
from contracts.jobs import JobRequest, RunRef
from tests.activities.onprem.test_jobs import PROGRAMS


@pytest.fixture
def settings(tmp_path: Path) -> OnpremSettings:
    told = {
        "CAUSEWAY_CONTAINER": "data",
        "CAUSEWAY_ONPREM_ROOT": str(tmp_path),
        "CAUSEWAY_ONPREM_PATH": PROGRAMS,
    }
    return OnpremSettings.from_mapping(told)


@pytest.fixture
def served(settings: OnpremSettings) -> ProcessEndpoints:
    return room.endpoints(settings)


def serve(settings: OnpremSettings, served: ProcessEndpoints, script: str) -> Any:
    request = JobRequest(
        run=RunRef(pipeline="demo", key="k", run_uid="0" * 32),
        stage="serve",
        generation=1,
        kind="deploy",
        command=(("python",), ("-c",), (script,)),
        timeout=timedelta(minutes=1),
    )
    return ServiceEndpointActivities(served, room.store(settings), translate).deploy(request)


def test_a_server_that_ends_well_before_it_was_asked_to_is_told_as_that_with_its_last_lines(
    settings: OnpremSettings, served: ProcessEndpoints
) -> None:
    with pytest.raises(ApplicationError) as raised:
        serve(settings, served, "print('scored what there was', flush=True)")
    assert raised.value.type == "JOB_FAILED"
    assert "the server ended by itself, with exit code 0, before anybody asked it to" in raised.value.message
    assert "listen on PORT" in raised.value.message
    assert "scored what there was" in raised.value.message
    assert "SUCCEEDED" not in raised.value.message
    assert list(served.marked()) == []
