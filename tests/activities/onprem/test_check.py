"""A check of an on-prem connection: its folder, its disk, and what its jobs would run with."""

import shutil
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.onprem import room
from activities.onprem.check import OnpremCheck
from activities.onprem.settings import OnpremSettings
from contracts.checks import CheckLine, CheckReport, CheckRequest
from contracts.connections import PreflightRequest


@pytest.fixture
def settings(tmp_path: Path) -> OnpremSettings:
    tmp_path.chmod(0o700)
    return OnpremSettings.from_mapping({"CAUSEWAY_CONTAINER": "data", "CAUSEWAY_ONPREM_ROOT": str(tmp_path)})


def checked(settings: OnpremSettings, search: str = "", needs: PreflightRequest | None = None) -> CheckReport:
    check = OnpremCheck(settings, room.store(settings), search)
    report: CheckReport = ActivityEnvironment().run(
        check.check, CheckRequest(connection="onprem/default", needs=needs)
    )
    return report


def of(report: CheckReport, check: str) -> list[CheckLine]:
    return [line for line in report.lines if line.check == check]


def test_a_folder_of_ones_own_passes_and_keeps_no_probe(settings: OnpremSettings) -> None:
    report = checked(settings)
    held = {
        check: {line.verdict for line in of(report, check)} for check in ("read", "write", "public_access")
    }
    assert held == {"read": {"passed"}, "write": {"passed"}, "public_access": {"passed"}}
    left = [path for path in settings.root.rglob("*") if path.is_file() and ".causeway/meta" not in str(path)]
    assert left == []


def test_a_folder_that_others_may_read_is_warned_of(settings: OnpremSettings) -> None:
    settings.root.chmod(0o755)
    (line,) = of(checked(settings), "public_access")
    assert (line.verdict, line.fix) == ("warning", f"chmod o-rwx {settings.root}")


def test_a_path_without_python_fails(settings: OnpremSettings) -> None:
    (line,) = of(checked(settings, search="/nowhere"), "jobs")
    assert line.verdict == "failed"
    assert "CAUSEWAY_ONPREM_PATH" in line.fix


def test_more_than_the_machine_has_is_warned_of(settings: OnpremSettings) -> None:
    told = settings.model_copy(update={"cpus": 4096})
    (line,) = [line for line in of(checked(told), "quota") if line.subject == "machine"]
    assert line.verdict == "warning"
    assert "CAUSEWAY_ONPREM_CPUS=4096" in line.found


def test_a_root_that_has_gone_fails(settings: OnpremSettings) -> None:
    store = room.store(settings)
    shutil.rmtree(settings.root)
    check = OnpremCheck(settings, store, "")
    report: CheckReport = ActivityEnvironment().run(check.check, CheckRequest(connection="onprem/default"))
    assert [(line.subject, line.verdict) for line in report.lines] == [(str(settings.root), "failed")]
    assert not settings.root.exists()


def test_tables_are_not_had_here(settings: OnpremSettings) -> None:
    needs = PreflightRequest(connection="onprem/default", needs=("storage", "tables"))
    report = checked(settings, needs=needs)
    assert [line.verdict for line in of(report, "tables")] == ["failed"]
    assert of(report, "jobs") == []
