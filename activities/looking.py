"""How a connection is looked at: many looks at once, each bounded, each ending in lines and never in an error."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import urllib3
from temporalio.exceptions import ApplicationError

from activities.store import Store, put_small
from contracts.checks import CheckLine, Verdict
from contracts.errors import ErrorKind
from contracts.storage import HIDDEN

Translate = Callable[[BaseException, str], ApplicationError]
LOOK_SECONDS = 12.0
"""What all looks that began together may take; one that is slower is told as unreachable."""
NOTABLE_SKEW = timedelta(minutes=1)
WORST_SKEW = timedelta(minutes=5)
"""Beyond it tokens of Azure are refused; S3 and Cloud Storage refuse signatures from 15 minutes on."""
PROBE = b"causeway check\n"
UNKNOWN = "What this identity may not see cannot be vouched for."
SILENT = "Nothing is known of it before it answers."
_AWAY = {502, 503, 504}
"""What stands before a server answers when the server does not; any other answer to a bare GET shows that it is there."""
_VERDICTS: dict[str, Verdict] = {
    ErrorKind.UNAVAILABLE: "unreachable",
    ErrorKind.UNAUTHENTICATED: "failed",
}
"""What an error says of a look that only reads; what may not be seen, or is not served, is not known."""


@dataclass(frozen=True)
class Look:
    """One look: what it is about, and what to do where it is refused."""

    check: str
    subject: str
    take: Callable[[], Sequence[CheckLine]]
    refused: Verdict = "unknown"
    """What a refusal, or a thing that is missing, means: `failed` where a run needs it."""
    why: str = UNKNOWN
    fix: str = ""
    """The command that gives the right, or makes what is missing."""


def passed(check: str, subject: str, found: str) -> CheckLine:
    """A line about what is as it should be."""
    return CheckLine(check=check, subject=subject, verdict="passed", found=found)


def finding(check: str, subject: str, verdict: Verdict, found: str, why: str, fix: str = "") -> CheckLine:
    """A line about what is not."""
    return CheckLine(check=check, subject=subject, verdict=verdict, found=found, why=why, fix=fix)


def look_at_all(
    looks: Sequence[Look], translate: Translate, seconds: float = LOOK_SECONDS
) -> list[CheckLine]:
    """Take all looks at once and return their lines in the order of the looks, within `seconds`."""
    found: dict[int, Sequence[CheckLine]] = {}

    def one(index: int) -> None:
        found[index] = _taken(looks[index], translate)

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


def reach_look(name: str, url: str, now: Callable[[], datetime]) -> Look:
    """Look whether an endpoint answers at all, and what time it believes it is."""
    subject = f"{name} {urlsplit(url).netloc}"
    return Look("reach", subject, lambda: _reached(subject, url, now))


def probe_look(store: Store, uri: str, name: str, fix: str) -> Look:
    """Look whether an object can be written, read and removed again in a container; whatever happens, none stays."""

    def probe() -> list[CheckLine]:
        target = f"{uri}{HIDDEN}check/{name}"
        try:
            put_small(store, target, PROBE, owner="", media_type="text/plain")
            held = store.stat(target)
            read = b"".join(store.read(held)) if held else b""
        finally:
            store.delete(target)
        if read != PROBE:
            why = "What is written here is not what is read."
            return [finding("write", uri, "failed", f"{len(read)} bytes came back of {len(PROBE)}", why)]
        return [passed("write", uri, "can write, read and delete")]

    return Look("write", uri, probe, "failed", "No stage that uses this container can run.", fix)


def clock_line(host: str, told: str | None, here: datetime) -> CheckLine:
    """Compare a server's `Date` with the worker's clock."""
    try:
        there = parsedate_to_datetime(told or "").astimezone(UTC)
    except (ValueError, TypeError):
        return finding("clock", host, "unknown", "it tells no time", "A skew would go unseen.")
    skew = abs(here - there)
    found = f"{skew.total_seconds():.0f} s apart"
    if skew <= NOTABLE_SKEW:
        return passed("clock", host, found)
    why = f"Tokens and signed URLs are refused where clocks differ by more than {WORST_SKEW.seconds // 60} minutes."
    return finding(
        "clock",
        host,
        "failed" if skew > WORST_SKEW else "warning",
        found,
        why,
        "sudo timedatectl set-ntp true",
    )


def _reached(subject: str, url: str, now: Callable[[], datetime]) -> list[CheckLine]:
    with urllib3.PoolManager(retries=False, timeout=urllib3.Timeout(connect=5, read=5)) as pool:
        try:
            answer = pool.request("GET", url, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            found = f"cannot be reached ({_reason(error)})"
            return [finding("reach", subject, "unreachable", found, SILENT, f"curl -v {url}")]
    if answer.status in _AWAY:
        return [
            finding("reach", subject, "unreachable", f"answered {answer.status}", SILENT, f"curl -v {url}")
        ]
    how = "over TLS" if url.startswith("https://") else "without TLS"
    return [
        passed("reach", subject, f"answers {how}"),
        clock_line(urlsplit(url).netloc, answer.headers.get("Date"), now()),
    ]


def _reason(error: Exception) -> str:
    """The kind of failure alone: a library's words may hold an address."""
    reason = getattr(error, "reason", None) or error
    return type(reason).__name__


def _taken(look: Look, translate: Translate) -> Sequence[CheckLine]:
    try:
        return look.take()
    except Exception as error:
        told = translate(error, look.subject)
        verdict = _VERDICTS.get(told.type or "", "unknown")
        if told.type in (ErrorKind.ACCESS_DENIED, ErrorKind.SOURCE_MISSING):
            verdict = look.refused
        why = SILENT if verdict == "unreachable" else look.why
        return [finding(look.check, look.subject, verdict, told.message, why, look.fix)]


def _late(look: Look, seconds: float) -> CheckLine:
    return finding(look.check, look.subject, "unreachable", f"no answer within {seconds:g} s", SILENT)
