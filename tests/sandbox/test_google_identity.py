from __future__ import annotations

import dataclasses
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import google.auth
import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from google.api_core import exceptions as google_errors
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request

from tests.house import PATIENCE_SECONDS
from tests.sandbox.google_cloud import CALL_SECONDS, SCOPES, VERTEX, GoogleCloud, Relayed, running

GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
AUDIENCE = "https://oauth2.googleapis.com/token"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GoogleCloud]:
    with running(tmp_path_factory.mktemp("google")) as started:
        yield started


@pytest.fixture
def account(cloud: GoogleCloud) -> dict[str, str]:
    stored: dict[str, str] = json.loads(cloud.endpoints.service_account_file.read_text())
    return stored


def claims(account: dict[str, str], **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    plain = {
        "iss": account["client_email"],
        "aud": AUDIENCE,
        "scope": SCOPES[0],
        "iat": now,
        "exp": now + 3600,
    }
    return {name: value for name, value in {**plain, **changes}.items() if value is not None}


def traded(cloud: GoogleCloud, assertion: str, grant: str = GRANT) -> requests.Response:
    form = {"grant_type": grant, "assertion": assertion}
    return requests.post(cloud.endpoints.google_token_url, data=form, timeout=CALL_SECONDS)


def asked(cloud: GoogleCloud, token: str | None) -> requests.Response:
    url = f"{cloud.endpoints.vertex_url}/v1/{cloud.parent}/customJobs"
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.get(url, headers=headers, timeout=CALL_SECONDS)


def test_default_credentials_get_a_token_over_plain_http(
    cloud: GoogleCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(cloud.endpoints.service_account_file))
    credentials, project = google.auth.default(scopes=SCOPES)
    credentials.refresh(Request())  # type: ignore[no-untyped-call]
    assert project == "causeway-dev"
    assert credentials.valid
    assert (
        list(cloud.jobs(Relayed(credentials)).list_custom_jobs(parent=cloud.parent, timeout=CALL_SECONDS))
        == []
    )
    assert cloud.bucket().exists(timeout=CALL_SECONDS)


def test_a_token_signed_by_the_account_itself_is_good_for_the_api_it_names(
    cloud: GoogleCloud, account: dict[str, str]
) -> None:
    own = cloud.account().with_always_use_jwt_access(True)
    own.refresh(Request())
    assert asked(cloud, own.token).status_code == 200
    for audience, status in (
        ("https://aiplatform.googleapis.com/", 200),
        ("https://storage.googleapis.com/", 401),
    ):
        named = claims(account, aud=audience, scope=None)
        assert (
            asked(cloud, jwt.encode(named, account["private_key"], algorithm="RS256")).status_code == status
        )


def test_an_assertion_signed_with_a_foreign_key_is_refused(
    cloud: GoogleCloud, account: dict[str, str]
) -> None:
    foreign = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    answer = traded(cloud, jwt.encode(claims(account), foreign, algorithm="RS256"))
    assert answer.status_code == 400
    assert answer.json() == {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}


def test_google_auth_reports_a_refused_account(cloud: GoogleCloud) -> None:
    stranger = cloud.account()
    stranger._service_account_email = "stranger@elsewhere.iam.gserviceaccount.com"
    with pytest.raises(RefreshError, match="account not found"):
        stranger.refresh(Request())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"iss": "another@causeway-dev.iam.gserviceaccount.com"}, "account not found"),
        ({"aud": "https://elsewhere.example/token"}, "Audience doesn't match"),
        ({"iat": 1_000_000_000, "exp": 1_000_003_600}, "expired"),
        ({"exp": None}, "exp"),
        ({"exp": int(time.time()) + 90_000}, "short-lived"),
        ({"scope": None}, "Invalid OAuth scope"),
    ],
    ids=["issuer", "audience", "expired", "endless", "long-lived", "no scope"],
)
def test_an_assertion_that_google_would_refuse_is_refused(
    cloud: GoogleCloud, account: dict[str, str], changes: dict[str, Any], expected: str
) -> None:
    signed = jwt.encode(claims(account, **changes), account["private_key"], algorithm="RS256")
    answer = traded(cloud, signed)
    assert answer.status_code == 400
    assert expected in answer.json()["error_description"]


def test_another_grant_type_is_refused(cloud: GoogleCloud) -> None:
    assert traded(cloud, "x", grant="password").json()["error"] == "unsupported_grant_type"


@pytest.mark.parametrize("token", [None, "nonsense", "a.b.c"])
def test_a_call_without_a_good_token_is_refused(cloud: GoogleCloud, token: str | None) -> None:
    answer = asked(cloud, token)
    assert answer.status_code == 401
    assert answer.json()["error"]["status"] == "UNAUTHENTICATED"


def test_a_token_signed_with_a_guessed_secret_is_refused(cloud: GoogleCloud, account: dict[str, str]) -> None:
    guessed = claims(account, iss="https://accounts.google.com", sub=account["client_email"])
    assert asked(cloud, jwt.encode(guessed, "secret" * 8, algorithm="HS256")).status_code == 401
    assert asked(cloud, jwt.encode(guessed, "", algorithm="none")).status_code == 401


def test_a_token_for_another_scope_is_forbidden(cloud: GoogleCloud) -> None:
    reader = Relayed(cloud.account(["https://www.googleapis.com/auth/devstorage.read_only"]))
    with pytest.raises(google_errors.Forbidden, match="insufficient authentication scopes"):
        cloud.jobs(reader).list_custom_jobs(parent=cloud.parent, timeout=CALL_SECONDS)


def test_tokens_outlive_the_server(cloud: GoogleCloud) -> None:
    before = cloud.account()
    before.refresh(Request())
    cloud.end("vertex")
    cloud.start(VERTEX)
    assert asked(cloud, before.token).status_code == 200


def test_a_missing_service_account_is_one_clear_line(cloud: GoogleCloud, tmp_path: Path) -> None:
    elsewhere = dataclasses.replace(cloud.layout, root=tmp_path)
    missing = dataclasses.replace(cloud.endpoints, service_account_file=tmp_path / "none.json")
    missing.save(elsewhere)
    start = VERTEX.command(elsewhere, missing)
    ended = subprocess.run(
        start.argv,
        env=start.env,
        cwd=elsewhere.checkout,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert "none.json cannot be read" in ended.stderr
