import pytest

from activities.azure.states import PHASES, REASONS, phase_of, reason_of
from contracts.errors import ErrorKind
from contracts.jobs import JobPhase

ENDS = {"Completed": JobPhase.SUCCEEDED, "Failed": JobPhase.FAILED, "Canceled": JobPhase.STOPPED}


@pytest.mark.parametrize(("status", "phase"), PHASES.items(), ids=PHASES)
def test_only_the_vendor_s_three_ends_are_ends(status: str, phase: JobPhase) -> None:
    assert phase_of(status) == phase
    assert phase.terminal == (status in ENDS)


def test_a_status_that_is_new_is_no_end() -> None:
    assert not phase_of("Hibernating").terminal


def test_every_status_of_the_sdk_is_known() -> None:
    from azure.ai.ml._restclient.arm_ml_service.models import JobStatus

    assert {status.value for status in JobStatus} <= set(PHASES)


@pytest.mark.parametrize(("name", "kind"), REASONS.items(), ids=REASONS)
@pytest.mark.parametrize("place", ["code", "inner", "message"])
def test_a_name_of_the_vendor_tells_the_reason(name: str, kind: ErrorKind, place: str) -> None:
    errors = {
        "code": {"code": name, "message": "told"},
        "inner": {"code": "UserError", "message": "told", "innerError": {"code": name}},
        "message": {"code": "UserError", "message": f"AzureMLCompute job failed.\n{name}: told"},
    }
    assert reason_of(JobPhase.FAILED, errors[place], overdue=False) == kind


@pytest.mark.parametrize(("code", "kind"), [(137, ErrorKind.OUT_OF_MEMORY), (1, ErrorKind.JOB_FAILED)])
def test_an_exit_by_sigkill_is_memory(code: int, kind: ErrorKind) -> None:
    told = f"Execution failed. User process 'bash' exited with status code {code}. Error: status code 137"
    assert reason_of(JobPhase.FAILED, {"code": "UserError", "message": told}, overdue=False) == kind


def test_what_the_job_printed_is_no_reason() -> None:
    error = {"code": "UserError", "message": "Execution failed. Error: PreemptionError OutOfMemory"}
    assert reason_of(JobPhase.FAILED, error, overdue=False) == ErrorKind.JOB_FAILED


@pytest.mark.parametrize(
    ("phase", "overdue", "kind"),
    [
        (JobPhase.STOPPED, True, ErrorKind.TIMED_OUT),
        (JobPhase.STOPPED, False, ErrorKind.CANCELLED),
        (JobPhase.FAILED, True, ErrorKind.JOB_FAILED),
        (JobPhase.SUCCEEDED, True, None),
        (JobPhase.RUNNING, True, None),
    ],
)
def test_a_job_stopped_at_its_limit_timed_out(phase: JobPhase, overdue: bool, kind: ErrorKind | None) -> None:
    assert reason_of(phase, {}, overdue=overdue) == kind
