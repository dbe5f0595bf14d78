"""Delivers alerts to the one receiver that the worker of workflows is told of. Neither its address nor the secret leaves."""

import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from temporalio import activity

from activities.posting import Poster, check_url
from contracts.alerts import Alert, AlertActivities, AlertReceipt, ObserverActivities
from contracts.connect import page_of
from contracts.errors import ErrorKind, failure
from contracts.observed import ALERT_EVENTS, AlertEvent, Observed
from contracts.runs import workflow_id

URL = "CAUSEWAY_ALERT_URL"
SECRET = "CAUSEWAY_ALERT_SECRET"  # noqa: S105 - the variable's name
SECRET_FILE = "CAUSEWAY_ALERT_SECRET_FILE"  # noqa: S105 - the variable's name
WANTED = "CAUSEWAY_ALERT_ON"
_TEXT_LIMIT = 2500
"""Characters; Slack takes more, but cuts long texts as it likes (from its documentation, not tried)."""


@dataclass(frozen=True)
class Receiver:
    """Where alerts go, which, and what they are signed with."""

    url: str
    secret: bytes
    """Empty: nothing is signed."""
    wanted: tuple[AlertEvent, ...]

    @classmethod
    def from_mapping(cls, environment: Mapping[str, str]) -> Self | None:
        """Read the settings; None where no receiver is named.

        Raises:
            ValueError: one of them is wrong; says which, and shows no value.
        """
        url = environment.get(URL, "").strip()
        if not url:
            for name in (SECRET, SECRET_FILE, WANTED):
                if environment.get(name, "").strip():
                    raise ValueError(f"{name} is set but {URL} is not; name a receiver, or leave both out")
            return None
        check_url(url, URL)
        return cls(url, _secret(environment), _wanted(environment.get(WANTED, "")))


class Webhook(AlertActivities, ObserverActivities):
    """Posts JSON, and leaves retrying to Temporal."""

    def __init__(self, receiver: Receiver | None, observed: Observed) -> None:
        """Deliver to this receiver; without one every alert waits for a worker that has one."""
        self._receiver = receiver
        self._observed = observed
        self._poster = Poster(receiver.url, "the receiver of alerts", URL) if receiver else None

    @activity.defn(name="observers.describe")
    def describe(self) -> Observed:
        """See the contract."""
        return self._observed

    @activity.defn(name="alerts.send")
    def send(self, alert: Alert) -> AlertReceipt:
        """See the contract."""
        if self._receiver is None or self._poster is None:
            told = f"{URL} is not set on this worker; another one that has it set may take this up"
            raise failure(ErrorKind.UNAVAILABLE, told)
        body = json.dumps(document(alert, page_of(workflow_id(alert.run.pipeline, alert.run.key)))).encode()
        headers = headers_of(alert, body, self._receiver.secret, int(time.time()))
        self._poster.post(body, headers)
        return AlertReceipt(delivered=True)


def document(alert: Alert, page: str) -> dict[str, str]:
    """What the receiver is told; `text` is all that Slack reads."""
    return {
        "text": _text(alert, page),
        "id": alert.id,
        "event": alert.event,
        "pipeline": alert.run.pipeline,
        "key": alert.run.key,
        "run_uid": alert.run.run_uid,
        "stage": alert.stage,
        "kind": alert.kind,
        "message": alert.message,
        "hint": alert.hint,
        "at": alert.at.isoformat(),
        "page": page,
    }


def headers_of(alert: Alert, body: bytes, secret: bytes, now: int) -> dict[str, str]:
    """What goes with the body: its id, and if there is a secret when it was signed and the signature."""
    plain = {"Content-Type": "application/json", "User-Agent": "causeway", "Causeway-Id": alert.id}
    if not secret:
        return plain
    signed = hmac.new(secret, f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    return plain | {"Causeway-Timestamp": str(now), "Causeway-Signature": f"v1={signed}"}


def _text(alert: Alert, page: str) -> str:
    stage = f", stage {alert.stage}" if alert.stage else ""
    reason = ": ".join(filter(None, (alert.kind, alert.message)))
    lines = (f"{alert.run.pipeline}/{alert.run.key}{stage}: {_WORDS[alert.event]}", reason, alert.hint)
    return "\n".join([_escaped(line)[:_TEXT_LIMIT] for line in lines if line] + [page])


_WORDS: Mapping[AlertEvent, str] = {
    "waiting": "waits for a decision: retry, skip or abort",
    "failed": "failed",
    "succeeded": "succeeded",
    "paused": "is paused",
    "cancelled": "was cancelled",
    "slow": "takes longer than usual",
    "absent": "waits for a worker",
}


def _escaped(text: str) -> str:
    # Slack reads these three as markup, such as mentions of everybody.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _secret(environment: Mapping[str, str]) -> bytes:
    secret, file = environment.get(SECRET, "").strip(), environment.get(SECRET_FILE, "").strip()
    if secret and file:
        raise ValueError(f"{SECRET} and {SECRET_FILE} are both set; keep one of them")
    if not file:
        return secret.encode()
    try:
        held = Path(file).read_bytes().strip()
    except OSError as error:
        raise ValueError(f"{SECRET_FILE} cannot be read: {error.strerror}") from None
    if not held:
        raise ValueError(f"{SECRET_FILE} names an empty file")
    return held


def _wanted(written: str) -> tuple[AlertEvent, ...]:
    names = [name.strip() for name in written.split(",") if name.strip()]
    strange = sorted(set(names) - set(ALERT_EVENTS))
    if strange:
        raise ValueError(f"{WANTED}: there is no event {strange[0]!r}; choose from {', '.join(ALERT_EVENTS)}")
    return tuple(event for event in ALERT_EVENTS if event in names) if names else ALERT_EVENTS
