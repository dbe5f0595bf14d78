"""How a job ended, told so that a person can act on it: what the vendor's words leave out is added here."""

import re
from collections.abc import Sequence

from contracts.errors import ErrorKind
from contracts.jobs import JobPhase, JobState

_OUT_OF_MEMORY = re.compile(r"(?:[A-Za-z_][\w.]*\.)?_?(?:Array)?(?:MemoryError|OutOfMemoryError)(?::.*)?")
"""The last line of a traceback that ends with Python's own error, NumPy's or PyTorch's; it names a type, not a cause."""
_SHOWN = 200


def suspects_memory(state: JobState) -> bool:
    """Whether its log may say more than its control plane: an interpreter that runs out of memory exits with 1."""
    return state.phase is JobPhase.FAILED and state.reason is ErrorKind.JOB_FAILED


def by_last_words(state: JobState, lines: Sequence[str]) -> JobState:
    """Return the state as OUT_OF_MEMORY if the last line that the job printed is such an error, else unchanged."""
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    if not _OUT_OF_MEMORY.fullmatch(last):
        return state
    told = f"{state.message}; the last line of its log: {last[:_SHOWN]}".removeprefix("; ")
    return state.model_copy(update={"reason": ErrorKind.OUT_OF_MEMORY, "message": told})


def explained(state: JobState) -> JobState:
    """Return the state with words for an end of which vendors only say that it was one."""
    words = ""
    if state.reason is ErrorKind.TIMED_OUT:
        ran = f" after {state.run_seconds:.0f} s" if state.run_seconds is not None else ""
        words = f"it reached its time limit and was stopped{ran}"
    elif state.phase is JobPhase.STOPPED and state.reason in {None, ErrorKind.CANCELLED}:
        words = "it was stopped from outside, not by its own doing"
    if not words:
        return state
    return state.model_copy(update={"message": f"{words} ({state.message})" if state.message else words})
