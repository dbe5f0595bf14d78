from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError
from azure.storage.blob import BlobSasPermissions, BlobServiceClient, generate_blob_sas
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.layout import CONTAINER
from tests.sandbox.azure_cloud import CALL_SECONDS, AzureCloud, running

STORAGE = "https://storage.azure.com/.default"


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureCloud]:
    with running(tmp_path_factory.mktemp("azure")) as started:
        yield started


@pytest.mark.parametrize(
    ("changed", "status", "error", "code"),
    [
        pytest.param({"client_secret": "wrong"}, 401, "invalid_client", 7000215, id="wrong secret"),
        pytest.param({"client_id": "nobody"}, 400, "unauthorized_client", 700016, id="unknown application"),
        pytest.param({"grant_type": "password"}, 400, "unsupported_grant_type", 70003, id="another flow"),
        pytest.param(
            {"scope": "https://x.test/.default"}, 400, "invalid_resource", 500011, id="unknown resource"
        ),
        pytest.param(
            {"scope": "https://storage.azure.com"}, 400, "invalid_scope", 1002012, id="no default scope"
        ),
    ],
)
def test_a_token_is_refused_to_who_has_no_right_to_it(
    cloud: AzureCloud, changed: dict[str, str], status: int, error: str, code: int
) -> None:
    answer = cloud.token_request(**changed)
    assert answer.status_code == status
    assert (answer.json()["error"], answer.json()["error_codes"]) == (error, [code])
    assert "access_token" not in answer.json()


def test_the_sdk_says_that_the_secret_is_wrong(cloud: AzureCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    from azure.identity import DefaultAzureCredential

    monkeypatch.setenv("AZURE_CLIENT_SECRET", "wrong")
    with pytest.raises(ClientAuthenticationError, match="AADSTS7000215"):
        DefaultAzureCredential(disable_instance_discovery=True).get_token(STORAGE)


def test_tokens_carry_the_issuer_and_the_audience_of_what_was_asked_for(cloud: AzureCloud) -> None:
    token = cloud.credential.get_token(STORAGE).token
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["aud"] == "https://storage.azure.com"
    assert claims["iss"] == f"https://sts.windows.net/{cloud.endpoints.azure_tenant_id}/"
    url = f"{cloud.endpoints.azure_url}/{cloud.endpoints.azure_tenant_id}/discovery/v2.0/keys"
    published = requests.get(url, timeout=CALL_SECONDS, verify=cloud.authority).json()
    key = jwt.PyJWKSet.from_dict(published)[jwt.get_unverified_header(token)["kid"]]
    assert jwt.decode(token, key, algorithms=["RS256"], audience="https://storage.azure.com")["appid"]


def test_a_token_opens_blob_storage_and_mints_links_that_cannot_be_changed(cloud: AzureCloud) -> None:
    cloud.put("grants/a", "one")
    service = BlobServiceClient(cloud.endpoints.blob_url, credential=cloud.credential)
    begin, end = datetime.now(UTC) - timedelta(minutes=5), datetime.now(UTC) + timedelta(minutes=15)
    key = service.get_user_delegation_key(begin, end)
    may = BlobSasPermissions(read=True)
    account = cloud.endpoints.blob_account
    grant = generate_blob_sas(
        account, CONTAINER, "grants/a", user_delegation_key=key, permission=may, expiry=end, protocol="https"
    )
    url = f"{cloud.endpoints.blob_url}/{CONTAINER}/grants"
    assert requests.get(f"{url}/a?{grant}", timeout=CALL_SECONDS).text == "one"
    assert requests.get(f"{url}/b?{grant}", timeout=CALL_SECONDS).status_code == 403


def forged(cloud: AzureCloud, **changed: Any) -> str:
    claims = jwt.decode(cloud.token_request().json()["access_token"], options={"verify_signature": False})
    key: Any = (cloud.layout.state / "azure" / "signing_key.pem").read_text()
    if changed.pop("another_key", False):
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return jwt.encode(claims | changed, key, algorithm="RS256")


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        pytest.param(None, "AuthenticationFailed", id="no token"),
        pytest.param({"exp": 1_700_000_000}, "ExpiredAuthenticationToken", id="expired"),
        pytest.param(
            {"aud": "https://storage.azure.com"}, "InvalidAuthenticationTokenAudience", id="for storage"
        ),
        pytest.param(
            {"iss": "https://sts.windows.net/x/"}, "InvalidAuthenticationToken", id="another tenant"
        ),
        pytest.param({"another_key": True}, "InvalidAuthenticationToken", id="another key"),
    ],
)
def test_the_resource_manager_refuses(cloud: AzureCloud, changed: dict[str, Any] | None, code: str) -> None:
    answer = cloud.call("GET", "/jobs", token=None if changed is None else forged(cloud, **changed))
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, code)
