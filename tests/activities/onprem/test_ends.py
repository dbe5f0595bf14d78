import pytest

from activities.onprem.ends import REASON_OF_EXIT, reason_of, words_of
from contracts.errors import ErrorKind


@pytest.mark.parametrize(("code", "reason"), REASON_OF_EXIT.items(), ids=str)
def test_an_exit_code_of_the_table_tells_the_reason(code: int, reason: str) -> None:
    assert reason_of(code) == ErrorKind(reason)


@pytest.mark.parametrize("code", [1, 2, 127, -15, 143, 255])
def test_any_other_exit_code_is_the_job_s_own(code: int) -> None:
    assert reason_of(code) == ErrorKind.JOB_FAILED


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (1, "exit code 1"),
        (-15, "SIGTERM"),
        (143, "as one killed by SIGTERM"),
        (137, "memory"),
        (-9, "SIGKILL"),
    ],
)
def test_an_end_is_told_in_words(code: int, words: str) -> None:
    assert words in words_of(code)
