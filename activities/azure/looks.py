"""How an Azure connection is looked at: many looks at once, each bounded, each ending in lines and never in an error."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from activities.azure.errors import translate
from contracts.checks import CheckLine, Verdict
from contracts.errors import ErrorKind

LOOK_SECONDS = 12.0
"""What all looks that began together may take; one that is slower is told as unreachable."""
_VERDICTS: dict[str, Verdict] = {
    ErrorKind.UNAVAILABLE: "unreachable",
    ErrorKind.THROTTLED: "unknown",
    ErrorKind.SOURCE_MISSING: "unknown",
    ErrorKind.ACCESS_DENIED: "unknown",
    ErrorKind.UNAUTHENTICATED: "failed",
}
"""What an error says of a look that only reads: what may not be seen, or is not served, is not known."""


@dataclass(frozen=True)
class Look:
    """One look: what it is about, and what to do where it is refused."""

    check: str
    subject: str
    take: Callable[[], Sequence[CheckLine]]
    refused: Verdict = "unknown"
    """What a refusal, or a thing that is missing, means: `failed` where a run needs it."""
    why: str = "What this identity may not see cannot be vouched for."
    fix: str = ""
    """The command that gives the right, or makes what is missing."""


def passed(check: str, subject: str, found: str) -> CheckLine:
    """A line about what is as it should be."""
    return CheckLine(check=check, subject=subject, verdict="passed", found=found)


def finding(check: str, subject: str, verdict: Verdict, found: str, why: str, fix: str = "") -> CheckLine:
    """A line about what is not."""
    return CheckLine(check=check, subject=subject, verdict=verdict, found=found, why=why, fix=fix)


def look_at_all(looks: Sequence[Look], seconds: float = LOOK_SECONDS) -> list[CheckLine]:
    """Take all looks at once and return their lines in the order of the looks, within `seconds`."""
    found: dict[int, Sequence[CheckLine]] = {}

    def one(index: int) -> None:
        found[index] = _taken(looks[index])

    # A look that hangs must not keep the worker from ending: its client's own limits end it.
    threads = [
        threading.Thread(target=one, args=(index,), daemon=True, name=f"look-{index}")
        for index in range(len(looks))
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return [line for index, look in enumerate(looks) for line in found.get(index) or [_late(look, seconds)]]


def _taken(look: Look) -> Sequence[CheckLine]:
    try:
        return look.take()
    except Exception as exc:
        told = translate(exc, look.subject)
        verdict = _VERDICTS.get(told.type or "", "unknown")
        if told.type in (ErrorKind.ACCESS_DENIED, ErrorKind.SOURCE_MISSING):
            verdict = look.refused
        why = "Nothing is known of it before it answers." if verdict == "unreachable" else look.why
        return [finding(look.check, look.subject, verdict, told.message, why, look.fix)]


def _late(look: Look, seconds: float) -> CheckLine:
    found = f"no answer within {seconds:g} s"
    return finding(
        look.check, look.subject, "unreachable", found, "Nothing is known of it before it answers."
    )
