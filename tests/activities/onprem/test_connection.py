"""What the preflight of the on-prem connection refuses."""

import sys
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities.onprem import room
from activities.onprem.settings import OnpremSettings
from contracts.connections import MachineRequest, PreflightRequest, Wish
from contracts.machines import Resources


def test_all_that_stands_in_the_way_is_named_at_once(tmp_path: Path) -> None:
    told = {"CAUSEWAY_CONTAINER": "data", "CAUSEWAY_ONPREM_ROOT": str(tmp_path)}
    settings = OnpremSettings.from_mapping(told)
    (preflight,) = [found for found in room.activities(settings) if found.__name__ == "preflight"]
    request = PreflightRequest(
        connection="onprem/default",
        needs=("storage", "tables"),
        containers=("file:///absent/", "file:///../outside/"),
        machines={"huge": MachineRequest(kind="train", resources=Resources(cpu=1024))},
    )
    with pytest.raises(ApplicationError) as raised:
        preflight(request)
    first, *lines = raised.value.message.splitlines()
    assert first == "4 things stand in the way:"
    named = ("no tables", "file:///absent/", "file:///../outside/", "stage huge")
    assert [name in line for name, line in zip(named, lines, strict=True)] == [True] * 4


def test_a_stage_that_might_run_elsewhere_is_declined_and_refuses_nothing(tmp_path: Path) -> None:
    told = {
        "CAUSEWAY_CONTAINER": "data",
        "CAUSEWAY_ONPREM_ROOT": str(tmp_path),
        "CAUSEWAY_ONPREM_PATH": str(Path(sys.executable).parent),
    }
    settings = OnpremSettings.from_mapping(told)
    (preflight,) = [found for found in room.activities(settings) if found.__name__ == "preflight"]
    jobs = {"needs": ("jobs", "storage")}
    report = preflight(
        PreflightRequest(
            connection="onprem/default",
            wishes={
                "fits": Wish(**jobs, machine=MachineRequest(kind="train")),
                "huge": Wish(**jobs, machine=MachineRequest(kind="train", resources=Resources(cpu=1024))),
                "asks": Wish(needs=("storage", "tables")),
                "lies": Wish(containers=("file:///absent/",)),
            },
        )
    )
    assert set(report.machines) == {"fits"}
    named = {"huge": "1024", "asks": "no tables", "lies": "file:///absent/"}
    assert {stage: words in report.declined[stage] for stage, words in named.items()} == dict.fromkeys(
        named, True
    )
    assert set(report.declined) == set(named)
