"""How a command's exit code is told: the on-prem table of reasons. A job's runner imports this: standard library only."""

import signal

SHELL_SIGNAL = 128
"""A shell tells that its command died of a signal by this and the signal's number."""

REASON_OF_EXIT = {
    -signal.SIGKILL: "OUT_OF_MEMORY",
    SHELL_SIGNAL + signal.SIGKILL: "OUT_OF_MEMORY",
}
"""By exit code, as an `ErrorKind`. What the runner itself kills is told as STOPPED or TIMED_OUT and never comes here, so a
SIGKILL is the kernel's, which it sends when memory is out; of somebody's own `kill -9` it cannot be told apart."""


def reason_of(code: int) -> str:
    """Return the `ErrorKind` of a command that ended with another exit code than 0; negative for a signal."""
    return REASON_OF_EXIT.get(code, "JOB_FAILED")


def words_of(code: int) -> str:
    """Return in words how the command ended."""
    if code in REASON_OF_EXIT:
        return "the command was killed by SIGKILL, as the kernel does when the machine's memory is out"
    if code < 0:
        return f"the command was killed by signal {-code} ({signal.Signals(-code).name})"
    if code > SHELL_SIGNAL and code - SHELL_SIGNAL in {*signal.Signals}:
        name = signal.Signals(code - SHELL_SIGNAL).name
        return f"the command ended with exit code {code}, as one killed by {name}"
    return f"the command ended with exit code {code}"
