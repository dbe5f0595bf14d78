"""What a connection is checked for on day one and every day after. No cloud lives here."""

from typing import Literal

from temporalio import activity

from contracts.connections import PreflightRequest
from contracts.model import Message
from contracts.packed import Packed

Verdict = Literal["passed", "warning", "failed", "unreachable", "unknown"]
"""`failed` hinders a run or breaks a rule of safety; `warning` is worth a look; `unreachable` is an endpoint that did not
answer; `unknown` is what this identity may not see, or what the endpoint does not serve: it says so, and is no pass."""


class CheckLine(Message):
    """One thing that was looked at."""

    check: str
    """What was looked at, the same word on every cloud: `identity`, `reach`, `clock`, `region`, `read`, `write`, `excess`,
    `encryption`, `public_access`, `tls_only`, `versions`, `retention`, `audit`, `quota`, `jobs`, `tables`, `keys`."""
    subject: str
    """The resource: a container's URI, a host, a role."""
    verdict: Verdict
    found: str
    """What there is, in a few words: `SSE-KMS with arn:…`."""
    why: str = ""
    """Why it matters; empty where it passed."""
    fix: str = ""
    """The command that mends it, complete: `aws s3api put-public-access-block …`; empty where it passed."""


class CheckRequest(Message):
    """What to look at: all that a connection has, or exactly what a pipeline needs."""

    connection: str
    needs: PreflightRequest | None = None
    """What a pipeline asks; None looks at the default container and whatever the worker's settings name."""


class CheckReport(Message):
    """What the worker of a connection found, by its own identity."""

    connection: str
    identity: str = ""
    """Who the worker is, as its cloud sees it; empty where the cloud did not say."""
    lines: Packed[CheckLine]


class CheckWanted(Message):
    """Which connections to look at."""

    requests: tuple[CheckRequest, ...]


class Checked(Message):
    """What a check came to, connection by connection in the order asked."""

    reports: tuple[CheckReport, ...]


class CheckActivities:
    """What every cloud's worker answers when it is checked."""

    @activity.defn(name="connections.check")
    def check(self, request: CheckRequest) -> CheckReport:
        """Look at everything at once, each look bounded; a look that goes wrong is a line and never an error.

        Safe to run twice: probes write below a name of their own and are removed. Heartbeats nothing; nothing is final.
        """
        raise NotImplementedError
