"""Who the worker is, with which kind of credential, and whether the endpoints it needs answer, by a clock like ours."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from azure.core import PipelineClient
from azure.core.rest import HttpRequest, HttpResponse

from activities.azure.signing import CLOCK_SKEW
from activities.looking import Look, finding, passed
from contracts.checks import CheckLine, Verdict

Clock = Callable[[], datetime]
PUBLIC_AUTHORITY = "https://login.microsoftonline.com"
NOTABLE_SKEW = timedelta(minutes=1)
_KEYS = ("AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_PASSWORD")
"""What azure-identity's `EnvironmentCredential` reads and somebody must renew."""
_FEDERATED = "AZURE_FEDERATED_TOKEN_FILE"
_OPTIONS: dict[str, Any] = {"retry_total": 0, "connection_timeout": 5, "read_timeout": 8}


def credential_line(environment: Mapping[str, str], resource_group: str) -> CheckLine:
    """Say whether the worker holds something that stays good when it leaks."""
    held = next((name for name in _KEYS if environment.get(name)), None)
    if held is None:
        kind = "workload identity" if environment.get(_FEDERATED) else "no key in the environment"
        return passed("keys", "credential", kind)
    fix = (
        f"az identity federated-credential create --name causeway --identity-name causeway-worker --resource-group "
        f'{resource_group} --issuer "$OIDC_ISSUER" --subject system:serviceaccount:causeway:azure '
        f"--audiences api://AzureADTokenExchange  # and take {held} away"
    )
    why = "It works for whoever finds it, until it is renewed by hand; an identity of the workload has nothing to leak."
    return finding("keys", held, "warning", f"a long-lived credential in {held}", why, fix)


def reach_look(name: str, url: Callable[[], str], now: Clock) -> Look:
    """Look whether an endpoint answers at all, over TLS, and what time it believes it is."""
    return Look("reach", name, lambda: _reached(name, url(), now))


def _reached(name: str, url: str, now: Clock) -> list[CheckLine]:
    host = urlsplit(url).netloc
    subject = f"{name} {host}"
    client: PipelineClient[HttpRequest, HttpResponse] = PipelineClient(url, policies=[], **_OPTIONS)
    with client:
        answer = client.send_request(HttpRequest("GET", url))
    if answer.status_code >= 500:
        why = "Every call of a run that needs it waits until it is back."
        return [
            finding("reach", subject, "unreachable", f"answered {answer.status_code}", why, f"curl -v {url}")
        ]
    return [passed("reach", subject, "answers over TLS"), _clock_line(host, answer, now())]


def _clock_line(host: str, answer: HttpResponse, here: datetime) -> CheckLine:
    try:
        there = parsedate_to_datetime(answer.headers["Date"]).astimezone(UTC)
    except (KeyError, ValueError, TypeError):
        return finding("clock", host, "unknown", "it tells no time", "A skew would go unseen.")
    skew = abs(here - there)
    found = f"{skew.total_seconds():.0f} s apart"
    if skew <= NOTABLE_SKEW:
        return passed("clock", host, found)
    why = f"Tokens and signed URLs are refused where clocks differ by more than {CLOCK_SKEW}."
    verdict: Verdict = "failed" if skew > CLOCK_SKEW else "warning"
    return finding("clock", host, verdict, found, why, "sudo timedatectl set-ntp true")
